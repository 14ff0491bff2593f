package stat

import (
	"fmt"
	"io"
	"strings"

	"github.com/energyprof/energyprof/internal/counting"
)

// Text writes results for people: one, or one for each interval.
type Text struct {
	table     table
	printable func(string) string
	started   bool
}

// The columns of the text.
const (
	columnTime = iota
	columnWhere
	columnValue
	columnName
	columnRate
	columnShare
	columnEach
	columnSpread
	columnSD
	columnNote
	columns
)

// NewText prepares the columns. Printable makes a line that no terminal obeys of
// names and arguments, which may hold anything.
func NewText(printable func(string) string) *Text {
	left := make([]bool, columns)
	left[columnWhere], left[columnName], left[columnNote] = true, true, true
	return &Text{table: table{left: left}, printable: printable}
}

// Write writes one result.
func (t *Text) Write(w io.Writer, r *Result) error {
	var rows [][]string
	section := func(more [][]string) {
		if len(more) > 0 && len(rows) > 0 && r.Interval == nil {
			rows = append(rows, nil)
		}
		rows = append(rows, more...)
	}
	if !t.started {
		if _, err := fmt.Fprintf(w, "%s\n\n", t.printable(r.title())); err != nil {
			return fmt.Errorf("writing the output: %w", err)
		}
	}
	counts := t.countRows(r)
	if !t.started && len(counts) > 0 {
		counts = append([][]string{r.head()}, counts...)
	}
	section(counts)
	section(t.energyRows(r))
	section(r.metricRows())
	if r.Interval == nil {
		section(r.timeRows())
	} else {
		for _, row := range rows {
			if row[columnTime] == "" {
				row[columnTime] = fmt.Sprintf("%.6f", r.Interval.To)
			}
		}
	}
	t.started = true
	if err := t.table.write(w, rows); err != nil {
		return err
	}
	for i, note := range r.Notes {
		space := ""
		if i == 0 {
			space = "\n"
		}
		if _, err := fmt.Fprintf(w, "%snote: %s\n", space, t.printable(note)); err != nil {
			return fmt.Errorf("writing the output: %w", err)
		}
	}
	return nil
}

// title says what was counted.
func (r *Result) title() string {
	text := "counted"
	if r.CPUs != "" {
		text += " everything on CPUs " + r.CPUs
	}
	if len(r.PIDs) > 0 {
		text += " process"
		if len(r.PIDs) > 1 {
			text += "es"
		}
		for i, pid := range r.PIDs {
			if i > 0 {
				text += ","
			}
			text += fmt.Sprintf(" %d", pid)
		}
	}
	if r.Command != nil {
		if r.CPUs != "" || len(r.PIDs) > 0 {
			text += " during"
		}
		text += " " + strings.Join(r.Command.Args, " ")
	}
	if r.Repeats > 1 {
		text += fmt.Sprintf(", %d times", r.Repeats)
	}
	switch {
	case r.Interval != nil: // nobody knows how it will end
	case r.Command == nil:
	case r.Command.Signal != "":
		text += ", killed by " + r.Command.Signal
	case r.Command.ExitCode != nil && *r.Command.ExitCode != 0:
		text += fmt.Sprintf(", exit code %d", *r.Command.ExitCode)
	}
	return text
}

func (r *Result) head() []string {
	row := make([]string, columns)
	row[columnValue], row[columnName], row[columnRate] = "value", "event", "rate"
	if r.Repeats > 1 {
		row[columnValue], row[columnSpread], row[columnSD] = "mean", "±95 %", "sd"
	}
	if r.Interval != nil {
		row[columnTime] = "time"
	}
	for _, c := range r.Counts {
		if c.Share != nil && *c.Share < 1 {
			row[columnShare] = "counted"
		}
		if c.JoulesPerCount != nil {
			row[columnEach] = "joules each"
		}
		if c.Where != "" {
			row[columnWhere] = "where"
		}
	}
	return row
}

// spread fills in what several repeats say about the mean.
func spread(row []string, q Quantity, show func(float64) string) {
	if half, ok := q.plusMinus(); ok {
		row[columnSpread] = "±" + percent(half)
	}
	if q.SD != nil {
		row[columnSD] = show(*q.SD)
	}
}

func (t *Text) countRows(r *Result) [][]string {
	var rows [][]string
	for _, c := range r.Counts {
		row := make([]string, columns)
		row[columnWhere], row[columnName] = c.Where, t.printable(c.Event)
		if c.UserOnly && c.ok() {
			row[columnName] += " (user)"
		}
		if !c.ok() {
			row[columnValue] = "<" + c.State + ">"
			if len(c.Holders) > 0 {
				row[columnNote] = t.printable("held by " + strings.Join(c.Holders, ", "))
			}
			rows = append(rows, row)
			continue
		}
		row[columnValue] = c.text(*c.Value)
		spread(row, c.Quantity, c.text)
		row[columnRate] = c.rate()
		if c.Share != nil && *c.Share < 1 {
			row[columnShare] = percent(*c.Share)
		}
		if c.JoulesPerCount != nil {
			row[columnEach] = si(*c.JoulesPerCount, "J")
		}
		rows = append(rows, row)
	}
	return rows
}

// energyRows has the joules of every domain and what follows from their sum. A
// line with joules of an estimate says that it is one.
func (t *Text) energyRows(r *Result) [][]string {
	e := r.energy()
	if e == nil {
		return nil
	}
	mark := ""
	if r.Model != nil {
		mark = "ESTIMATED "
	}
	joules := func(v float64) string { return si(v, "J") }
	line := func(q, watts Quantity, name string) []string {
		row := make([]string, columns)
		row[columnValue], row[columnName] = "<"+stateName(counting.NotCounted)+">", mark+name
		if q.ok() {
			row[columnValue] = joules(*q.Value)
			spread(row, q, joules)
		}
		if watts.ok() {
			row[columnRate] = si(*watts.Value, "W")
		}
		return row
	}
	var rows [][]string
	sums := 0
	for _, d := range e.Domains {
		row := line(d.Joules, d.Watts, d.label)
		row[columnNote] = t.printable(d.Reason)
		rows = append(rows, row)
		if d.InEnergy {
			sums++
		}
	}
	if sums > 1 {
		rows = append(rows, line(e.Joules, e.Watts, "energy"))
	}
	more := func(q *Quantity, show func(float64) string, name string) {
		if q == nil || !q.ok() {
			return
		}
		row := make([]string, columns)
		row[columnValue], row[columnName] = show(*q.Value), mark+name
		spread(row, *q, show)
		rows = append(rows, row)
	}
	more(e.JoulesPerInstruction, joules, "per instruction")
	more(e.EnergyDelay, func(v float64) string { return si(v, "J s") }, "energy-delay product")
	return rows
}

func (r *Result) metricRows() [][]string {
	var rows [][]string
	for _, m := range r.Metrics {
		if !m.ok() {
			continue
		}
		row := make([]string, columns)
		row[columnWhere], row[columnName] = m.Where, m.Name+m.suffix()
		row[columnValue] = m.text(*m.Value)
		spread(row, m.Quantity, m.text)
		rows = append(rows, row)
	}
	return rows
}

func (r *Result) timeRows() [][]string {
	var rows [][]string
	for _, t := range []struct {
		q    *Quantity
		name string
	}{{&r.Seconds, "elapsed"}, {r.UserSeconds, "user"}, {r.SystemSeconds, "system"}} {
		if t.q == nil || !t.q.ok() {
			continue
		}
		row := make([]string, columns)
		row[columnValue], row[columnName] = seconds(*t.q.Value), t.name
		spread(row, *t.q, seconds)
		rows = append(rows, row)
	}
	return rows
}
