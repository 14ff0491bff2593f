package benchenergy

import (
	"flag"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/energyprof/energyprof/rapl"
)

// Meter measures one benchmark.
type Meter struct {
	b      *testing.B
	info   rapl.Info
	source rapl.Source // nil: there is none, and nothing is reported

	begin   []edge
	started time.Time
	stopped bool

	reading sync.Mutex // a source is for one goroutine at a time
	joules  []float64
	broken  error // why the joules are not known
	quit    chan struct{}
	done    sync.WaitGroup
}

// edge is a moment at which the counter of a domain moved.
type edge struct {
	time   int64 // ns of CLOCK_MONOTONIC
	joules float64
	sharp  bool // it was seen to move
}

const (
	// maxWait is how long a counter may take to move before it is taken as it is.
	maxWait = 20 * time.Millisecond
	// keepUp is how often the counters are read meanwhile: registers of 32 bits wrap after some minutes.
	keepUp = 10 * time.Second
	// maxPaused is which share of the time the benchmark's timer may have stood still, beside slack: to start and stop it
	// takes a look at the heap, and either may be preempted.
	maxPaused = 0.02
	slack     = 10 * time.Millisecond
)

// start starts to measure with a source that is the meter's to close.
func start(b *testing.B, src rapl.Source) *Meter {
	m := &Meter{b: b, source: src, info: src.Info(), quit: make(chan struct{})}
	m.joules = make([]float64, len(m.info.Domains))
	b.Cleanup(m.end)
	m.begin = m.edges()
	m.done.Go(m.follow)
	b.ResetTimer()
	m.started = time.Now()
	return m
}

// Stop stops to measure, and the timer with it, and reports the metrics. Only the first call does anything.
func (m *Meter) Stop() {
	if m.source == nil || m.stopped {
		return
	}
	m.stopped = true
	m.b.Helper()
	timed, passed := m.b.Elapsed(), time.Since(m.started)
	m.b.StopTimer()
	end := m.edges()
	if err := m.report(end, timed, passed); err != nil && last(m.b) {
		m.b.Logf("benchenergy: no J/op: %v", err)
	}
}

// end is the end of the benchmark.
func (m *Meter) end() {
	if !m.b.Failed() && !m.b.Skipped() {
		m.Stop()
	}
	close(m.quit)
	m.done.Wait()
	if err := m.source.Close(); err != nil {
		m.b.Errorf("benchenergy: closing %s: %v", m.info.Name, err)
	}
}

// follow reads the counters now and then, so that none wraps unseen.
func (m *Meter) follow() {
	tick := time.NewTicker(keepUp)
	defer tick.Stop()
	for {
		select {
		case <-m.quit:
			return
		case <-tick.C:
			m.read()
		}
	}
}

// read reads the counters; when is in ns of CLOCK_MONOTONIC.
func (m *Meter) read() (joules []float64, when int64) {
	m.reading.Lock()
	defer m.reading.Unlock()
	moment, err := m.source.Read(m.joules)
	for i, failed := range moment.Failed {
		if failed != nil && err == nil {
			err = fmt.Errorf("%s: %w", m.info.Domains[i], failed)
		}
	}
	if moment.Dropped > 0 && err == nil {
		err = fmt.Errorf("a counter of %s could not be followed", m.info.Name)
	}
	if err != nil && m.broken == nil {
		m.broken = err
	}
	return append([]float64(nil), m.joules...), moment.Before + (moment.After-moment.Before)/2
}

// edges waits for the counter of each domain to move. A counter shows what was spent until it moved last, up to some
// milliseconds ago: only the moment of a move has a known energy.
func (m *Meter) edges() []edge {
	first, when := m.read()
	out := make([]edge, len(first))
	missing := 0
	for i := range out {
		out[i] = edge{time: when, joules: first[i]}
		if m.info.Domains[i].Sum {
			missing++
		}
	}
	for limit := time.Now().Add(maxWait); missing > 0 && m.broken == nil && time.Now().Before(limit); {
		now, when := m.read()
		for i := range out {
			if !out[i].sharp && now[i] > out[i].joules {
				out[i] = edge{when, now[i], true}
				if m.info.Domains[i].Sum {
					missing--
				}
			}
		}
	}
	return out
}

// report reports the metrics: timed is what the benchmark's timer says, passed the time from start to stop. The error is why
// there are none.
func (m *Meter) report(end []edge, timed, passed time.Duration) error {
	if m.broken != nil {
		return m.broken
	}
	watts, err := power(m.info, m.begin, end, timed, passed)
	if err != nil {
		return err
	}
	prefix := ""
	if !m.info.Measured {
		prefix = "model-"
	}
	each := watts * timed.Seconds() / float64(m.b.N)
	m.b.ReportMetric(each, prefix+"J/op")
	m.b.ReportMetric(each*1e9, prefix+"nJ/op")
	m.b.ReportMetric(watts, prefix+"W")
	return nil
}

// power is the power, in W, of the domains that can be summed, from the last move of their counters before the loop to the
// first one behind it. The error is why that is not the power of the loop.
func power(info rapl.Info, begin, end []edge, timed, passed time.Duration) (float64, error) {
	if paused := passed - timed; paused.Abs() > slack+time.Duration(maxPaused*float64(passed)) {
		return 0, fmt.Errorf("the benchmark's timer ran for %v of the %v that were measured: Start belongs right before the loop, Stop right behind it, and the timer must not stop in between",
			timed.Round(time.Microsecond), passed.Round(time.Microsecond))
	}
	watts, sharp := 0.0, true
	for i, d := range info.Domains {
		if !d.Sum {
			continue
		}
		seconds := float64(end[i].time-begin[i].time) / 1e9
		if seconds <= 0 {
			return 0, fmt.Errorf("%s: no time passed between two readings", d)
		}
		watts += (end[i].joules - begin[i].joules) / seconds
		sharp = sharp && begin[i].sharp && end[i].sharp
	}
	shortest := MinTime
	if !sharp {
		shortest = MinTimeSlow
	}
	if timed < shortest {
		return 0, fmt.Errorf("the loop took %v: the counters of %s are too slow for less than %v (see -benchtime)", timed.Round(time.Microsecond), info.Name, shortest)
	}
	if watts <= 0 {
		return 0, fmt.Errorf("the counters of %s did not move", info.Name)
	}
	return watts, nil
}

// last tells whether this run of a benchmark is the one whose result counts: package testing makes shorter ones before,
// to find out how many operations the time takes, and those are too short to say anything.
func last(b *testing.B) bool {
	f := flag.Lookup("test.benchtime")
	if f == nil {
		return true
	}
	text := f.Value.String()
	if n, ok := strings.CutSuffix(text, "x"); ok {
		want, err := strconv.Atoi(n)
		return err != nil || b.N == want
	}
	want, err := time.ParseDuration(text)
	return err != nil || b.Elapsed() >= want || b.N >= 1e9
}
