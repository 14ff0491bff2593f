package counting

import (
	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/uncore"
)

// By is what counters are summed up by.
type By int

// The places.
const (
	Total By = iota
	Socket
	Die
	Core
	CPU
	Thread
)

// State is whether an event was counted.
type State int

// The states.
const (
	Counted      State = iota
	NotCounted         // it never had a counter, or nothing ran that it could have counted
	NotSupported       // the kernel or the hardware knows no such event
	Busy               // somebody else holds the PMU
	NotPermitted       // it happens in the kernel, where this user may not count
)

// Place is where something was counted. What does not apply is -1.
type Place struct{ Socket, Die, Core, CPU, Thread int }

// Row is an event at one place.
type Row struct {
	Term     int // index of uncore.Events.Terms
	Where    Place
	Value    float64 // scaled by Share to all of the time; 0 unless State is Counted
	Share    float64 // of the time that the event was enabled, in which it was on a counter: 0 to 1
	State    State
	Err      error // why it is not counted, where the kernel said so
	Counters int   // how many are summed
	UserOnly bool  // this user may not count in the kernel
}

// Aggregate sums the counters of each of terms events up by place, in order of terms and
// then of places. cpus says where the CPUs are.
func Aggregate(terms int, counters []uncore.Counter, counts []perfring.Count, by By, cpus []pmu.CPU) []Row {
	return nil
}
