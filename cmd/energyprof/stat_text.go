package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/energyprof/energyprof/internal/counting"
)

// statText writes results for people: one, or one for each interval.
type statText struct {
	table   statTable
	started bool
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
	statColumns
)

func newStatText() *statText {
	left := make([]bool, statColumns)
	left[columnWhere], left[columnName], left[columnNote] = true, true, true
	return &statText{table: statTable{left: left}}
}

// write writes one result.
func (t *statText) write(w io.Writer, r *statResult) error {
	var rows [][]string
	section := func(more [][]string) {
		if len(more) > 0 && len(rows) > 0 && r.Interval == nil {
			rows = append(rows, nil)
		}
		rows = append(rows, more...)
	}
	if !t.started {
		if _, err := fmt.Fprintf(w, "%s\n\n", printable(r.title())); err != nil {
			return fmt.Errorf("writing the output: %w", err)
		}
	}
	counts := r.countRows()
	if !t.started && len(counts) > 0 {
		counts = append([][]string{r.head()}, counts...)
	}
	section(counts)
	section(r.energyRows())
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
		if _, err := fmt.Fprintf(w, "%snote: %s\n", space, printable(note)); err != nil {
			return fmt.Errorf("writing the output: %w", err)
		}
	}
	return nil
}

// title says what was counted.
func (r *statResult) title() string {
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

func (r *statResult) head() []string {
	row := make([]string, statColumns)
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
func spread(row []string, q quantity, show func(float64) string) {
	if half, ok := q.plusMinus(); ok {
		row[columnSpread] = "±" + percent(half)
	}
	if q.SD != nil {
		row[columnSD] = show(*q.SD)
	}
}

func (r *statResult) countRows() [][]string {
	var rows [][]string
	for _, c := range r.Counts {
		row := make([]string, statColumns)
		row[columnWhere], row[columnName] = c.Where, printable(c.Event)
		if c.UserOnly && c.ok() {
			row[columnName] += " (user)"
		}
		if !c.ok() {
			row[columnValue] = "<" + c.State + ">"
			if len(c.Holders) > 0 {
				row[columnNote] = printable("held by " + strings.Join(c.Holders, ", "))
			}
			rows = append(rows, row)
			continue
		}
		row[columnValue] = c.text(*c.Value)
		spread(row, c.quantity, c.text)
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
func (r *statResult) energyRows() [][]string {
	e := r.energy()
	if e == nil {
		return nil
	}
	mark := ""
	if r.Model != nil {
		mark = "ESTIMATED "
	}
	joules := func(v float64) string { return si(v, "J") }
	line := func(q, watts quantity, name string) []string {
		row := make([]string, statColumns)
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
		row[columnNote] = printable(d.Reason)
		rows = append(rows, row)
		if d.InEnergy {
			sums++
		}
	}
	if sums > 1 {
		rows = append(rows, line(e.Joules, e.Watts, "energy"))
	}
	more := func(q *quantity, show func(float64) string, name string) {
		if q == nil || !q.ok() {
			return
		}
		row := make([]string, statColumns)
		row[columnValue], row[columnName] = show(*q.Value), mark+name
		spread(row, *q, show)
		rows = append(rows, row)
	}
	more(e.JoulesPerInstruction, joules, "per instruction")
	more(e.EnergyDelay, func(v float64) string { return si(v, "J s") }, "energy-delay product")
	return rows
}

func (r *statResult) metricRows() [][]string {
	var rows [][]string
	for _, m := range r.Metrics {
		if !m.ok() {
			continue
		}
		row := make([]string, statColumns)
		row[columnWhere], row[columnName] = m.Where, m.Name+m.suffix()
		row[columnValue] = m.text(*m.Value)
		spread(row, m.quantity, m.text)
		rows = append(rows, row)
	}
	return rows
}

func (r *statResult) timeRows() [][]string {
	var rows [][]string
	for _, t := range []struct {
		q    *quantity
		name string
	}{{&r.Seconds, "elapsed"}, {r.UserSeconds, "user"}, {r.SystemSeconds, "system"}} {
		if t.q == nil || !t.q.ok() {
			continue
		}
		row := make([]string, statColumns)
		row[columnValue], row[columnName] = seconds(*t.q.Value), t.name
		spread(row, *t.q, seconds)
		rows = append(rows, row)
	}
	return rows
}
