package memory

import (
	"cmp"
	"slices"

	"github.com/energyprof/energyprof/internal/pmu"
)

// functions are the rows by function, process and level.
func (b *builder) functions() []FunctionRow {
	type key struct{ function, process, level string }
	numbers := map[key]int32{}
	var keys []key
	number := func(stack int32, level string) int32 {
		process, _ := b.names.process(stack)
		k := key{b.names.function(stack), process, level}
		n, ok := numbers[k]
		if !ok {
			n = int32(len(keys))
			numbers[k] = n
			keys = append(keys, k)
		}
		return n
	}
	sums := b.group(func(c *cell) int32 { return number(c.stack, b.t.levelName(c)) })
	b.unsampled(func(stack int32, joules float64) {
		n := number(stack, "")
		if int(n) == len(sums) {
			sums = append(sums, grouped{Sum: b.sum(&tally{})})
		}
		b.addJoules(&sums[n].Sum, joules)
	})
	rows := make([]FunctionRow, 0, len(sums))
	for i := range sums {
		rows = append(rows, FunctionRow{Function: keys[i].function, Process: keys[i].process, Level: keys[i].level, Sum: sums[i].Sum})
	}
	slices.SortFunc(rows, func(a, b FunctionRow) int {
		return cmp.Or(byCost(&a.Sum, &b.Sum), cmp.Compare(a.Function, b.Function), cmp.Compare(a.Process, b.Process), cmp.Compare(a.Level, b.Level))
	})
	return rows
}

// levelName is the level of a cell as tables have it; "" if its samples do not say one.
func (t *Table) levelName(c *cell) string {
	if c.counts != nil && c.accesses == 0 {
		return ""
	}
	return c.level.String()
}

// nodeRows are all nodes, and what is on none that is known.
func (b *builder) nodeRows() []NodeRow {
	rows := []NodeRow{}
	place := map[int32]int32{}
	of := func(node int32) int32 {
		if _, ok := place[node]; !ok {
			place[node] = int32(len(rows))
			row := NodeRow{Sum: b.sum(&tally{})}
			if id := int(node); node != unknownNode {
				row.Node = &id
			}
			rows = append(rows, row)
		}
		return place[node]
	}
	for _, node := range b.nodes.List() {
		row := &rows[of(int32(node.ID))]
		remote := b.t.remote[node.ID]
		row.CPUs, row.Remote = pmu.FormatCPUList(node.CPUs), &remote
	}
	for i, sum := range b.group(func(c *cell) int32 { return of(c.node) }) {
		if sum.first != nil {
			rows[i].Sum = sum.Sum
		}
	}
	b.unsampled(func(_ int32, joules float64) { b.addJoules(&rows[of(unknownNode)].Sum, joules) })
	return rows
}
