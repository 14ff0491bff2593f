package memory

import (
	"cmp"
	"maps"
	"slices"

	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report/pprofile"
)

// Recorded is what a recording found out beside its samples.
type Recorded struct {
	// Data has the names of the stacks that Add was told, and their joules.
	Data *pprofile.Profile
	// Source is the name of the source of energy; not used without columns of the domain "dram".
	Source string
	// Books are those of Options.Events, in their order; nil if nobody kept any.
	Books []perfring.EventBooks
}

// domain is the energy that is shown; the sources call it so (rapl.Domain).
const domain = "dram"

// builder puts together a result.
type builder struct {
	t     *Table
	names names
	nodes *Nodes
	// Of each stack: its joules, what they are spread by over its cells, and the bytes of all its loads that memory
	// served, by which they are spread over pages and lines.
	joules []float64
	weight []tally
	served []uint64
	energy bool
	total  tally
}

// Result puts names, joules and books to what was added. The table can go on.
func (t *Table) Result(r Recorded) *Result {
	b := &builder{t: t, names: names{r.Data.Stacks}, nodes: t.opt.Nodes}
	out := &Result{Version: 1, Seconds: r.Data.Duration.Seconds(), Synthetic: []Synthetic{}, Notes: []string{}, counted: t.counted}
	b.weigh()
	b.takeJoules(r, out)
	out.Events = t.books(r.Books)
	out.Total = b.sum(&b.total)
	if rows := b.group(func(c *cell) int32 { return 0 }); len(rows) > 0 {
		out.Total = rows[0].Sum
	}
	for _, s := range out.Synthetic {
		b.addJoules(&out.Total, s.Joules)
	}
	b.unsampled(func(_ int32, joules float64) { b.addJoules(&out.Total, joules) })
	out.Functions = b.functions()
	out.Pages, out.OtherPages = b.pageRows()
	out.Heat = t.pages.heat()
	out.Lines, out.OtherLines = b.lineRows()
	out.Nodes = b.nodeRows()
	out.Notes = append(out.Notes, b.notes(out)...)
	return out
}

// weigh sums up the cells of each stack.
func (b *builder) weigh() {
	stacks := len(b.names.stacks)
	for i := range b.t.list {
		stacks = max(stacks, int(b.t.list[i].stack)+1)
	}
	for stack := range b.t.strays {
		stacks = max(stacks, int(stack)+1)
	}
	b.weight, b.joules, b.served = make([]tally, stacks), make([]float64, stacks), make([]uint64, stacks)
	for stack, bytes := range b.t.strays {
		if stack >= 0 {
			b.served[stack] = bytes
		}
	}
	for i := range b.t.list {
		c := &b.t.list[i]
		b.total.merge(&c.tally)
		if c.stack >= 0 {
			b.weight[c.stack].merge(&c.tally)
			b.served[c.stack] = plus(b.served[c.stack], c.bytes)
		}
	}
}

// takeJoules takes those of memory from the recording.
func (b *builder) takeJoules(r Recorded, out *Result) {
	synthetic := map[string]float64{}
	for i, column := range r.Data.Columns {
		if column.Domain != domain {
			continue
		}
		b.energy = true
		out.Source = &Source{Name: r.Source, Measured: r.Data.Measured}
		for id := range r.Data.Stacks {
			if i < len(r.Data.Stacks[id].Joules) {
				b.joules[id] += r.Data.Stacks[id].Joules[i]
			}
		}
		s := column.Synthetic
		synthetic[pprofile.Baseline] += s.Baseline
		synthetic[pprofile.Active] += s.Active
		synthetic[pprofile.Other] += s.Other
		synthetic[pprofile.Lost] += s.Lost
		synthetic[pprofile.Unattributed] += s.Unattributed
		synthetic[pprofile.Idle] += s.Idle
	}
	for id := range r.Data.Stacks {
		if b.names.synthetic(int32(id)) {
			synthetic[pprofile.Prefetch] += b.joules[id]
			b.joules[id] = 0
		}
	}
	for _, name := range slices.Sorted(maps.Keys(synthetic)) {
		if synthetic[name] != 0 {
			out.Synthetic = append(out.Synthetic, Synthetic{name, synthetic[name]})
		}
	}
	slices.SortStableFunc(out.Synthetic, func(a, b Synthetic) int { return cmp.Compare(b.Joules, a.Joules) })
}

// ofCell is the joules of a cell: those of its stack by what memory served, and if it served nothing by accesses.
func (b *builder) ofCell(c *cell) float64 {
	if c.stack < 0 {
		return 0
	}
	all := &b.weight[c.stack]
	if all.bytes > 0 {
		return b.joules[c.stack] * float64(c.bytes) / float64(all.bytes)
	}
	return b.joules[c.stack] * float64(c.samples) / float64(all.samples)
}

// sum is a tally as a row has it, without joules.
func (b *builder) sum(t *tally) Sum {
	s := Sum{Samples: t.samples, Loads: t.loads, Stores: t.stores, MemoryBytes: t.bytes,
		accesses: t.accesses, cycles: t.cycles, timed: float64(t.timed)}
	var all, mine uint64
	for i, n := range t.counts {
		if n > 0 {
			if s.Counts == nil {
				s.Counts = map[string]uint64{}
			}
			s.Counts[b.t.counted[i]] = n
		}
		mine = plus(mine, n)
	}
	for _, n := range b.total.counts {
		all = plus(all, n)
	}
	if b.total.accesses > 0 {
		mine, all = t.accesses, b.total.accesses
	}
	if all > 0 {
		s.Share = float64(mine) / float64(all)
	}
	s.MeanLatency = s.mean()
	if b.total.cycles > 0 {
		s.LatencyShare = t.cycles / b.total.cycles
	}
	if b.energy {
		s.Joules = new(float64)
	}
	return s
}

func (b *builder) addJoules(s *Sum, joules float64) {
	if s.Joules != nil {
		*s.Joules += joules
	}
}

// grouped is what the cells of one group come to.
type grouped struct {
	first *cell // nil: there is none, only joules
	Sum
}

// group sums up the cells by the number that groupOf gives them, from 0 up; a negative one is none. The joules of
// stacks without cells are in none.
func (b *builder) group(groupOf func(c *cell) int32) []grouped {
	groups := make([]int32, len(b.t.list))
	var sums []tally
	var rows []grouped
	var joules []float64
	for i := range b.t.list {
		c := &b.t.list[i]
		g := groupOf(c)
		groups[i] = g
		if g < 0 {
			continue
		}
		for int(g) >= len(sums) {
			sums, rows, joules = append(sums, tally{}), append(rows, grouped{}), append(joules, 0)
		}
		if rows[g].first == nil {
			rows[g].first = c
		}
		sums[g].merge(&c.tally)
		joules[g] += b.ofCell(c)
	}
	distributions := b.t.latencies.split(len(rows), func(cell int32) int { return int(groups[cell]) })
	for g := range rows {
		rows[g].Sum = b.sum(&sums[g])
		b.addJoules(&rows[g].Sum, joules[g])
		if v, ok := percentile(distributions[g], 95); ok {
			p95 := float64(v)
			rows[g].P95Latency = &p95
		}
	}
	return rows
}

// unsampled gives the joules of stacks that no sample of memory is of.
func (b *builder) unsampled(yield func(stack int32, joules float64)) {
	for id, joules := range b.joules {
		if joules != 0 && b.weight[id].samples == 0 {
			yield(int32(id), joules)
		}
	}
}

// byCost is the order of rows: joules, cycles of latency, accesses and counts, all falling.
func byCost(a, b *Sum) int {
	joules := func(s *Sum) float64 {
		if s.Joules == nil {
			return 0
		}
		return *s.Joules
	}
	return cmp.Or(cmp.Compare(joules(b), joules(a)), cmp.Compare(b.cycles, a.cycles),
		cmp.Compare(b.activity(), a.activity()), cmp.Compare(b.Samples, a.Samples))
}
