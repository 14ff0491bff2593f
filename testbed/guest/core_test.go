package guest

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

// coreRate is what testbed/modules/README.md says that an event of the CPU counts, per
// millisecond that it is on its counter.
func coreRate(config uint64) float64 {
	switch config & 0xffff {
	case 0x3c:
		return 2_400_000 // cycles
	case 0xc0:
		return 3_600_000 // instructions
	case 0x300:
		return 2_000_000 // ref-cycles
	}
	return float64(400*(config&0xff) + config>>8&0xff)
}

// A group of the CPU's events counts at once: instructions per cycle are what they are
// by the rule, but for the time between the starts of two counters.
func TestCoreGroup(t *testing.T) {
	simulated(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	specs := []string{"cycles", "instructions", "ref-cycles", "cache-misses", "cpu/mem-loads/"}
	configs := []uint64{0x3c, 0xc0, 0x300, 0x412e, 0x1cd}
	var leader *perfring.Event
	for _, spec := range specs {
		a := attrOf(parse(t, spec))
		a.ReadFormat |= perfring.ReadGroup | perfring.ReadID
		if leader == nil {
			a.Flags = perfring.FlagDisabled
		}
		e := open(t, a, 0, -1, leader)
		if leader == nil {
			leader = e
		}
	}
	must(t, leader.EnableGroup())
	spin(50 * time.Millisecond)
	must(t, leader.DisableGroup())
	group, err := leader.ReadGroupCount(nil)
	must(t, err)
	if len(group) != len(specs) {
		t.Fatalf("%d counts of %d", len(group), len(specs))
	}
	for i, c := range group {
		counted(t, specs[i], float64(c.Value), coreRate(configs[i]), c.Running)
	}
	if ipc := float64(group[1].Value) / float64(group[0].Value); math.Abs(ipc-1.5) > 0.0075 {
		t.Errorf("%.4f instructions per cycle, want 1.5", ipc)
	}
}

// Cycles have a counter of their own, the others share those that there are.
func TestCoreMultiplexing(t *testing.T) {
	simulated(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, counters := range []int{4, 2} {
		t.Run(fmt.Sprint(counters), func(t *testing.T) {
			runtime.LockOSThread() // a goroutine of its own
			defer runtime.UnlockOSThread()
			param(t, "simpmu", "counters", fmt.Sprint(counters))
			// The kernel fills the counters in order until an event does not
			// fit, so only a pinned one is sure of its own.
			cycles := attrOf(parse(t, "cpu/cpu-cycles/"))
			cycles.Flags |= perfring.FlagPinned
			events := []*perfring.Event{open(t, cycles, 0, -1, nil)}
			rates := []float64{coreRate(0x3c)}
			for event := uint64(1); event <= 6; event++ {
				a := attrOf(parse(t, fmt.Sprintf("cpu/event=%d/", event)))
				events = append(events, open(t, a, 0, -1, nil))
				rates = append(rates, coreRate(event))
			}
			multiplexed(t, events, rates, 1+counters, func() { spin(200 * time.Millisecond) })
		})
	}

	leader := open(t, attrOf(parse(t, "cpu/event=1/")), 0, -1, nil)
	for range 3 {
		open(t, attrOf(parse(t, "cpu/event=2/")), 0, -1, leader)
	}
	if _, err := perfring.Open(attrOf(parse(t, "cpu/event=3/")), 0, -1, leader); !errors.Is(err, unix.EINVAL) {
		t.Errorf("the fifth of a group for four counters: %v, want EINVAL", err)
	}
}

// The events of the CPU can be recorded.
func TestRecordCoreEvents(t *testing.T) {
	only(t, "icx-6.1", "spr-6.12")
	s := record(t, "-e", "cycles,cpu/mem-loads,ldlat=100/upp", "-c", "2400000", "--energy", "none", "--user", "--",
		"workload", "-mute", "-seconds", "0.5", "-naps", "0", "-functions", "parse=1")
	if s.Samples == 0 || s.Lost != 0 || s.BadRecords != 0 || s.Throttled != 0 {
		t.Errorf("%d samples, %d lost, %d bad, %d times throttled", s.Samples, s.Lost, s.BadRecords, s.Throttled)
	}
}
