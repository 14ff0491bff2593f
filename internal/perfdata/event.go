package perfdata

import "github.com/energyprof/energyprof/perfring"

// Event is one event of a file.
type Event struct {
	// Name is what perf script and perf report call it: as it was given to perf
	// record, or made from Attr where the file has no names.
	Name string
	Attr perfring.Attr
	IDs  []uint64 // one for each CPU and thread that it was opened on

	// Clock says that it counts nanoseconds of CPU time: cpu-clock and task-clock.
	Clock bool
	// Leader is the index of the event that leads its group, its own if it is
	// in none or the file does not tell.
	Leader int
	// Unit and Scale turn counts into a quantity: Unit per Scale. Scale is 0 if
	// the file does not tell.
	Unit  string
	Scale float64
	// CPUs are those that the PMU counts on, nil if the file does not tell.
	CPUs []int
}

// Sampled tells whether the event takes samples by itself.
func (e *Event) Sampled() bool { return e.Attr.Sample != 0 }

// isClock tells of the events that count nanoseconds of CPU time.
func isClock(a *perfring.Attr) bool {
	const software, cpuClock, taskClock = 1, 0, 1 // PERF_TYPE_SOFTWARE, PERF_COUNT_SW_*
	return a.Type == software && (a.Config == cpuClock || a.Config == taskClock)
}
