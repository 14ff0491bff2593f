package stat

import (
	"fmt"
	"strings"
	"time"

	"github.com/energyprof/energyprof/internal/counting"
)

// perInstruction divides the energy by the instructions, if they were counted in
// user space and the kernel. Of several such events it is the first that has a value.
func (b *Builder) perInstruction(e *Energy, keys []countKey, rows map[countKey][]*counting.Row, per []rates) {
	for _, k := range keys {
		if generic, modifiers := genericName(b.Terms[k.term].Name); generic != instructions || modifiers != "" {
			continue
		}
		var joules []float64
		for i, row := range rows[k] {
			joules = append(joules, unknown)
			if row != nil && row.State == counting.Counted && row.Value > 0 && !row.UserOnly {
				joules[i] = b.joules(per[i], -1) / row.Value
			}
		}
		if q := newQuantity(joules); q.ok() {
			e.JoulesPerInstruction = &q
			return
		}
	}
}

// The generic events that metrics of our own are made of.
const (
	cycles       = "cycles"
	instructions = "instructions"
)

// genericName tells whether an event is cycles or instructions, and behind which modifiers.
func genericName(event string) (name, modifiers string) {
	name, modifiers, _ = strings.Cut(event, ":")
	switch name {
	case "cpu-cycles":
		name = cycles
	case cycles, instructions:
	default:
		return "", ""
	}
	return name, modifiers
}

// instructionsPerCycle pairs instructions with the cycles of the same modifiers and place: those
// of their own group, if it has some, which were counted at the same times.
func (b *Builder) instructionsPerCycle(keys []countKey, rows map[countKey][]*counting.Row) []Metric {
	var out []Metric
	for _, k := range keys {
		generic, modifiers := genericName(b.Terms[k.term].Name)
		if generic != instructions {
			continue
		}
		of, found := countKey{}, false
		for _, c := range keys {
			if g, m := genericName(b.Terms[c.term].Name); g != cycles || m != modifiers || c.where != k.where {
				continue
			}
			if same := b.Terms[c.term].Group >= 0 && b.Terms[c.term].Group == b.Terms[k.term].Group; same || !found {
				if of, found = c, true; same {
					break
				}
			}
		}
		if !found {
			continue
		}
		var values []float64
		for i, row := range rows[k] {
			values = append(values, unknown)
			if c := rows[of][i]; row != nil && c != nil && row.State == counting.Counted && c.State == counting.Counted && c.Value > 0 {
				values[i] = row.Value / c.Value
			}
		}
		m := Metric{Name: "ipc", Where: placeName(k.where, b.By), Unit: "instructions/cycle", Formula: b.Terms[k.term].Name + " / " + b.Terms[of.term].Name, Quantity: newQuantity(values)}
		if m.ok() {
			out = append(out, m)
		}
	}
	return out
}

// shortest is the shortest time, in seconds, of which joules are told: of a repeat or an interval.
func (b *Builder) shortest(runs []counting.Run) float64 {
	least := runs[0].Seconds()
	for _, run := range runs {
		least = min(least, run.Seconds())
	}
	if b.Options.Interval > 0 {
		least = min(least, b.Options.Interval.Seconds())
	}
	return least
}

// shortRun warns of joules that a counter's own steps in time blur: registers of
// RAPL are updated about every millisecond (Intel SDM volume 3B, 16.10), and a model knows
// busy time in ticks of 10 ms (USER_HZ).
func (b *Builder) shortRun(seconds float64) string {
	var step time.Duration
	var what string
	switch {
	case b.Source.Name == "":
		return ""
	case !b.Source.Measured:
		step, what = 10*time.Millisecond, "the model knows busy time"
	case b.Source.Name == "perf-power" || b.Source.Name == "powercap" || b.Source.Name == "msr":
		step, what = time.Millisecond, "energy counters move"
	}
	if step == 0 || seconds == 0 || seconds > 20*step.Seconds() {
		return ""
	}
	return fmt.Sprintf("joules of %s are blurred: %s in steps of %v", time.Duration(seconds*1e9).Round(10*time.Microsecond), what, step)
}
