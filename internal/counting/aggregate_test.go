package counting

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/uncore"
)

// server is two packages of two cores with two threads each.
func server() []pmu.CPU {
	var cpus []pmu.CPU
	for id := range 8 {
		cpus = append(cpus, pmu.CPU{ID: id, Package: id / 4, Core: id % 4 / 2, Online: true})
	}
	return cpus
}

func onCPU(term, cpu int) uncore.Counter {
	return uncore.Counter{Term: term, CPU: cpu, Thread: -1}
}

func onThread(term, thread int) uncore.Counter {
	return uncore.Counter{Term: term, CPU: -1, Thread: thread}
}

// ran is a count of a counter that was enabled and running for so many ns.
func ran(value, enabled, running uint64) perfring.Count {
	return perfring.Count{Value: value, Enabled: enabled, Running: running}
}

func TestAggregate(t *testing.T) {
	busy := fmt.Errorf("%w: device or resource busy (EBUSY)", uncore.ErrBusy)
	total := func(value, share float64, counters int) []Row {
		return []Row{{Where: nowhere, Value: value, Share: share, Counters: counters}}
	}
	without := func(state State, counters int, err error) []Row {
		return []Row{{Where: nowhere, State: state, Counters: counters, Err: err}}
	}
	kind := func(pmu string) uncore.Counter {
		return uncore.Counter{PMU: pmu, CPU: -1, Thread: 7}
	}
	for _, test := range []struct {
		name     string
		counters []uncore.Counter
		counts   []perfring.Count
		by       By
		want     []Row
	}{
		{"one", []uncore.Counter{onThread(0, 7)}, []perfring.Count{ran(5, 100, 100)}, Total, total(5, 1, 1)},
		{"counted nothing", []uncore.Counter{onThread(0, 7)}, []perfring.Count{ran(0, 100, 100)}, Total, total(0, 1, 1)},
		{"scaled", []uncore.Counter{onThread(0, 7)}, []perfring.Count{ran(5, 100, 25)}, Total, total(20, 0.25, 1)},
		{"never on a counter", []uncore.Counter{onThread(0, 7)}, []perfring.Count{ran(0, 100, 0)}, Total, without(NotCounted, 1, nil)},
		{"never ran", []uncore.Counter{onThread(0, 7)}, []perfring.Count{{}}, Total, without(NotCounted, 1, nil)},
		{"two instances, each scaled by itself", []uncore.Counter{onCPU(0, 0), onCPU(0, 4)}, []perfring.Count{ran(10, 100, 100), ran(10, 100, 50)}, Total, total(30, 0.75, 2)},
		{"one of two instances without a turn", []uncore.Counter{onCPU(0, 0), onCPU(0, 4)}, []perfring.Count{ran(10, 100, 100), ran(0, 100, 0)}, Total,
			without(NotCounted, 2, fmt.Errorf("1 of its 2 counters never had a turn"))},
		{"one of two busy", []uncore.Counter{onCPU(0, 0), {CPU: 4, Thread: -1, Err: busy}}, []perfring.Count{ran(10, 100, 100), {}}, Total, without(Busy, 2, busy)},
		{"by socket", []uncore.Counter{onCPU(0, 4), onCPU(0, 0), onCPU(0, 1)}, []perfring.Count{ran(1, 9, 9), ran(2, 9, 9), ran(3, 9, 9)}, Socket, []Row{
			{Where: Place{Socket: 0, Die: -1, Core: -1, CPU: -1, Thread: -1}, Value: 5, Share: 1, Counters: 2},
			{Where: Place{Socket: 1, Die: -1, Core: -1, CPU: -1, Thread: -1}, Value: 1, Share: 1, Counters: 1},
		}},
		{"by core", []uncore.Counter{onCPU(0, 2), onCPU(0, 3), onCPU(0, 4)}, []perfring.Count{ran(1, 9, 9), ran(2, 9, 9), ran(3, 9, 9)}, Core, []Row{
			{Where: Place{Socket: 0, Die: 0, Core: 1, CPU: -1, Thread: -1}, Value: 3, Share: 1, Counters: 2},
			{Where: Place{Socket: 1, Die: 0, Core: 0, CPU: -1, Thread: -1}, Value: 3, Share: 1, Counters: 1},
		}},
		{"by thread", []uncore.Counter{onThread(0, 7), onThread(0, 3)}, []perfring.Count{ran(1, 9, 9), ran(2, 9, 9)}, Thread, []Row{
			{Where: Place{-1, -1, -1, -1, 3}, Value: 2, Share: 1, Counters: 1},
			{Where: Place{-1, -1, -1, -1, 7}, Value: 1, Share: 1, Counters: 1},
		}},
		// A thread that slept has no time; one whose moment no counter saw is like the others.
		{"threads", []uncore.Counter{onThread(0, 3), onThread(0, 7), onThread(0, 9)}, []perfring.Count{ran(50, 100, 50), {}, ran(0, 10, 0)}, Total, total(110, 50./110, 3)},
		// A thread that was on one kind of core for 30 ns and on the other for 70.
		{"kinds of core", []uncore.Counter{kind("cpu_core"), kind("cpu_atom")}, []perfring.Count{ran(30, 100, 30), ran(70, 100, 70)}, Total, total(100, 1, 2)},
		{"nothing left of a term", nil, nil, Total, without(NotCounted, 0, nil)},
	} {
		got := Aggregate(1, test.counters, test.counts, test.by, server())
		sameText := cmp.Comparer(func(a, b error) bool { return fmt.Sprint(a) == fmt.Sprint(b) })
		if diff := cmp.Diff(test.want, got, sameText, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
			t.Errorf("%s: want -, got +:\n%s", test.name, diff)
		}
	}
}

// However finely they are told apart, the parts add up to the whole.
func TestPlacesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var counters []uncore.Counter
		var counts []perfring.Count
		for _, cpu := range server() {
			enabled := rapid.Uint64Range(1, 1e12).Draw(t, "enabled")
			counters = append(counters, onCPU(0, cpu.ID))
			counts = append(counts, ran(rapid.Uint64Range(0, 1e15).Draw(t, "value"), enabled, rapid.Uint64Range(1, enabled).Draw(t, "running")))
		}
		want := Aggregate(1, counters, counts, Total, server())[0].Value
		for by := Socket; by <= CPU; by++ {
			sum := 0.0
			for _, row := range Aggregate(1, counters, counts, by, server()) {
				sum += row.Value
			}
			if math.Abs(sum-want) > 1e-9*want {
				t.Errorf("by %d: %g, want %g", by, sum, want)
			}
		}
	})
}
