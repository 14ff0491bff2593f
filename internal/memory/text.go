package memory

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/energyprof/energyprof/internal/tabular"
)

// By is what the rows of the text are.
type By string

// The rows of the text. The JSON has all of them.
const (
	ByFunction By = "function" // and level
	ByPage     By = "page"
	ByLine     By = "cacheline"
	ByNode     By = "node"
)

// Bys are what a Text takes.
var Bys = []By{ByFunction, ByPage, ByLine, ByNode}

// Text writes a result for people.
type Text struct {
	By    By
	Rows  int // at most; 0: all
	Width int // of the terminal in characters; 0: any
	// Printable makes of a name, which may hold anything, what no terminal obeys.
	Printable func(string) string
}

// estimated stands beside the joules of a model.
const estimated = "ESTIMATED"

// Write writes the table, the books of the events and the notes.
func (t Text) Write(w io.Writer, r *Result) error {
	kept := *r
	kept.Keep(t.Rows)
	rows, ok := map[By]func(*Result) tabular.Table{ByFunction: t.functionTable, ByPage: t.pageTable, ByLine: t.lineTable, ByNode: t.nodeTable}[t.By]
	if !ok {
		return fmt.Errorf("no table of memory samples is by %q", t.By)
	}
	var b strings.Builder
	b.WriteString(t.Printable(r.title()) + "\n\n")
	if r.Total.Samples > 0 || r.Total.Joules != nil {
		main := rows(&kept)
		main.Write(&b, t.Width)
	} else {
		b.WriteString("no samples\n")
	}
	b.WriteString("\n")
	books := t.bookTable(r)
	books.Write(&b, t.Width)
	for i, note := range r.Notes {
		if i == 0 {
			b.WriteString("\n")
		}
		b.WriteString("note: " + t.Printable(note) + "\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// title says what was recorded.
func (r *Result) title() string {
	text := "memory samples"
	if c := r.Command; c != nil {
		text += " of " + strings.Join(c.Args, " ")
		switch {
		case c.Signal != "":
			text += ", killed by " + c.Signal
		case c.ExitCode != nil && *c.ExitCode != 0:
			text += fmt.Sprintf(", exit code %d", *c.ExitCode)
		}
	}
	if r.Seconds > 0 {
		text += ", " + si(r.Seconds, "s")
	}
	return text
}

// sumColumns are the columns of a Sum; percentiles says that rows have 95th percentiles.
func (r *Result) sumColumns(percentiles bool) []tabular.Column {
	columns := []tabular.Column{{Head: "joules"}, {Left: true}, {Head: "share"}, {Head: "samples"}, {Head: "loads"}, {Head: "stores"}}
	for _, event := range r.counted {
		columns = append(columns, tabular.Column{Head: event})
	}
	columns = append(columns, tabular.Column{Head: "mean cyc"})
	if percentiles {
		columns = append(columns, tabular.Column{Head: "p95 cyc"})
	}
	return append(columns, tabular.Column{Head: "latency"}, tabular.Column{Head: "memory"})
}

// sumCells are its cells.
func (r *Result) sumCells(s *Sum, percentiles bool) []string {
	var cells []string
	value := func(has bool, text string) {
		if !has {
			text = ""
		}
		cells = append(cells, text)
	}
	has := s.Joules != nil
	joules := ""
	if has {
		joules = si(*s.Joules, "J")
	}
	value(has, joules)
	value(has && r.Source != nil && !r.Source.Measured, estimated)
	value(true, percent(s.Share))
	value(true, whole(s.Samples))
	value(r.Total.Loads > 0, amount(s.Loads))
	value(r.Total.Stores > 0, amount(s.Stores))
	for _, event := range r.counted {
		value(r.Total.Counts[event] > 0, amount(s.Counts[event]))
	}
	value(true, cycles(s.MeanLatency))
	if percentiles {
		value(true, cycles(s.P95Latency))
	}
	value(r.Total.cycles > 0, percent(s.LatencyShare))
	value(r.Total.MemoryBytes > 0, traffic(s.MemoryBytes))
	return cells
}

// close appends the rows that are not of the table's own kind: what is left out, joules of nothing in particular, the total.
func (r *Result) close(t *tabular.Table, rest *Rest, what string, percentiles bool) {
	line := func(cells []string, name string) {
		for len(cells) < len(t.Columns)-1 {
			cells = append(cells, "")
		}
		t.Rows = append(t.Rows, append(cells, name))
	}
	if rest != nil {
		name := "(other " + what + ")"
		if rest.Rows > 0 {
			name = fmt.Sprintf("(%d more)", rest.Rows)
		}
		line(r.sumCells(&rest.Sum, percentiles), name)
	}
	for _, s := range r.Synthetic {
		cells := r.sumCells(&Sum{Joules: &s.Joules}, percentiles)
		for i := 2; i < len(cells); i++ {
			cells[i] = ""
		}
		line(cells, s.Name)
	}
	line(r.sumCells(&r.Total, percentiles), "total")
}

// functionTable has a row for each function and level.
func (t Text) functionTable(r *Result) tabular.Table {
	out := tabular.Table{Columns: append(r.sumColumns(true), tabular.Column{Head: "level", Left: true}, tabular.Column{Head: "function", Left: true})}
	processes := map[string]bool{}
	for i := range r.Functions {
		processes[r.Functions[i].Process] = true
	}
	for i := range r.Functions {
		row := &r.Functions[i]
		name := row.Function
		if len(processes) > 1 {
			name += " (" + cmp.Or(row.Process, "?") + ")"
		}
		out.Rows = append(out.Rows, append(r.sumCells(&row.Sum, true), row.Level, t.Printable(name)))
	}
	r.close(&out, r.OtherFunctions, "functions", true)
	return out
}

// pageTable has a row for each page.
func (t Text) pageTable(r *Result) tabular.Table {
	heat := "heat"
	if r.Heat != nil {
		heat += " per " + si(r.Heat.SlotSeconds, "s")
	}
	out := tabular.Table{Columns: append(r.sumColumns(false), tabular.Column{Head: "level", Left: true}, tabular.Column{Head: "node"}, tabular.Column{Head: heat, Left: true},
		tabular.Column{Head: "size"}, tabular.Column{Head: "page"}, tabular.Column{Head: "process", Left: true}, tabular.Column{Head: "functions", Left: true})}
	for i := range r.Pages {
		row := &r.Pages[i]
		process := "kernel"
		if row.PID != 0 {
			process = fmt.Sprintf("%s (%d)", t.Printable(cmp.Or(row.Process, "?")), row.PID)
		}
		node := "?"
		if row.Node != nil {
			node = strconv.Itoa(*row.Node)
		}
		out.Rows = append(out.Rows, append(r.sumCells(&row.Sum, false), mostly(row.Levels), node, spark(row.Heat), size(row.Bytes),
			row.Address, process, t.Printable(strings.Join(row.Functions, ", "))))
	}
	r.close(&out, r.OtherPages, "pages", false)
	return out
}

// mostly is the level of most samples, and how many they are if not all.
func mostly(levels map[string]uint64) string {
	var most string
	var all uint64
	for _, level := range slices.Sorted(maps.Keys(levels)) {
		all += levels[level]
		if most == "" || levels[level] > levels[most] {
			most = level
		}
	}
	if len(levels) > 1 {
		most += " " + strconv.FormatFloat(100*float64(levels[most])/float64(all), 'f', 0, 64) + " %"
	}
	return most
}

// nodeTable has a row for each NUMA node.
func (t Text) nodeTable(r *Result) tabular.Table {
	out := tabular.Table{Columns: append(r.sumColumns(true), tabular.Column{Head: "remote"}, tabular.Column{Head: "CPUs", Left: true}, tabular.Column{Head: "node", Left: true})}
	for i := range r.Nodes {
		row := &r.Nodes[i]
		remote, cpus, name := "", "", "unknown"
		if row.Node != nil {
			name, cpus = strconv.Itoa(*row.Node), cmp.Or(row.CPUs, "none")
		}
		if all := row.activity(); row.Remote != nil && all > 0 {
			remote = percent(float64(*row.Remote) / float64(all))
		}
		out.Rows = append(out.Rows, append(r.sumCells(&row.Sum, true), remote, cpus, name))
	}
	r.close(&out, nil, "", true)
	return out
}

// bookTable is what became of each event.
func (t Text) bookTable(r *Result) tabular.Table {
	out := tabular.Table{Columns: []tabular.Column{{Head: "counted"}, {Head: "samples"}, {Head: "used"}, {Head: "stand for"}, {Head: "lost"},
		{Head: "dropped"}, {Head: "throttled"}, {Head: "event", Left: true}}}
	for i := range r.Events {
		e := &r.Events[i]
		known := func(p *uint64, otherwise string) string {
			if p == nil {
				return otherwise
			}
			return whole(*p)
		}
		out.Rows = append(out.Rows, []string{known(e.Counted, "unknown"), whole(e.Samples), known(e.Used, "-"), whole(e.StandsFor), known(e.Lost, "unknown"),
			whole(e.LostSamples), whole(e.Throttles), t.Printable(e.Event)})
	}
	return out
}
