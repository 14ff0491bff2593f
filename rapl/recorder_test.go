package rapl

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/energyprof/energyprof/perfring"
)

const (
	simID    = 7 // of the leader
	simScale = 1e-6
)

// sim is a source with a group beside it on a clock of its own: the two count
// the same energy, unless the group is stopped.
type sim struct {
	now     int64
	joules  []float64
	counts  []uint64
	stopped bool    // the group's counters stand still
	dropped int     // of the next reading
	failed  []error // of all readings
	err     error
	width   int64  // ns that a reading takes
	preempt func() // comes between the next reading and that of the group
}

func (s *sim) Info() Info {
	info := Info{Name: "sim", Measured: true}
	for i := range s.joules {
		info.Domains = append(info.Domains, Domain{Name: "package", Package: i, Unit: simScale, Sum: true})
	}
	return info
}

func (s *sim) Read(joules []float64) (Moment, error) {
	if s.err != nil {
		return Moment{}, s.err
	}
	copy(joules, s.joules)
	m := Moment{Before: s.now, After: s.now + s.width, Dropped: s.dropped, Failed: s.failed}
	s.dropped = 0
	if s.preempt != nil {
		s.preempt()
	}
	return m, nil
}

func (s *sim) Close() error { return nil }

func (s *sim) pass(d time.Duration, watts float64) {
	s.now += int64(d)
	for i := range s.joules {
		grown := math.Round(watts*float64(i+1)*d.Seconds()/simScale) * simScale
		s.joules[i] += grown
		if !s.stopped {
			s.counts[i] += uint64(math.Round(grown / simScale))
		}
	}
}

// stamp is what the kernel would write now.
func (s *sim) stamp() *perfring.Sample {
	sample := &perfring.Sample{ID: simID, Time: uint64(s.now), Read: []perfring.ReadValue{{ID: simID, Value: uint64(s.now)}}}
	for i, c := range s.counts {
		sample.Read = append(sample.Read, perfring.ReadValue{ID: uint64(100 + i), Value: c})
	}
	return sample
}

// newSim gives a recorder of n domains with stamps, started.
func newSim(t testing.TB, n int) (*sim, *Recorder) {
	s := &sim{now: 1e9, joules: make([]float64, n), counts: make([]uint64, n)}
	for i := range n {
		s.joules[i], s.counts[i] = 1000*float64(i), 77
	}
	r := NewRecorder(s, 10*time.Millisecond)
	g := &group{counts: func(dst []perfring.Count) ([]perfring.Count, error) {
		for i, c := range s.counts {
			dst = append(dst, perfring.Count{ID: uint64(100 + i), Value: c})
		}
		return dst, nil
	}}
	for i := range n {
		g.members = append(g.members, member{id: uint64(100 + i), domain: i, scale: simScale})
	}
	r.groups = map[uint64]*group{simID: g}
	r.clock = func() (int64, error) { return s.now + s.width, nil }
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	return s, r
}

type series struct {
	t      []int64
	joules []float64
}

// take adds what is ready to the series of each domain and holds it to the
// promises that need no knowledge of the energy.
func take(t interface{ Fatalf(string, ...any) }, r *Recorder, watermark int64, out []series) {
	last := int64(math.MinInt64)
	r.Take(watermark, func(d int, ns int64, joules float64) {
		s := &out[d]
		if n := len(s.t); n == 0 && joules != 0 || n > 0 && (ns <= s.t[n-1] || joules < s.joules[n-1]) {
			t.Fatalf("domain %d: point %d is (%d, %v) behind %v", d, n, ns, joules, *s)
		}
		if ns < last || ns >= watermark {
			t.Fatalf("point at %d behind %d, watermark %d", ns, last, watermark)
		}
		last = ns
		s.t, s.joules = append(s.t, ns), append(s.joules, joules)
	})
}

// A reader that is preempted between the counters and those of the stamps reads them
// again: else the stamps up to the next anchor would lack what passed meanwhile.
func TestRecorderPreempted(t *testing.T) {
	s, r := newSim(t, 1)
	out := make([]series, 1)
	for k := range 4 {
		for range 25 {
			s.pass(10*time.Millisecond, 30)
			r.Stamp(s.stamp())
		}
		s.preempt = func() {
			s.pass(9*time.Millisecond, 30)
			s.preempt = nil
			s.dropped = k / 2
		}
		if err := r.Poll(); err != nil {
			t.Fatal(err)
		}
	}
	s.pass(time.Millisecond, 30)
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	take(t, r, math.MaxInt64, out)
	for i, ns := range out[0].t {
		if want := 30 * float64(ns-out[0].t[0]) * 1e-9; math.Abs(out[0].joules[i]-want) > 1e-9 {
			t.Fatalf("%v J at %d, want %v", out[0].joules[i], ns, want)
		}
	}
	// What the second reading drops is not forgotten.
	if b := r.Books(); b.Switched != "" || b.Polls != 6 || b.Dropped != 2 {
		t.Errorf("%+v", b)
	}
}

func TestRecorderStamps(t *testing.T) {
	s, r := newSim(t, 2)
	out := make([]series, 2)
	for range 4 {
		for range 25 {
			s.pass(10*time.Millisecond, 30)
			r.Stamp(s.stamp())
		}
		s.pass(3*time.Millisecond, 30)
		if err := r.Poll(); err != nil {
			t.Fatal(err)
		}
		take(t, r, s.now, out)
	}
	if r.Every() != anchorEvery {
		t.Errorf("every %v with stamps, want %v", r.Every(), anchorEvery)
	}
	s.pass(time.Millisecond, 30)
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	take(t, r, math.MaxInt64, out)
	b := r.Books()
	if b.Switched != "" || b.Stamps != 200 || b.Polls != 6 || b.Discarded != 0 || b.ZeroDeltas != 0 {
		t.Errorf("%+v", b)
	}
	for d, o := range out {
		if len(o.t) != 1+4*26+1 {
			t.Errorf("domain %d has %d points", d, len(o.t))
		}
		for i, ns := range o.t {
			if want := 30 * float64(d+1) * float64(ns-o.t[0]) * 1e-9; math.Abs(o.joules[i]-want) > 1e-9 {
				t.Fatalf("domain %d: %v J at %d, want %v", d, o.joules[i], ns, want)
			}
		}
	}
}

func TestRecorderFaults(t *testing.T) {
	for _, c := range []struct {
		name, switched string
		fault          func(s *sim, r *Recorder)
		lost           int // stamps of 75 that are not used
	}{
		{"none", "", func(*sim, *Recorder) {}, 0},
		{"throttled", "throttled", func(s *sim, r *Recorder) { r.Throttled(simID, s.now) }, 50},
		{"another event throttled", "", func(s *sim, r *Recorder) { r.Throttled(8, s.now) }, 0},
		{"group stops", "grew by", func(s *sim, r *Recorder) { s.stopped = true }, 50},
		{"group counts twice", "grew by", func(s *sim, r *Recorder) { s.counts[0] += 4e6 }, 50},
		{"stamp without its counter", "lacks", func(s *sim, r *Recorder) { r.Stamp(&perfring.Sample{ID: simID, Time: uint64(s.now)}) }, 50},
		{"count goes back", "went back", func(s *sim, r *Recorder) {
			early := s.stamp()
			early.Time, early.Read[1].Value = uint64(s.now-1e6), early.Read[1].Value+5e6
			r.Stamp(early)
		}, 50},
		{"source drops an interval", "", func(s *sim, r *Recorder) { s.dropped = 1; s.counts[0] += 1e12 }, 25},
	} {
		s, r := newSim(t, 1)
		out := make([]series, 1)
		for stretch := range 3 {
			for i := range 25 {
				s.pass(10*time.Millisecond, 20)
				if stretch == 1 && i == 12 {
					c.fault(s, r)
				}
				r.Stamp(s.stamp())
			}
			s.pass(time.Millisecond, 20)
			if err := r.Poll(); err != nil {
				t.Fatal(err)
			}
			take(t, r, s.now+1, out)
		}
		if err := r.Stop(); err != nil {
			t.Fatal(err)
		}
		take(t, r, math.MaxInt64, out)
		b := r.Books()
		if c.switched == "" && b.Switched != "" || !strings.Contains(b.Switched, c.switched) {
			t.Errorf("%s: switched because %q, want %q", c.name, b.Switched, c.switched)
		}
		if b.Stamps != 75-c.lost || c.lost > 0 && b.Discarded < c.lost {
			t.Errorf("%s: %+v, want %d stamps lost", c.name, b, c.lost)
		}
		if last := out[0].joules[len(out[0].joules)-1]; math.Abs(last-3*0.251*20) > 1e-9 {
			t.Errorf("%s: %v J in all", c.name, last)
		}
		if want := map[bool]time.Duration{true: anchorEvery, false: 10 * time.Millisecond}[c.switched == ""]; r.Every() != want {
			t.Errorf("%s: polls every %v, want %v", c.name, r.Every(), want)
		}
	}
}

// A load in bursts draws far more than its mean: a counter that is read a
// millisecond late by the group differs by a millisecond of a burst, and where the
// burst began in that millisecond, no stamp has seen it yet.
func TestRecorderBursts(t *testing.T) {
	const burst = 25 // W
	for _, c := range []struct {
		name      string
		begins    int // interval of 25
		ends      int // interval of the next 25
		discarded int // of 100 stamps, besides those at an anchor
	}{
		{"seen", 20, 5, 0},
		{"begins at the anchor", 25, 5, 50},
		{"is over at the anchor", 25, 0, 100},
	} {
		s, r := newSim(t, 1)
		out := make([]series, 1)
		for k := range 4 {
			for i := range 25 {
				watts := 0.0
				if i >= c.begins || k%2 == 1 && i < c.ends {
					watts = burst
				}
				s.pass(10*time.Millisecond, watts)
				r.Stamp(s.stamp())
			}
			late := uint64(0)
			if k%2 == 0 {
				s.pass(1500*time.Microsecond, burst)
				late = uint64(1.5e-3 * burst / simScale)
			}
			s.counts[0] -= late
			if err := r.Poll(); err != nil {
				t.Fatal(err)
			}
			s.counts[0] += late
			take(t, r, s.now+1, out)
		}
		if b := r.Books(); b.Switched != "" || b.Discarded < c.discarded || b.Discarded > c.discarded+4 {
			t.Errorf("%s: %+v, want %d stamps discarded", c.name, b, c.discarded)
		}
	}
}

func TestRecorderGap(t *testing.T) {
	s, r := newSim(t, 1)
	out := make([]series, 1)
	for i := range 25 {
		s.pass(10*time.Millisecond, 20)
		if i < 10 || i > 19 {
			r.Stamp(s.stamp())
		}
	}
	if err := r.Poll(); err != nil {
		t.Fatal(err)
	}
	take(t, r, math.MaxInt64, out)
	if b := r.Books(); !strings.Contains(b.Switched, "no stamps came from CPU 0 for 110 ms") || b.Stamps != 0 {
		t.Errorf("%+v", b)
	}
}

// A counter that moves in whole joules gives a point when it moves, and one in
// 250 ms when it does not.
func TestRecorderZeroDeltas(t *testing.T) {
	s, r := newSim(t, 1)
	r.groups = nil
	out := make([]series, 1)
	for i := range 100 {
		s.now += 10e6
		if i == 49 {
			s.joules[0]++
		}
		if err := r.Poll(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	take(t, r, math.MaxInt64, out)
	if len(out[0].t) != 6 || out[0].t[2]-out[0].t[0] != 500e6 || out[0].joules[2] != 1 {
		t.Errorf("points %+v", out[0])
	}
	if b := r.Books(); b.ZeroDeltas != 100 || b.Polls != 102 {
		t.Errorf("%+v", b)
	}
}

func TestRecorderReadFails(t *testing.T) {
	s, r := newSim(t, 1)
	out := make([]series, 1)
	s.pass(time.Second, 10)
	s.err = errors.New("gone")
	if err := r.Poll(); !errors.Is(err, s.err) {
		t.Errorf("%v", err)
	}
	s.err = nil
	s.pass(time.Second, 10)
	if err := r.Poll(); err != nil {
		t.Fatal(err)
	}
	s.err = errors.New("gone")
	if err := r.Stop(); !errors.Is(err, s.err) {
		t.Errorf("%v", err)
	}
	take(t, r, math.MaxInt64, out)
	if n := len(out[0].joules); out[0].joules[n-1] != 20 {
		t.Errorf("%+v", out[0])
	}
}

// A domain that cannot be read for a while has no points there: it did not rest.
func TestRecorderFailsInPart(t *testing.T) {
	for _, stamped := range []bool{false, true} {
		s, r := newSim(t, 2)
		if !stamped {
			r.groups = nil
		}
		out := make([]series, 2)
		held := 0.0
		for k := range 4 {
			for range 25 {
				s.pass(10*time.Millisecond, 30)
				r.Stamp(s.stamp())
			}
			s.pass(time.Millisecond, 30)
			now := s.joules[1]
			if s.failed = nil; k == 1 || k == 2 {
				s.failed, s.joules[1] = []error{nil, errors.New("gone")}, held
			}
			if err := r.Poll(); err != nil {
				t.Fatal(err)
			}
			held, s.joules[1] = s.joules[1], now
			take(t, r, s.now+1, out)
		}
		for d, o := range out {
			for i, ns := range o.t {
				if want := 30 * float64(d+1) * float64(ns-o.t[0]) * 1e-9; math.Abs(o.joules[i]-want) > 1e-9 {
					t.Fatalf("stamps %v: domain %d: %v J at %d, want %v", stamped, d, o.joules[i], ns, want)
				}
			}
		}
		want := []int{5, 3}
		if stamped {
			want = []int{1 + 4*26, 1 + 26 + 1}
		}
		if got := []int{len(out[0].t), len(out[1].t)}; !slices.Equal(got, want) || stamped != r.stamping() {
			t.Errorf("stamps %v: %v points, want %v; books %+v", stamped, got, want, r.Books())
		}
	}
	s := &sim{joules: []float64{0, 0}, failed: []error{nil, errors.New("gone")}}
	if err := NewRecorder(s, 0).Start(); !errors.Is(err, s.failed[1]) {
		t.Errorf("Start with a domain that cannot be read: %v, want %v", err, s.failed[1])
	}
}

// Of the tries for an anchor the narrowest counts, and what they drop is in the books
// even if the next one fails.
func TestRecorderTries(t *testing.T) {
	s, r := newSim(t, 1)
	s.pass(250*time.Millisecond, 30)
	s.width, s.dropped = 3e6, 1
	s.preempt = func() {
		s.preempt = func() { s.preempt = nil; s.pass(9*time.Millisecond, 30) }
	}
	if err := r.Poll(); err != nil {
		t.Fatal(err)
	}
	if a := r.anchors[1]; a.width != 3e6 || math.Abs(a.joules[0]-7.5) > 1e-9 || !a.dropped {
		t.Errorf("kept %+v, want the first reading: 3 ms wide, 7.5 J, with a drop", a)
	}
	s.preempt = func() { s.err = errors.New("gone") }
	s.dropped = 1
	if err := r.Poll(); err != nil {
		t.Errorf("a try after a good one failed, and the anchor with it: %v", err)
	}
	if b := r.Books(); b.Polls != 3 || b.Dropped != 2 {
		t.Errorf("%+v, want 3 polls with 2 drops", b)
	}
}

func TestOpenStampsWithoutPerf(t *testing.T) {
	r := NewRecorder(&sim{joules: []float64{0}}, 0)
	if err := r.OpenStamps(func(int) *perfring.Event { return nil }); err == nil || r.Books().Switched != err.Error() {
		t.Errorf("%v, and the books say %q", err, r.Books().Switched)
	}
	if r.Every() != DefaultInterval || len(r.StampEvents()) != 0 {
		t.Errorf("every %v with %d stamp events", r.Every(), len(r.StampEvents()))
	}
}

// Whatever stamps, anchors and faults come in whatever order: the points of a
// domain rise from 0 to what the source counted from Start to Stop, and pass
// through every anchor.
func TestRecorderConserves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3).Draw(t, "domains")
		s := &sim{now: 1e9, joules: make([]float64, n), counts: make([]uint64, n), width: rapid.Int64Range(0, 5e6).Draw(t, "width")}
		r := NewRecorder(s, 10*time.Millisecond)
		g := &group{counts: func(dst []perfring.Count) ([]perfring.Count, error) {
			for i, c := range s.counts {
				dst = append(dst, perfring.Count{ID: uint64(100 + i), Value: c})
			}
			return dst, nil
		}}
		for i := range n {
			g.members = append(g.members, member{id: uint64(100 + i), domain: i, scale: simScale})
		}
		r.groups = map[uint64]*group{simID: g}
		r.clock = func() (int64, error) { return s.now + s.width, nil }
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
		start := append([]float64(nil), s.joules...)
		out := make([]series, n)
		type anchored struct {
			t      int64
			joules float64
		}
		anchors := []anchored{{s.now + s.width/2, 0}}
		poll := func() {
			if err := r.Poll(); err != nil {
				t.Fatal(err)
			}
			anchors = append(anchors, anchored{s.now + s.width/2, s.joules[0] - start[0]})
		}
		for range rapid.IntRange(0, 300).Draw(t, "steps") {
			s.pass(time.Duration(rapid.Int64Range(1, 30e6).Draw(t, "ns")), rapid.Float64Range(0, 300).Draw(t, "watts"))
			switch rapid.IntRange(0, 19).Draw(t, "what") {
			case 0, 1:
				poll()
			case 2:
				take(t, r, s.now, out)
			case 3:
				if rapid.IntRange(0, 9).Draw(t, "fault") == 0 {
					r.Throttled(simID, s.now)
				}
			case 4:
				s.stopped = rapid.IntRange(0, 9).Draw(t, "stop") == 0
			case 5:
				s.counts[rapid.IntRange(0, n-1).Draw(t, "domain")] = rapid.Uint64().Draw(t, "count")
			case 6:
				s.dropped = 1
			default:
				r.Stamp(s.stamp())
			}
		}
		s.pass(time.Millisecond, 1)
		if err := r.Stop(); err != nil {
			t.Fatal(err)
		}
		take(t, r, math.MaxInt64, out)
		for d, o := range out {
			if got, want := o.joules[len(o.joules)-1], s.joules[d]-start[d]; got != want {
				t.Fatalf("domain %d ends with %v J, the source with %v", d, got, want)
			}
			if o.t[len(o.t)-1] != s.now+s.width/2 {
				t.Fatalf("domain %d ends at %d, the last reading was at %d", d, o.t[len(o.t)-1], s.now+s.width/2)
			}
		}
		// Points between two anchors lie between their energies.
		for i, o := 0, out[0]; i < len(o.t); i++ {
			for k := 1; k < len(anchors); k++ {
				if a, b := anchors[k-1], anchors[k]; o.t[i] >= a.t && o.t[i] <= b.t && (o.joules[i] < a.joules || o.joules[i] > b.joules) {
					t.Fatalf("%v J at %d, outside of the anchors %+v and %+v", o.joules[i], o.t[i], a, b)
				}
			}
		}
	})
}
