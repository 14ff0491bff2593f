package stat

import (
	"math"
	"time"

	"github.com/energyprof/energyprof/internal/counting"
	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/uncore"
)

// Builder makes results of what was counted. Its fields are set before the first one.
type Builder struct {
	Options counting.Options // what was counted, and how
	Online  []int            // CPUs, at the start
	Terms   []uncore.Term    // of Options.Events
	By      counting.By
	CPUs    []pmu.CPU // where CPUs are, unless By is Total
	Source  rapl.Info // of Options.Energy; no Name: there is no source of energy

	SourceRemarks []string // why it is this source

	Reason       func(error) string         // an error in one line
	Advice       func(error) string         // what an operator can do about an error; "" is nothing
	AdviceOnNote func(counting.Note) string // the same, about a limitation that counting met

	start   int64 // of the first reading
	remarks []string
	holders []string // of busy PMUs, once somebody has looked

	// For metrics alone.
	metrics  []uncore.Metric
	events   []string          // the terms as metrics call them
	packages func(cpu int) int // the package of a CPU
	tsc      float64           // ticks of the time stamp counter in a second; 0 if it is not known
}

// rates is what the values of one repeat are divided by.
type rates struct {
	seconds    float64
	cpuSeconds float64   // of the tasks that were counted; unknown of whole CPUs
	domains    []float64 // joules, unknown if it could not be read
}

// Result is what counting came to, with notes on it.
func (b *Builder) Result(counted *counting.Result) *Result {
	r := b.result(wholeRuns(counted))
	r.Notes = append(r.Notes, b.notes(counted, r)...)
	if b.Options.Interval == 0 { // else the intervals tell
		b.nameHolders(r)
	}
	return r
}

// Interval is the result of one reading of several.
func (b *Builder) Interval(reading counting.Reading) *Result {
	r := b.interval(reading)
	b.nameHolders(r)
	return r
}

// result sums up the repeats.
func (b *Builder) result(runs []counting.Run) *Result {
	var elapsed, user, system []float64
	readings := make([]counting.Reading, len(runs))
	for i, run := range runs {
		readings[i] = run.Reading
		elapsed = append(elapsed, run.Elapsed.Seconds())
		if run.Exit != nil {
			user = append(user, run.User.Seconds())
			system = append(system, run.System.Seconds())
		} else {
			user, system = append(user, unknown), append(system, unknown)
		}
	}
	r := b.build(readings, elapsed)
	if len(b.Options.Command) > 0 {
		u, s := newQuantity(user), newQuantity(system)
		r.UserSeconds, r.SystemSeconds = &u, &s
		r.Command.exits(runs)
	}
	return r
}

// interval says where in the time of counting a reading lies.
func (b *Builder) interval(reading counting.Reading) *Result {
	if b.start == 0 {
		b.start = reading.From
	}
	r := b.build([]counting.Reading{reading}, []float64{reading.Seconds()})
	since := func(at int64) float64 { return time.Duration(at - b.start).Seconds() }
	r.Interval = &Interval{From: since(reading.From), To: since(reading.To)}
	return r
}

func (b *Builder) build(readings []counting.Reading, elapsed []float64) *Result {
	r := &Result{Version: 1, PIDs: b.Options.PIDs, Repeats: len(readings), Seconds: newQuantity(elapsed),
		Counts: []Count{}, Metrics: []Metric{}, Notes: []string{}}
	if len(b.Options.Command) > 0 {
		r.Command = &Command{Args: b.Options.Command}
	}
	if b.Options.All {
		cpus := b.Options.CPUs
		if cpus == nil {
			cpus = b.Online
		}
		r.CPUs = pmu.FormatCPUList(cpus)
	}
	rows := make([][]counting.Row, len(readings))
	per := make([]rates, len(readings))
	for i, reading := range readings {
		rows[i] = counting.Aggregate(len(b.Terms), reading.Counters, reading.Counts, b.By, b.CPUs)
		per[i] = b.rates(reading, rows[i])
	}
	keys, byKey := collectRows(rows)
	for _, k := range keys {
		r.Counts = append(r.Counts, b.count(k, byKey[k], per))
	}
	if b.Source.Name != "" {
		r.Source = &Source{Name: b.Source.Name, Measured: b.Source.Measured}
		e := b.energy(readings, per)
		if b.By == counting.Total {
			b.perInstruction(e, keys, byKey, per)
		}
		if b.Source.Measured {
			r.Energy = e
		} else {
			r.Model = e
		}
	}
	r.Metrics = append(r.Metrics, b.instructionsPerCycle(keys, byKey)...)
	r.Metrics = append(r.Metrics, b.derived(readings, per)...)
	return r
}

// rates finds out what a repeat's values are divided by.
func (b *Builder) rates(reading counting.Reading, rows []counting.Row) rates {
	per := rates{seconds: reading.Seconds(), cpuSeconds: unknown}
	for d, joules := range reading.Joules {
		if reading.Failed != nil && reading.Failed[d] != nil {
			joules = unknown
		}
		per.domains = append(per.domains, joules)
	}
	for _, row := range rows {
		if b.Terms[row.Term].Clock && row.State == counting.Counted && row.Value > 0 && b.By == counting.Total && !b.Options.All {
			per.cpuSeconds = row.Value / 1e9
			break
		}
	}
	return per
}

// joules are those of the domains that do not overlap, of one socket or (-1) of all.
func (b *Builder) joules(per rates, socket int) float64 {
	sum, any := 0.0, false
	for i, d := range b.Source.Domains {
		if d.Sum && (socket < 0 || d.Package == socket) {
			sum += per.domains[i]
			any = true
		}
	}
	if !any {
		return unknown
	}
	return sum
}

// count is the line of one event at one place.
func (b *Builder) count(k countKey, rows []*counting.Row, per []rates) Count {
	term := b.Terms[k.term]
	c := Count{Event: term.Name, Where: placeName(k.where, b.By), PMUs: term.PMUs, Unit: term.Unit, clock: term.Clock}
	if term.Label != "" {
		c.Event = term.Label
	}
	scale := 1.0
	if term.Scale > 0 {
		scale = term.Scale
	}
	if c.clock {
		c.Unit = "ns"
	}
	var values, shares []float64
	var perSecond, perCPU, joules ratio
	state, reported := counting.NotCounted, false
	for i, row := range rows {
		if row == nil || row.State != counting.Counted {
			values = append(values, unknown)
			if row != nil && !reported {
				state, reported = row.State, true
				if row.Err != nil {
					c.err, c.Reason = row.Err, b.Reason(row.Err)
				}
			}
			continue
		}
		v := row.Value * scale
		values = append(values, v)
		shares = append(shares, row.Share)
		perSecond.add(v, per[i].seconds)
		if !term.Uncore {
			perCPU.add(v, per[i].cpuSeconds)
		}
		c.UserOnly = c.UserOnly || row.UserOnly
		joules.add(b.joules(per[i], k.where.Socket), v)
	}
	c.Quantity = newQuantity(values)
	if !c.ok() {
		c.State = stateName(state)
		return c
	}
	c.State, c.err, c.Reason = stateName(counting.Counted), nil, ""
	c.Share = newQuantity(shares).Value
	c.PerSecond = perSecond.value()
	if !c.clock {
		c.PerCPUSecond = perCPU.value()
	}
	perPlace := b.By == counting.Total || b.By == counting.Socket
	if perPlace && b.Source.Measured && !c.clock && c.Unit != unitJoules {
		if joules.over > 0 {
			c.JoulesPerCount = joules.value()
		}
	}
	return c
}

// ratio is what all repeats together had of one thing for another. The mean of each repeat's own
// ratio would not go with the means that stand beside it, nor know what to do with a repeat of none.
type ratio struct{ over, under float64 }

// add takes a repeat in that knows both.
func (r *ratio) add(over, under float64) {
	if !math.IsNaN(over) && !math.IsNaN(under) {
		r.over += over
		r.under += under
	}
}

// value is nil where there is nothing to divide by.
func (r *ratio) value() *float64 {
	if r.under <= 0 {
		return nil
	}
	v := r.over / r.under
	return &v
}

// energy sums up the joules of the repeats.
func (b *Builder) energy(readings []counting.Reading, per []rates) *Energy {
	e := &Energy{Domains: []Domain{}}
	for i, d := range b.Source.Domains {
		var joules, watts []float64
		sd := Domain{Name: d.Name, Package: d.Package, CPUs: pmu.FormatCPUList(d.CPUs), InEnergy: d.Sum, label: domainLabel(d)}
		for j := range readings {
			joules = append(joules, per[j].domains[i])
			watts = append(watts, per[j].domains[i]/per[j].seconds)
			if failed := readings[j].Failed; failed != nil && failed[i] != nil && sd.Reason == "" {
				sd.Reason = b.Reason(failed[i])
			}
		}
		sd.Joules, sd.Watts = newQuantity(joules), newQuantity(watts)
		e.Domains = append(e.Domains, sd)
	}
	var joules, watts, delay []float64
	for _, p := range per {
		j := b.joules(p, -1)
		joules = append(joules, j)
		watts = append(watts, j/p.seconds)
		delay = append(delay, j*p.seconds)
	}
	e.Joules, e.Watts = newQuantity(joules), newQuantity(watts)
	if b.Options.Interval == 0 {
		q := newQuantity(delay)
		e.EnergyDelay = &q
	}
	return e
}
