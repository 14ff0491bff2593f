package stat

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/energyprof/energyprof/internal/counting"
	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/rapl"
)

// placeName is how perf stat names a place: S0, S0-D0-C1, CPU3. Of a sum over
// everything it is "", and so it is where nothing could be opened.
func placeName(p counting.Place, by counting.By) string {
	if p.Socket < 0 {
		return ""
	}
	switch by {
	case counting.Socket:
		return fmt.Sprintf("S%d", p.Socket)
	case counting.Core:
		return fmt.Sprintf("S%d-D%d-C%d", p.Socket, p.Die, p.Core)
	case counting.CPU:
		return fmt.Sprintf("CPU%d", p.CPU)
	}
	return ""
}

// where is the domain's place in a list of them: its package, and its CPUs if the
// package has several of that name.
func (d *Domain) where(all []Domain) string {
	same := 0
	for _, o := range all {
		if o.Name == d.Name && o.Package == d.Package {
			same++
		}
	}
	if same > 1 {
		return fmt.Sprintf("S%d-CPU%s", d.Package, d.CPUs)
	}
	return fmt.Sprintf("S%d", d.Package)
}

// domainLabel names a domain for people, and tells those of one package apart.
func domainLabel(d rapl.Domain) string {
	text := d.String()
	if len(d.CPUs) > 0 {
		text += " (CPUs " + pmu.FormatCPUList(d.CPUs) + ")"
	}
	return text
}

// countKey is which line of the result a row of a repeat belongs to.
type countKey struct {
	term  int
	where counting.Place
}

// collectRows sorts the rows of all repeats by line. A repeat that does not have a
// line, because a CPU came or went, has a nil there.
func collectRows(repeats [][]counting.Row) (keys []countKey, rows map[countKey][]*counting.Row) {
	rows = make(map[countKey][]*counting.Row)
	for i, repeat := range repeats {
		for j := range repeat {
			k := countKey{repeat[j].Term, repeat[j].Where}
			if rows[k] == nil {
				rows[k] = make([]*counting.Row, len(repeats))
				keys = append(keys, k)
			}
			rows[k][i] = &repeat[j]
		}
	}
	slices.SortStableFunc(keys, func(a, b countKey) int {
		return cmp.Or(cmp.Compare(a.term, b.term), cmp.Compare(a.where.Socket, b.where.Socket), cmp.Compare(a.where.Die, b.where.Die),
			cmp.Compare(a.where.Core, b.where.Core), cmp.Compare(a.where.CPU, b.where.CPU))
	})
	return keys, rows
}
