package counting

import (
	"errors"
	"testing"

	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
)

// meter is a source whose readings are written down.
type meter struct {
	joules  [][]float64
	moments []rapl.Moment
	errs    []error
	at      int
}

func (m *meter) Info() rapl.Info {
	return rapl.Info{Domains: make([]rapl.Domain, len(m.joules[0]))}
}

func (m *meter) Read(joules []float64) (rapl.Moment, error) {
	i := m.at
	m.at++
	copy(joules, m.joules[i])
	return m.moments[i], m.errs[i]
}

func (m *meter) Close() error { return nil }

// A domain that could not be read, or whose counter could not be followed, has no joules in
// the stretches that it concerns, and has them again in those that it does not.
func TestEnergyThatFailed(t *testing.T) {
	gone := errors.New("gone")
	const readings = 5
	m := &meter{
		joules:  [][]float64{{0, 0}, {1, 10}, {2, 10}, {3, 30}, {4, 30}},
		moments: make([]rapl.Moment, readings), errs: make([]error, readings),
	}
	m.moments[2].Failed = []error{nil, gone} // stands as before
	m.moments[4].Dropped = 1
	r := &repetition{count: &count{opt: Options{Energy: m}, result: &Result{}}}
	if err := r.begin(); err != nil {
		t.Fatal(err)
	}
	points := []point{r.first}
	for range readings - 1 {
		points = append(points, r.read(0))
	}
	for _, test := range []struct {
		from, to int
		joules   [2]float64
		failed   [2]error
	}{
		{0, 1, [2]float64{1, 10}, [2]error{}},
		{1, 2, [2]float64{1, 0}, [2]error{nil, gone}},
		{2, 3, [2]float64{1, 20}, [2]error{nil, gone}}, // of more than this stretch
		{1, 3, [2]float64{2, 20}, [2]error{}},
		{0, 3, [2]float64{3, 30}, [2]error{}},
		{3, 4, [2]float64{1, 0}, [2]error{nil, errLost}},
		{0, 4, [2]float64{4, 30}, [2]error{nil, errLost}},
	} {
		got := r.reading(points[test.from], points[test.to])
		for i := range test.joules {
			var failed error
			if got.Failed != nil {
				failed = got.Failed[i]
			}
			if got.Joules[i] != test.joules[i] || failed != test.failed[i] {
				t.Errorf("domain %d from reading %d to %d: %g J, %v; want %g J, %v", i, test.from, test.to, got.Joules[i], failed, test.joules[i], test.failed[i])
			}
		}
	}
}

func TestSince(t *testing.T) {
	for _, test := range []struct{ from, to, want perfring.Count }{
		{ran(0, 0, 0), ran(5, 100, 50), ran(5, 100, 50)},
		{ran(5, 100, 50), ran(9, 300, 60), ran(4, 200, 10)},
		{ran(5, 100, 50), ran(5, 100, 50), ran(0, 0, 0)},
		{ran(5, 100, 50), ran(3, 200, 150), ran(0, 100, 0)}, // no counter
	} {
		if got := since(test.from, test.to); got != test.want {
			t.Errorf("from %v to %v: %v, want %v", test.from, test.to, got, test.want)
		}
	}
}
