package uncore

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

// capUserTime is cap_user_time of struct perf_event_mmap_page (linux/perf_event.h):
// the page says how the kernel makes nanoseconds of the CPU's time counter.
const capUserTime = 1 << 3

// TSCRate is the rate of the CPU's time stamp counter in Hz, as the kernel itself
// converts its ticks: the page of any perf event has nanoseconds = ticks *
// time_mult >> time_shift. It is exact to time_mult's 32 bits. Elsewhere than on
// x86 it is the rate of the architecture's counter.
func TSCRate() (float64, error) {
	event, err := perfring.Open(&perfring.Attr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_DUMMY,
		Flags: perfring.FlagExcludeKernel | perfring.FlagExcludeHV,
	}, 0, -1, nil)
	if err != nil {
		return 0, fmt.Errorf("rate of the time stamp counter: %w", err)
	}
	defer event.Close()
	b, err := unix.Mmap(event.FD(), 0, unix.Getpagesize(), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return 0, fmt.Errorf("rate of the time stamp counter: mmap: %w", err)
	}
	defer unix.Munmap(b)
	page := (*unix.PerfEventMmapPage)(unsafe.Pointer(&b[0]))
	// The kernel fills the page when it is mapped, and changes these never again
	// while the counter is stable.
	if page.Capabilities&capUserTime == 0 || page.Time_mult == 0 {
		return 0, errors.New("rate of the time stamp counter: the kernel does not keep time by it")
	}
	return tickRate(page.Time_mult, page.Time_shift), nil
}

// tickRate turns the kernel's conversion around.
func tickRate(mult uint32, shift uint16) float64 {
	return math.Ldexp(1e9, int(shift)) / float64(mult)
}
