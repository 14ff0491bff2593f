package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/pprofile"
)

// write prints a counter of the closing summary: what was counted in that many seconds, how it was shared out, and the
// functions with most of it.
func (s *CounterSummary) write(b *strings.Builder, lasted float64, several bool, width int) error {
	line := func(format string, args ...any) { fmt.Fprintln(b, terminal(fmt.Sprintf(format, args...))) }
	fmt.Fprintln(b)
	text := fmt.Sprintf("counts of %s: %d", s.Name, s.Count)
	if lasted > 0 {
		text += ", " + perSecond(float64(s.Count)/lasted)
	}
	if s.Value != nil {
		text += fmt.Sprintf("; %s", units(*s.Value, s.Unit))
		if lasted > 0 {
			text += fmt.Sprintf(", %s/s", units(*s.Value/lasted, s.Unit))
		}
	}
	line("%s", text)
	for _, d := range s.Domains {
		if len(s.Domains) > 1 {
			line("  package %d (CPUs %s): %d", d.Package, d.CPUs, d.Count)
		}
	}
	for _, text := range s.Attribution.text(s.Name) {
		line("%s", text)
	}
	if s.Count == 0 {
		return nil
	}
	return writeColumns(b, s.rows(several), width)
}

func (a *CounterAttribution) text(name string) []string {
	return Attribution{Method: attribution.Method(a.Method), ValidationError: a.ValidationError, ShareValidationError: a.ShareValidationError,
		BaselineWatts: a.BaselineRates, BaselineFitted: a.BaselineFitted, ActiveWatts: a.ActiveRates}.countText(name)
}

// rows are the head and the lines of a counter's table, which adds up.
func (s *CounterSummary) rows(several bool) [][]string {
	t := countTable{scale: s.Scale, unit: s.Unit, total: s.Count}
	var rest countRow
	more := 0
	for i, f := range s.Functions {
		row := countRow{count: f.Count, ns: int64(math.Round(f.CPUSeconds * 1e9)), low: f.Low, high: f.High, group: f.Group,
			name: functionName(f.Name, f.Process, several)}
		if i < closingFunctions && f.Count > 0 {
			t.rows = append(t.rows, row)
			continue
		}
		more++
		rest.count += row.count
		rest.ns += row.ns
	}
	if rest.count > 0 || rest.ns > 0 {
		rest.name = fmt.Sprintf("(%d more functions)", more)
		t.rows = append(t.rows, rest)
	}
	for _, r := range []countRow{{name: pprofile.Baseline, count: s.Baseline}, {name: pprofile.Active, count: s.Active}, {name: pprofile.Other, count: s.Other},
		{name: pprofile.Lost, count: s.Lost}, {name: pprofile.Unattributed, count: s.Unattributed}, {name: pprofile.Idle, count: s.Idle}} {
		if r.count > 0 {
			t.rows = append(t.rows, r)
		}
	}
	return t.cells("function")
}

// countTable is counts for a terminal.
type countTable struct {
	scale      *float64
	unit       string
	total      int64
	cumulative bool
	rows       []countRow
}

type countRow struct {
	count, ns int64
	low, high *int64
	cum       *int64 // nil where it has no meaning
	group     string
	name      string // safe to print
}

// cells are the head and the rows; last names the last column.
func (t *countTable) cells(last string) [][]string {
	var errors []string
	grouped := false
	for _, r := range t.rows {
		if r.low != nil {
			errors = append(errors, r.plusMinus())
		}
		grouped = grouped || r.group != ""
	}
	width := widest(errors)
	head := []string{"count", "share"}
	if t.scale != nil {
		head = append(head, terminal(t.unit))
	}
	if t.cumulative {
		head = append(head, "count cum")
	}
	head = append(head, "cpu time", "per second")
	if grouped {
		head = append(head, "group")
	}
	out := [][]string{append(head, last)}
	for _, r := range t.rows {
		count := strconv.FormatInt(r.count, 10)
		if width > 0 {
			text := r.plusMinus()
			count += " " + text + strings.Repeat(" ", width-widest([]string{text}))
		}
		cells := []string{count, share(float64(r.count), float64(t.total))}
		if t.scale != nil {
			cells = append(cells, strconv.FormatFloat(float64(r.count)**t.scale, 'g', 4, 64))
		}
		if t.cumulative {
			text := ""
			if r.cum != nil {
				text = strconv.FormatInt(*r.cum, 10)
			}
			cells = append(cells, text)
		}
		if s := float64(r.ns) / 1e9; r.ns > 0 {
			cells = append(cells, seconds(s), perSecond(float64(r.count)/s))
		} else {
			cells = append(cells, "", "")
		}
		if grouped {
			cells = append(cells, shorten(terminal(r.group), maxGroup))
		}
		out = append(out, append(cells, r.name))
	}
	return out
}

// plusMinus is the larger half of the interval, "" without one.
func (r *countRow) plusMinus() string {
	if r.low == nil {
		return ""
	}
	return "±" + strconv.FormatInt(max(r.count-*r.low, *r.high-r.count), 10)
}

// units prints a scaled count.
func units(v float64, unit string) string {
	return strconv.FormatFloat(v, 'g', 5, 64) + " " + unit
}
