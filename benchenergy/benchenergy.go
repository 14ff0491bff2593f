// Package benchenergy reports the energy of Go benchmarks: J/op and W beside ns/op, from the counters that package rapl
// reads.
//
//	func BenchmarkDecode(b *testing.B) {
//		input := load(b)
//		meter := benchenergy.Start(b)
//		for b.Loop() {
//			decode(input)
//		}
//		meter.Stop()
//	}
//
// Energy counters count what the machine spends, whoever spends it: all processor packages with their memory, their static
// power, and everything else that runs. J/op is that energy for the time of the loop, by operations; a machine that does
// something else, and `go test` of several packages at a time (-p 1 forbids it), add to it. The comparison of two
// versions needs repetitions, as that of times does: -count 10, and benchstat.
//
// # What is reported
//
// J/op and nJ/op, the same number twice, because package testing prints seven decimals, which for a short operation are
// none; and W, the power while the loop ran. A benchmark that is shorter than [MinTime] says why it has none of them,
// since counters move about once in a millisecond.
//
// Where nothing measures energy, or this user may not read it, the benchmark is skipped with the reason; [Options]
// can let it run for its time instead. An estimate by a model, which knows CPU time and nothing else, is never J/op: on
// request it is model-J/op, model-nJ/op and model-W.
//
// # The timer
//
// The energy is that of the time from [Start] to [Meter.Stop], the result that of the benchmark's timer; so the two have
// to agree. Start resets the timer, as the first b.Loop does; whatever comes before it costs nothing, and metrics
// that were reported before are forgotten. A loop that stops the timer (b.StopTimer and b.StartTimer, or a
// b.ResetTimer later on) is refused if that is more than 2 % of the time (and 10 ms): the counters do not stop, and are too slow to
// be read around a single operation. What is set up once belongs before Start; what is set up for each operation
// can be measured alone, in a benchmark of its own, and subtracted.
//
// The end of the benchmark stops a meter, too. Stop is for benchmarks in which anything comes after the loop.
//
// In a parallel benchmark (b.RunParallel) all goroutines are in the energy, and their operations in the count. Each
// sub-benchmark (b.Run) needs a Start of its own; a parent's is of no result.
package benchenergy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/energyprof/energyprof/rapl"
)

// MinTime is the shortest loop of which joules are reported. Where the counter moves more seldom than every 20 ms, so
// that the ends of the loop cannot be found on it, it is MinTimeSlow.
const (
	MinTime     = 100 * time.Millisecond
	MinTimeSlow = 2 * time.Second
)

// Options say where the energy comes from. The zero value takes the best counter that this machine has.
type Options struct {
	// Source is the kind of source, one of rapl.Kinds or "auto"; "" is "auto".
	Source string
	// Event is a perf event that counts energy, in perf's syntax, in place of a source; Scale is its joules per
	// count, 0 for that of the kernel.
	Event string
	Scale float64
	// Model allows an estimate where nothing measures. It is reported as model-J/op, model-nJ/op and model-W.
	Model bool
	// Optional lets the benchmark run without joules where there is no source, in place of skipping it. The reason is
	// logged.
	Optional bool
}

// Start is [Options.Start] with the best counter that this machine has.
func Start(b *testing.B) *Meter {
	b.Helper()
	return Options{}.Start(b)
}

// Start starts to measure, and resets the timer of b. It is to be called once, right before the loop, with the timer
// running. Without a source b is skipped.
func (o Options) Start(b *testing.B) *Meter {
	b.Helper()
	src, err := o.open()
	if err != nil {
		if !o.Optional {
			b.Skipf("benchenergy: %v", err)
		}
		b.Cleanup(func() {
			if last(b) {
				b.Logf("benchenergy: no J/op: %v", err)
			}
		})
		return &Meter{}
	}
	return start(b, src)
}

// open opens the source.
func (o Options) open() (rapl.Source, error) {
	if o.Event != "" {
		src, err := rapl.OpenEvent(rapl.Machine{}, o.Event, o.Scale)
		if err != nil {
			return nil, fmt.Errorf("energy from %s: %w", o.Event, err)
		}
		return src, nil
	}
	kind := o.Source
	if kind == "" {
		kind = "auto"
	}
	src, err := rapl.Open(rapl.Machine{}, kind)
	if err != nil {
		return nil, err
	}
	if src.Info().Measured || o.Model {
		return src, nil
	}
	err = errors.New("energy is not measured here, and an estimate by a model was not asked for" + reasons(kind))
	return nil, errors.Join(err, src.Close())
}

// reasons says why each source that measures cannot be used.
func reasons(kind string) string {
	if kind != "auto" {
		return ""
	}
	var all []string
	for _, s := range rapl.Probe(rapl.Machine{}) {
		if s.Err != nil {
			all = append(all, s.Kind+": "+strings.ReplaceAll(s.Err.Error(), "\n", ", "))
		}
	}
	return " (" + strings.Join(all, "; ") + ")"
}
