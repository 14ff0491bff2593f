package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// Counts is the functions, processes or threads of a profile by the counts of one event: of a counter that was shared
// out, or of an event that was sampled.
type Counts struct {
	Event string  // the sample type
	Scale float64 // units per count, 0 if there are none
	Unit  string
	By    By
	Count int64 // of all rows, own
	// Rows by Count, then CPUSeconds, both falling.
	Rows []CountRow
	CPU  bool // the profile has CPU time
}

// CountRow is a function of a process, a process, a thread, or one of the synthetic frames.
type CountRow struct {
	Name       string   `json:"name"`
	Process    string   `json:"process"`
	PID        *int64   `json:"pid,omitempty"` // by process and by thread
	TID        *int64   `json:"tid,omitempty"` // by thread
	Synthetic  bool     `json:"synthetic,omitempty"`
	Count      int64    `json:"count"` // own
	Low        *int64   `json:"count_low,omitempty"`
	High       *int64   `json:"count_high,omitempty"`
	Group      string   `json:"group,omitempty"`
	Share      *float64 `json:"share,omitempty"` // of all counts
	Cumulative *int64   `json:"count_cumulative,omitempty"`
	CPUSeconds *float64 `json:"cpu_seconds,omitempty"`
	Rate       *float64 `json:"rate,omitempty"` // counts per second of CPU time

	ns int64
}

// ReadCounts sums up the counts of an event, which is the name of a sample type, by one of Bys. The error says which
// there are.
func ReadCounts(p *profile.Profile, event string, by By) (*Counts, error) {
	index := sampleType(p, event, "count")
	if index < 0 {
		return nil, fmt.Errorf("no sample type %s/count; there is %s", event, sampleTypes(p))
	}
	c := &Counts{Event: event, By: by, CPU: sampleType(p, "cpu", "nanoseconds") >= 0}
	kept := readCounter(p, event)
	c.Scale, c.Unit = kept.Scale, kept.Unit
	intervals := map[rowID]keptCount{}
	v := values{energy: index, cpu: sampleType(p, "cpu", "nanoseconds"), count: -1}
	var all []*function
	if by == ByFunction {
		all = functions(p, v)
		for _, k := range kept.Intervals {
			intervals[rowID{k.Name, k.Process}] = k
		}
	} else {
		all = tasks(p, v, by == ByThread)
	}
	// A synthetic frame can be there for the sake of another sample type.
	all = slices.DeleteFunc(all, func(f *function) bool { return f.uj == 0 && (f.synthetic || f.ujCum == 0 && f.ns == 0) })
	slices.SortFunc(all, byEnergy)
	for _, f := range all {
		c.Count += f.uj
	}
	for _, f := range all {
		r := CountRow{Name: f.name, Process: f.process, Synthetic: f.synthetic, Count: f.uj, ns: f.ns}
		if by != ByFunction && !f.synthetic {
			r.PID = &f.pid
		}
		if by == ByThread && !f.synthetic {
			r.TID = &f.tid
		}
		if by == ByFunction {
			r.Cumulative = &f.ujCum
		}
		if k, ok := intervals[rowID{f.name, f.process}]; ok && !f.synthetic && k.Count == f.uj {
			r.Low, r.High, r.Group = &k.Low, &k.High, k.Group
		}
		if c.Count > 0 {
			part := float64(f.uj) / float64(c.Count)
			r.Share = &part
		}
		if f.ns > 0 {
			s := float64(f.ns) / 1e9
			rate := float64(f.uj) / s
			r.CPUSeconds, r.Rate = &s, &rate
		}
		c.Rows = append(c.Rows, r)
	}
	return c, nil
}

// readCounter finds what a comment keeps of a counter.
func readCounter(p *profile.Profile, event string) keptCounter {
	for _, c := range p.Comments {
		text, ok := strings.CutPrefix(c, counterComment)
		var k keptCounter
		if ok && json.Unmarshal([]byte(text), &k) == nil && k.Name == event {
			k.Intervals = slices.DeleteFunc(k.Intervals, func(i keptCount) bool { return i.Low < 0 || i.Low > i.High })
			return k
		}
	}
	return keptCounter{}
}

// Text writes the first rows (0 for all) for a terminal of the given width in characters (0 for any).
func (c *Counts) Text(w io.Writer, rows, width int) error {
	t := countTable{unit: c.Unit, total: c.Count, cumulative: c.By == ByFunction}
	if c.Scale > 0 {
		t.scale = &c.Scale
	}
	processes := map[string]bool{}
	for _, r := range c.Rows {
		if !r.Synthetic {
			processes[r.Process] = true
		}
	}
	names := Table{By: c.By}
	var rest, total countRow
	shown := c.shown(rows)
	for i, r := range c.Rows {
		total.count += r.Count
		total.ns += r.ns
		if i >= shown {
			rest.count += r.Count
			rest.ns += r.ns
			continue
		}
		row := Row{Name: r.Name, Process: r.Process, Synthetic: r.Synthetic}
		if r.PID != nil {
			row.PID = *r.PID
		}
		if r.TID != nil {
			row.TID = *r.TID
		}
		t.rows = append(t.rows, countRow{count: r.Count, ns: r.ns, low: r.Low, high: r.High, cum: r.Cumulative, group: r.Group,
			name: names.name(row, len(processes) > 1)})
	}
	if more := len(c.Rows) - shown; more > 0 {
		rest.name = fmt.Sprintf("(%d more)", more)
		t.rows = append(t.rows, rest)
	}
	total.name = "total"
	t.rows = append(t.rows, total)
	var b strings.Builder
	fmt.Fprintln(&b, "counts of "+terminal(c.Event))
	if err := writeColumns(&b, t.cells(string(c.By)), width); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c *Counts) shown(rows int) int {
	if rows <= 0 || rows > len(c.Rows) {
		return len(c.Rows)
	}
	return rows
}

// JSON writes the first rows (0 for all) with full names: an object with version (1), by, event, scale and unit if it
// has them, count of all rows, and rows.
func (c *Counts) JSON(w io.Writer, rows int) error {
	return writeJSON(w, struct {
		Version int        `json:"version"`
		By      By         `json:"by"`
		Event   string     `json:"event"`
		Scale   float64    `json:"scale,omitempty"`
		Unit    string     `json:"unit,omitempty"`
		Count   int64      `json:"count"`
		Rows    []CountRow `json:"rows"`
	}{1, c.By, c.Event, c.Scale, c.Unit, c.Count, append([]CountRow{}, c.Rows[:c.shown(rows)]...)})
}
