package collect

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report"
	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/attribution/simulate"
	"github.com/energyprof/energyprof/report/pprofile"
)

// counterOf is a counter of the machine of a trace, whose watts are counts per second.
func counterOf(tr *simulate.Trace) rapl.CountedEvent {
	event := rapl.CountedEvent{Name: "uncore_cxlcm/event=0x41/", Scale: lineBytes, Unit: "Bytes"}
	for _, s := range tr.Series {
		event.Domains = append(event.Domains, rapl.Domain{Name: event.Name, Package: s.Package, CPUs: s.CPUs, Unit: 1})
	}
	return event
}

// playCounter gives a collector what a recording of the machine on all CPUs would have delivered. Function f has the
// name and the address of names[f].
func playCounter(t *testing.T, tr *simulate.Trace, names []string) *report.Recording {
	t.Helper()
	const text = 0x1000
	m := &pprofile.Mapping{Start: text, Limit: text + 0x1000, File: "/bin/app"}
	past := &Past{Locations: make([]*pprofile.Location, len(newLocations().list))} // the frames that are no places come first
	var samples []simulate.Stretch
	for _, s := range tr.Stretches {
		if s.Key >= 0 {
			samples = append(samples, s)
		}
	}
	slices.SortStableFunc(samples, func(a, b simulate.Stretch) int { return cmp.Compare(a.End, b.End) })
	seen := map[attribution.Key]bool{}
	for _, s := range samples {
		if !seen[s.Key] {
			seen[s.Key] = true
			past.Locations = append(past.Locations, &pprofile.Location{Address: text + uint64(s.Key), Mapping: m,
				Lines: []pprofile.Frame{{Function: names[s.Key]}}})
		}
	}
	c, err := New(Options{SystemWide: true, Past: past, Events: []Event{{Name: "cpu-clock", Clock: true}},
		Counters: []rapl.CountedEvent{counterOf(tr)}, CounterMethod: attribution.Auto})
	if err != nil {
		t.Fatal(err)
	}
	c.Record(&perfring.Comm{PID: 7, TID: 7, Name: []byte("app"), Exec: true}, 0, -1)
	c.Record(&perfring.Mmap2{PID: 7, TID: 7, Addr: text, Len: m.Limit - text, Filename: []byte(m.File)}, 0, -1)
	next := make([]int, len(tr.Readings))
	readings := func(until int64) {
		for i, rs := range tr.Readings {
			for ; next[i] < len(rs) && rs[next[i]].T < until; next[i]++ {
				c.Count(i, rs[next[i]].T, math.Round(rs[next[i]].Joules))
			}
		}
		c.Advance(until)
	}
	const tick = 250 * ms
	until := int64(tick)
	for _, s := range samples {
		for ; s.End >= until; until += tick {
			readings(until)
		}
		c.Record(&perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser}, PID: 7, TID: 7, Time: uint64(s.End),
			Period: uint64(s.Weight), IP: text + uint64(s.Key)}, int(s.CPU), 0)
	}
	readings(math.MaxInt64)
	if b := c.Books(); b.Refused > 0 {
		t.Fatalf("%d values refused: %v", b.Refused, b.Err)
	}
	return c.Finish()
}

// Functions of known bytes per second, on machines with traffic of other devices beside them: from samples and a
// counter to the bytes of each function, all the way to the profile that is read back.
func TestBytesPerFunction(t *testing.T) {
	const mega = 1e6 / lineBytes // counts per second
	names := []string{"copy", "chase", "compute"}
	for _, tt := range []struct {
		name      string
		packages  []simulate.Package
		functions []simulate.Function
	}{
		{"two functions", []simulate.Package{{CPUs: 4, Busy: 0.6, Static: 400 * mega}},
			[]simulate.Function{{Watts: 3200 * mega, Share: 1, Burst: 20 * time.Millisecond}, {Watts: 400 * mega, Share: 1, Burst: 20 * time.Millisecond}}},
		{"and one that moves nothing", []simulate.Package{{CPUs: 4, Busy: 0.6, Static: 400 * mega}, {CPUs: 4, Busy: 0.4, Static: 100 * mega}},
			[]simulate.Function{{Watts: 3200 * mega, Share: 1, Burst: 20 * time.Millisecond}, {Watts: 1100 * mega, Share: 1, Burst: 15 * time.Millisecond},
				{Watts: 0, Share: 2, Burst: 15 * time.Millisecond}}},
	} {
		for seed := range uint64(3) {
			tr, err := simulate.Record(simulate.Machine{Packages: tt.packages, Functions: tt.functions},
				simulate.Instruments{Duration: 15 * time.Second, ReadEvery: 10 * time.Millisecond, ReadJitter: 200 * time.Microsecond, Unit: 1, Hertz: 997}, seed)
			if err != nil {
				t.Fatal(err)
			}
			r := playCounter(t, tr, names)
			p, err := r.Profile()
			if err != nil {
				t.Fatal(err)
			}
			counts, err := report.ReadCounts(p, "uncore_cxlcm/event=0x41/", report.ByFunction)
			if err != nil {
				t.Fatal(err)
			}
			var all int64
			truth := make([]float64, len(tt.functions))
			static := 0.0
			for i, s := range tr.Truth.Series {
				readings := tr.Readings[i]
				all += int64(math.Round(readings[len(readings)-1].Joules)) - int64(math.Round(readings[0].Joules))
				static += s.Baseline
				for f := range s.Functions {
					truth[f] += s.Functions[f].Joules
				}
			}
			if counts.Count != all {
				t.Errorf("%s, seed %d: the profile has %d counts, the counter %d", tt.name, seed, counts.Count, all)
			}
			got := map[string]report.CountRow{}
			for _, row := range counts.Rows {
				got[row.Name] = row
			}
			for f, want := range truth {
				row := got[names[f]]
				t.Logf("%s, seed %d: %s %d counts, truth %.0f", tt.name, seed, names[f], row.Count, want)
				if off := math.Abs(float64(row.Count) - want); off > 0.02*max(want, truth[1]) {
					t.Errorf("%s, seed %d: %s has %.4g bytes, truth %.4g", tt.name, seed, names[f], float64(row.Count)*lineBytes, want*lineBytes)
				}
				if row.Low == nil || *row.Low > row.Count || *row.High < row.Count {
					t.Errorf("%s, seed %d: %s has no interval: %+v", tt.name, seed, names[f], row)
				}
			}
			if off := math.Abs(float64(got["[baseline]"].Count) - static); off > 0.01*float64(all) {
				t.Errorf("%s, seed %d: baseline of %d counts, truth %.0f", tt.name, seed, got["[baseline]"].Count, static)
			}
			if c := r.Counters[0].Attribution; c.Method != attribution.Regression || c.ValidationError == nil || *c.ShareValidationError < 3**c.ValidationError {
				t.Errorf("%s, seed %d: %+v", tt.name, seed, c)
			}
		}
	}
}

// Counters of a file may be anything.
func TestCountersRefused(t *testing.T) {
	domain := rapl.Domain{Name: "page-faults", CPUs: []int{0}}
	for want, opt := range map[string]Options{
		`the counter "page-faults" has no series`: {CounterMethod: attribution.Auto, Counters: []rapl.CountedEvent{{Name: "page-faults"}}},
		`there are two counters "page-faults"`: {CounterMethod: attribution.Auto, Counters: []rapl.CountedEvent{{Name: "page-faults", Domains: []rapl.Domain{domain}},
			{Name: "page-faults", Domains: []rapl.Domain{domain}}}},
		"unknown method": {Counters: []rapl.CountedEvent{{Name: "page-faults", Domains: []rapl.Domain{domain}}}},
		"has no CPUs":    {CounterMethod: attribution.Auto, Counters: []rapl.CountedEvent{{Name: "page-faults", Domains: []rapl.Domain{{Name: "page-faults"}}}}},
		`counter name "cpu-clock" is taken`: {CounterMethod: attribution.Auto, Events: []Event{{Name: "cycles"}, {Name: "cpu-clock"}},
			Counters: []rapl.CountedEvent{{Name: "cpu-clock", Domains: []rapl.Domain{domain}}}},
	} {
		if opt.Events == nil {
			opt.Events = []Event{{Name: "cpu-clock", Clock: true}}
		}
		if _, err := New(opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
