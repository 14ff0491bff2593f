package report

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Text writes the first rows of the table (0 for all) for a terminal of the
// given width in characters (0 for any). Names too long for it lose their
// middle. Every line that shows joules of an estimate says so.
func (t *Table) Text(w io.Writer, rows, width int) error {
	var b strings.Builder
	for _, c := range t.Comments {
		fmt.Fprintln(&b, "# "+terminal(c))
	}
	for _, m := range t.Missing {
		fmt.Fprintln(&b, "missing: "+terminal(m))
	}
	if t.Energy != "" || t.CPU || t.Event != "" {
		if b.Len() > 0 {
			fmt.Fprintln(&b)
		}
		if err := writeColumns(&b, t.cells(rows), width); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cells are the head, the rows, the rows that are left out in one line, and the total.
func (t *Table) cells(rows int) [][]string {
	rows = t.shown(rows)
	processes := map[string]bool{}
	grouped := false
	var errors []string
	for i, r := range t.Rows {
		if !r.Synthetic {
			processes[r.Process] = true
		}
		grouped = grouped || i < rows && r.Group != ""
		if i < rows && r.Interval {
			errors = append(errors, plusMinus(r.Joules, r.JoulesLow, r.JoulesHigh))
		}
	}
	width := widest(errors)
	line := func(r Row, single bool, name string) []string {
		var c []string
		value := func(has bool, s string) {
			if !has {
				s = ""
			}
			c = append(c, s)
		}
		if t.Energy != "" {
			value(true, beside(r.Joules, r.Interval, r.JoulesLow, r.JoulesHigh, width))
			if t.Estimated() {
				value(true, estimated)
			}
			value(true, percent(r.Share))
			if t.cumulative() {
				value(single, joules(r.JoulesCumulative))
			}
		}
		if t.CPU {
			value(r.Seconds > 0 || r.SecondsCumulative > 0, seconds(r.Seconds))
			if t.Energy == "" {
				value(true, percent(r.Share))
			}
			if t.cumulative() {
				value(single && r.SecondsCumulative > 0, seconds(r.SecondsCumulative))
			}
		}
		if t.Event != "" {
			value(r.Count > 0, strconv.FormatInt(r.Count, 10))
			if t.Energy == "" {
				value(true, percent(r.Share))
			}
		}
		if t.Energy != "" && t.CPU {
			value(single && r.Seconds > 0, watts(r.Watts))
		}
		if grouped {
			value(true, shorten(terminal(r.Group), maxGroup))
		}
		return append(c, name)
	}
	out := [][]string{t.head(grouped)}
	var rest Row
	for i, r := range t.Rows {
		if i < rows {
			out = append(out, line(r, true, t.name(r, len(processes) > 1)))
			continue
		}
		rest.add(r)
	}
	if more := len(t.Rows) - rows; more > 0 {
		out = append(out, line(rest, false, fmt.Sprintf("(%d more)", more)))
	}
	var total Row
	for _, r := range t.Rows {
		total.add(r)
	}
	return append(out, line(total, false, "total"))
}

// maxGroup is how much of a group's name, which is that of one of the functions, is shown.
const maxGroup = 24

// name is what a row is called; several says that there are several processes.
func (t *Table) name(r Row, several bool) string {
	switch {
	case r.Synthetic:
		return terminal(r.Name)
	case t.By == ByProcess:
		return terminal(fmt.Sprintf("%s (%d)", r.Name, r.PID))
	case t.By == ByThread:
		return terminal(fmt.Sprintf("%s (%s, %d/%d)", r.Name, cmp.Or(r.Process, "?"), r.PID, r.TID))
	}
	return functionName(r.Name, r.Process, several)
}

// cumulative tells whether rows call each other.
func (t *Table) cumulative() bool { return t.By == ByFunction }

// head names the columns of cells.
func (t *Table) head(grouped bool) []string {
	var head []string
	if t.Energy != "" {
		head = append(head, "joules")
		if t.Estimated() {
			head = append(head, "")
		}
		head = append(head, "share")
		if t.cumulative() {
			head = append(head, "joules cum")
		}
	}
	if t.CPU {
		head = append(head, "seconds")
		if t.Energy == "" {
			head = append(head, "share")
		}
		if t.cumulative() {
			head = append(head, "seconds cum")
		}
	}
	if t.Event != "" {
		head = append(head, terminal(t.Event))
		if t.Energy == "" {
			head = append(head, "share")
		}
	}
	if t.Energy != "" && t.CPU {
		head = append(head, "watts")
	}
	if grouped {
		head = append(head, "group")
	}
	return append(head, string(t.By))
}

// add adds own values; cumulative ones of several functions have no sum, and
// watts of energy that has no CPU time beside it no meaning.
func (r *Row) add(o Row) {
	r.Joules += o.Joules
	r.Seconds += o.Seconds
	r.Count += o.Count
	r.Share += o.Share
}

// shown is how many rows a wish for n shows.
func (t *Table) shown(n int) int {
	if n <= 0 || n > len(t.Rows) {
		return len(t.Rows)
	}
	return n
}

// tableJSON and rowJSON are what Table.JSON writes; see there.
type tableJSON struct {
	Version   int       `json:"version"`
	By        By        `json:"by"`
	Energy    string    `json:"energy,omitempty"`
	Event     string    `json:"event,omitempty"`
	Estimated bool      `json:"estimated"`
	Joules    *float64  `json:"joules,omitempty"`
	Seconds   *float64  `json:"seconds,omitempty"`
	Missing   []string  `json:"missing,omitempty"`
	Functions *int      `json:"functions,omitempty"`
	Processes *int      `json:"processes,omitempty"`
	Threads   *int      `json:"threads,omitempty"`
	Rows      []rowJSON `json:"rows"`
}

type rowJSON struct {
	Name              string   `json:"name"`
	Process           string   `json:"process"`
	PID               *int64   `json:"pid,omitempty"`
	TID               *int64   `json:"tid,omitempty"`
	Synthetic         bool     `json:"synthetic,omitempty"`
	Joules            *float64 `json:"joules,omitempty"`
	JoulesLow         *float64 `json:"joules_low,omitempty"`
	JoulesHigh        *float64 `json:"joules_high,omitempty"`
	Group             string   `json:"group,omitempty"`
	Share             *float64 `json:"share,omitempty"`
	JoulesCumulative  *float64 `json:"joules_cumulative,omitempty"`
	Seconds           *float64 `json:"seconds,omitempty"`
	SecondsCumulative *float64 `json:"seconds_cumulative,omitempty"`
	Watts             *float64 `json:"watts,omitempty"`
	Count             *int64   `json:"count,omitempty"`
}

// JSON writes the first rows of the table (0 for all) with full names: an
// object with version (1), by, energy (the sample type of the joules), event (that of
// the counts where there is no CPU time), estimated,
// joules and seconds of all rows, missing, functions, processes or threads (the
// number of rows that the profile has) and rows. What the profile lacks is absent, not 0.
func (t *Table) JSON(w io.Writer, rows int) error {
	out := tableJSON{Version: 1, By: t.By, Energy: t.Energy, Event: t.Event, Estimated: t.Estimated(), Missing: t.Missing, Rows: []rowJSON{}}
	n := len(t.Rows)
	switch t.By {
	case ByProcess:
		out.Processes = &n
	case ByThread:
		out.Threads = &n
	default:
		out.Functions = &n
	}
	given := func(has bool, v *float64) *float64 {
		if has {
			return v
		}
		return nil
	}
	id := func(has bool, v *int64) *int64 {
		if has {
			return v
		}
		return nil
	}
	energy := t.Energy != ""
	out.Joules, out.Seconds = given(energy, &t.Joules), given(t.CPU, &t.Seconds)
	for i := range t.Rows[:t.shown(rows)] {
		r := &t.Rows[i]
		time := t.CPU && (r.Seconds > 0 || !r.Synthetic) // [baseline] is energy of no CPU time
		out.Rows = append(out.Rows, rowJSON{
			Name: r.Name, Process: r.Process, Synthetic: r.Synthetic,
			PID: id(t.By != ByFunction && !r.Synthetic, &r.PID), TID: id(t.By == ByThread && !r.Synthetic, &r.TID),
			Joules: given(energy, &r.Joules), JoulesCumulative: given(energy && t.cumulative(), &r.JoulesCumulative),
			Seconds: given(time, &r.Seconds), SecondsCumulative: given(time && t.cumulative(), &r.SecondsCumulative),
			JoulesLow: given(r.Interval, &r.JoulesLow), JoulesHigh: given(r.Interval, &r.JoulesHigh), Group: r.Group,
			Count: id(t.Event != "", &r.Count), Share: given(energy || t.CPU || t.Event != "", &r.Share), Watts: given(energy && r.Seconds > 0, &r.Watts),
		})
	}
	return writeJSON(w, out)
}
