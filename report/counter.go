package report

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/energyprof/energyprof/report/pprofile"
)

// Counter is an event that was counted beside the samples, and how its counts were shared out: an
// Attribution whose watts are counts per second, by the Data.Counters of the event.
type Counter struct {
	Name        string  // as in Data.Counters
	Scale       float64 // units per count; 0 if there are none
	Unit        string  // "MiB"
	Attribution Attribution
	Fit         *Fit // nil without a regression
}

// CounterSummary is a counter in a Summary. Its parts (Baseline to Idle, and the counts of all Functions, which are
// own and not cumulative ones) add up to Count, and so do the Domains.
type CounterSummary struct {
	Name  string   `json:"name"`
	Count int64    `json:"count"`
	Scale *float64 `json:"scale,omitempty"` // units per count, absent if the kernel gives none
	Unit  string   `json:"unit,omitempty"`
	Value *float64 `json:"value,omitempty"` // Count in units

	Domains     []CounterDomain    `json:"domains"`
	Attribution CounterAttribution `json:"attribution"`

	Baseline     int64 `json:"baseline"`     // what is counted whatever runs
	Active       int64 `json:"active"`       // what is counted while anything runs
	Other        int64 `json:"other"`        // processes that were not sampled
	Lost         int64 `json:"lost"`         // lost samples
	Unattributed int64 `json:"unattributed"` // what nothing explains
	Idle         int64 `json:"idle"`         // CPU time nobody used, method share only

	// Functions are those with a count or CPU time of their own, by Count, then CPUSeconds, both falling.
	Functions []CounterFunction `json:"functions"`
}

// CounterDomain is what was counted of a package and its CPUs, or of the machine.
type CounterDomain struct {
	Package int    `json:"package"`
	CPUs    string `json:"cpus"`
	Count   int64  `json:"count"`
}

// CounterAttribution is an Attribution whose rates, by domain, are counts per second.
type CounterAttribution struct {
	Method               string    `json:"method"`
	ValidationError      *float64  `json:"validation_error,omitempty"`
	ShareValidationError *float64  `json:"share_validation_error,omitempty"`
	BaselineRates        []float64 `json:"baseline_rates,omitempty"`
	BaselineFitted       []bool    `json:"baseline_fitted,omitempty"`
	ActiveRates          []float64 `json:"active_rates,omitempty"`
}

// CounterFunction is a function of a process: Count is its own, Low and High the 95 % interval of it, absent where
// the method gives none, and Rate counts per second of its CPU time, absent without any.
type CounterFunction struct {
	Name            string   `json:"name"`
	Process         string   `json:"process"`
	CPUSeconds      float64  `json:"cpu_seconds"`
	Count           int64    `json:"count"`
	Low             *int64   `json:"count_low,omitempty"`
	High            *int64   `json:"count_high,omitempty"`
	Group           string   `json:"group,omitempty"`
	Rate            *float64 `json:"rate,omitempty"`
	CountCumulative int64    `json:"count_cumulative"`
}

// counted is the counts of a counter in the integers of the profile.
type counted struct {
	series     []pprofile.Counter // of Data
	functions  []*function        // whose uj are counts
	intervalOf map[rowID]interval
}

// sumCounters sums the built profile up for each counter.
func (r *Recording) sumCounters() []counted {
	var all []counted
	for _, counter := range r.Counters {
		in := func(c pprofile.Counter) bool { return c.Event == counter.Name }
		from := max(0, slices.IndexFunc(r.Data.Counters, in))
		to := from
		for to < len(r.Data.Counters) && in(r.Data.Counters[to]) {
			to++
		}
		c := counted{series: r.Data.Counters[from:to]}
		v := values{energy: sampleType(r.built, validUTF8(counter.Name), "count"), cpu: sampleType(r.built, "cpu", "nanoseconds"), count: -1}
		c.functions = functions(r.built, v)
		slices.SortFunc(c.functions, byEnergy)
		every := make([]bool, to-from)
		for i := range every {
			every[i] = true
		}
		c.intervalOf = counter.Fit.intervals(r.Data.Stacks, func(s *pprofile.Stack) []float64 {
			if len(s.Counts) == 0 {
				return nil
			}
			return s.Counts[from:to]
		}, every)
		all = append(all, c)
	}
	return all
}

// whole gives the interval of a row around its count.
func (in interval) whole(count int64) (low, high int64) {
	return int64(math.Floor(max(0, float64(count)-in.below))), int64(math.Ceil(float64(count) + in.above))
}

// counterSummaries are the counters of the summary.
func (r *Recording) counterSummaries() []CounterSummary {
	var all []CounterSummary
	for i, counter := range r.Counters {
		a := counter.Attribution
		s := CounterSummary{Name: counter.Name, Unit: counter.Unit, Domains: []CounterDomain{}, Functions: []CounterFunction{},
			Attribution: CounterAttribution{Method: string(a.Method), ValidationError: a.ValidationError, ShareValidationError: a.ShareValidationError,
				BaselineRates: a.BaselineWatts, BaselineFitted: a.BaselineFitted, ActiveRates: a.ActiveWatts}}
		for _, d := range r.counted[i].series {
			n := int64(math.Round(d.Counts))
			s.Count += n
			s.Domains = append(s.Domains, CounterDomain{d.Package, d.CPUs, n})
		}
		if counter.Scale > 0 {
			value := float64(s.Count) * counter.Scale
			s.Scale, s.Value = &counter.Scale, &value
		}
		s.add(&r.counted[i])
		all = append(all, s)
	}
	return all
}

// add fills in the functions and what belongs to none.
func (s *CounterSummary) add(c *counted) {
	fields := map[string]*int64{
		pprofile.Baseline: &s.Baseline, pprofile.Active: &s.Active, pprofile.Other: &s.Other,
		pprofile.Lost: &s.Lost, pprofile.Unattributed: &s.Unattributed, pprofile.Idle: &s.Idle,
	}
	for _, f := range c.functions {
		if f.synthetic {
			if field := fields[f.name]; field != nil { // pprofile.Prefetch has joules and no counts
				*field += f.uj
			}
			continue
		}
		if f.uj == 0 && f.ns == 0 {
			continue
		}
		out := CounterFunction{Name: f.name, Process: f.process, CPUSeconds: float64(f.ns) / 1e9, Count: f.uj, CountCumulative: f.ujCum}
		if f.ns > 0 {
			rate := float64(f.uj) / out.CPUSeconds
			out.Rate = &rate
		}
		if in, ok := c.intervalOf[rowID{f.name, f.process}]; ok {
			low, high := in.whole(f.uj)
			out.Low, out.High, out.Group = &low, &high, in.group
		}
		s.Functions = append(s.Functions, out)
	}
}

// counterComment begins the comments of a profile that keep a counter's unit and the intervals of its functions.
// pprof shows no comment that begins with "#".
const counterComment = "#counter "

// keptCounter is a counter in a comment.
type keptCounter struct {
	Name      string      `json:"name"`
	Scale     float64     `json:"scale,omitempty"`
	Unit      string      `json:"unit,omitempty"`
	Intervals []keptCount `json:"intervals,omitempty"`
}

// keptCount is the interval of a row that has that count: in a profile that was merged or filtered it has another.
type keptCount struct {
	Name    string `json:"name"`
	Process string `json:"process"`
	Count   int64  `json:"count"`
	Low     int64  `json:"low"`
	High    int64  `json:"high"`
	Group   string `json:"group,omitempty"`
}

// counterComments keep what the sample types cannot.
func (r *Recording) counterComments() []string {
	var comments []string
	for i, counter := range r.Counters {
		k := keptCounter{Name: validUTF8(counter.Name), Scale: counter.Scale, Unit: counter.Unit}
		for _, f := range r.counted[i].functions {
			in, ok := r.counted[i].intervalOf[rowID{f.name, f.process}]
			if !ok || f.synthetic {
				continue
			}
			low, high := in.whole(f.uj)
			k.Intervals = append(k.Intervals, keptCount{f.name, f.process, f.uj, low, high, in.group})
		}
		text, err := json.Marshal(k)
		if err != nil {
			continue // no number that JSON has
		}
		comments = append(comments, counterComment+string(text))
	}
	return comments
}

// counterLines say for people what a counter counted and how that was shared out.
func (r *Recording) counterLines(i int) []string {
	counter := &r.Counters[i]
	var lines []string
	for _, d := range r.Data.Counters {
		if d.Event == counter.Name {
			lines = append(lines, fmt.Sprintf("counts of %s: %.0f, package %d (CPUs %s)", counter.Name, d.Counts, d.Package, d.CPUs))
		}
	}
	return append(lines, counter.Attribution.countText(counter.Name)...)
}

// countText is how the counts of an event were shared out, in a line or two.
func (a Attribution) countText(name string) []string {
	lines := []string{fmt.Sprintf("attribution of %s: %s%s", name, a.Method, a.static(perSecond))}
	if text := a.validation(); text != "" {
		lines = append(lines, text)
	}
	return lines
}

// perSecond is a rate of counts.
func perSecond(v float64) string {
	return quantity(v, "/s", []string{"u", "m", "", "k", "M", "G", "T"})
}
