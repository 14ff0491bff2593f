package rapl

import (
	"math/rand/v2"
	"testing"

	"github.com/energyprof/energyprof/perfring"
)

// A counter of constant rate has it in every interval, however long the reader took for its other counters and
// whoever interrupted it.
func TestCountsAreOfTheBeginning(t *testing.T) {
	const (
		interval = 10_000_000 // ns
		perUS    = 7          // counts
		origin   = 123_456_789
	)
	rng := rand.New(rand.NewPCG(1, 2))
	s := countSeries{}
	var last uint64
	for k := range int64(500) {
		began := origin + k*interval
		at := began
		var values []perfring.Count
		var done []int64
		for _, offset := range []int64{-origin / 2, 1000} { // of the counters' own clocks
			at += 1000 + rng.Int64N(20_000)
			if k%50 == 7 {
				at += 2_000_000 // somebody else ran
			}
			values = append(values, perfring.Count{Value: uint64(at-origin) * perUS / 1000, Enabled: uint64(at + offset)})
			at += 500 + rng.Int64N(5000)
			done = append(done, at)
		}
		if s.take(began, values, done) {
			t.Fatal("a counter could not be followed")
		}
		got := s.counted - s.later
		// The constant between the clocks is known to the shortest time that a reading took.
		if n := int64(got - last); k > 20 && (n < 2*perUS*(interval-2000)/1000 || n > 2*perUS*(interval+2000)/1000) {
			t.Errorf("interval %d has %d counts, want %d", k, n, 2*perUS*interval/1000)
		}
		last = got
	}
}
