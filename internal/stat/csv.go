package stat

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
)

// CSV writes results as comma-separated values, RFC 4180: a header, then a
// line for each number. docs/stat.md explains the columns.
type CSV struct{ started bool }

var csvHeader = []string{"from", "to", "kind", "where", "name", "value", "unit", "state", "share",
	"per_second", "per_cpu_second", "joules_per_count", "sd", "low", "high", "repeats"}

// Write writes one result, flushed.
func (c *CSV) Write(w io.Writer, r *Result) error {
	out := csv.NewWriter(w)
	if !c.started {
		out.Write(csvHeader)
		c.started = true
	}
	for _, row := range r.csvRows() {
		out.Write(row)
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// csvRow is a line: a nil number is an empty field.
type csvRow struct {
	kind, where, name, unit, state              string
	q                                           Quantity
	share, perSecond, perCPUSecond, joulesCount *float64
}

func (r *Result) csvRows() [][]string {
	var out [][]string
	from, to := "", ""
	if r.Interval != nil {
		from, to = number(&r.Interval.From), number(&r.Interval.To)
	}
	add := func(row csvRow) {
		if row.state == "" {
			row.state = "counted"
			if !row.q.ok() {
				row.state = "not counted"
			}
		}
		out = append(out, []string{from, to, row.kind, row.where, row.name, number(row.q.Value), row.unit, row.state,
			number(row.share), number(row.perSecond), number(row.perCPUSecond), number(row.joulesCount),
			number(row.q.SD), number(row.q.Low), number(row.q.High), strconv.Itoa(r.Repeats)})
	}
	for _, c := range r.Counts {
		add(csvRow{kind: "count", where: c.Where, name: c.Event, unit: c.Unit, state: c.State, q: c.Quantity,
			share: c.Share, perSecond: c.PerSecond, perCPUSecond: c.PerCPUSecond, joulesCount: c.JoulesPerCount})
	}
	if e := r.energy(); e != nil {
		kind := "energy"
		if r.Model != nil {
			kind = "energy_model"
		}
		for _, d := range e.Domains {
			add(csvRow{kind: kind, where: d.where(e.Domains), name: d.Name, unit: "J", q: d.Joules, perSecond: d.Watts.Value})
		}
		add(csvRow{kind: kind, name: "energy", unit: "J", q: e.Joules, perSecond: e.Watts.Value})
		if e.EnergyDelay != nil {
			add(csvRow{kind: kind, name: "energy_delay", unit: "J*s", q: *e.EnergyDelay})
		}
		if e.JoulesPerInstruction != nil {
			add(csvRow{kind: kind, name: "joules_per_instruction", unit: "J", q: *e.JoulesPerInstruction})
		}
	}
	for _, m := range r.Metrics {
		add(csvRow{kind: "metric", where: m.Where, name: m.Name, unit: m.Unit, q: m.Quantity})
	}
	add(csvRow{kind: "time", name: "elapsed", unit: "s", q: r.Seconds})
	if r.UserSeconds != nil {
		add(csvRow{kind: "time", name: "user", unit: "s", q: *r.UserSeconds})
		add(csvRow{kind: "time", name: "system", unit: "s", q: *r.SystemSeconds})
	}
	return out
}

// number prints all the digits that tell a value from its neighbours, without an
// exponent that some spreadsheets do not take.
func number(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}
