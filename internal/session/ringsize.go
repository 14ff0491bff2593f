package session

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What a ring takes, in bytes, unless Options.Pages says so.
const (
	// stackRing is for walks with the pieces of stack that they begin with, and for copies at some hundred Hz.
	stackRing = 8 << 20
	// largeRing is for copies at 10 kHz: it bridges 400 ms in which nobody drains it.
	largeRing = 32 << 20
	// allRings is how much those of all CPUs take together at most.
	allRings = 512 << 20
	// stackWatermark is when the loop is woken, however large the ring is: what is left free is for when it
	// does not get a CPU at once, and what is drained is held for a time.
	stackWatermark = 4 << 20
	// bridged is the part of a second whose copies a ring should hold.
	bridged = 2
)

// stackPages is how many pages a ring has for the stacks of what one CPU samples, of cpus of them, where so many bytes are allowed.
func (o *Options) stackPages(cpus int, allowed uint64) int {
	var rate uint64 // bytes a second
	for _, e := range o.Events {
		perSecond := e.Frequency
		if e.Clock && e.Period > 0 {
			perSecond = uint64(time.Second) / e.Period
		}
		rate += perSecond * uint64(o.copies(e))
	}
	size := stackRing
	for size < largeRing && uint64(size) < rate/bridged {
		size *= 2
	}
	// All are equal: whoever takes what there is leaves too little for the CPUs that come after.
	for size > DefaultPages*pageSize && (size*cpus > allRings || uint64((size+pageSize)*cpus) > allowed) {
		size /= 2
	}
	return max(size/pageSize, DefaultPages)
}

// rings chooses what Options leaves to it: how large the rings of cpus are, of which so many bytes are allowed, and how
// much is held back of what they bring.
func (o *Options) rings(cpus int, allowed uint64) (pages, pending int) {
	switch pages = o.Pages; {
	case pages > 0:
		// Or the first CPU would take all that the user has, and leave the next ones not even a page.
		for pages > DefaultPages && uint64((pages+1)*pageSize*cpus) > allowed {
			pages /= 2
		}
	case o.Stacks.large():
		pages = o.stackPages(cpus, allowed)
	default:
		pages = DefaultPages
	}
	if pending = o.MaxPending; pending == 0 {
		// What came since the drain before the last one.
		pending = min(max(DefaultMaxPending, 3*pages*pageSize*cpus), MostPending)
	}
	return pages, pending
}

// watermark is how many bytes of records wake the loop.
func (o *Options) watermark() uint32 {
	full := o.Pages * pageSize * watermarkPercent / 100
	switch {
	case o.hurries():
		full = newsWatermark
	case o.Stacks.large():
		full = min(full, stackWatermark)
	}
	return uint32(full)
}

// newsWatermark wakes the loop where a program walks stacks: as few as three walks have it that got stuck, in code that is new. If none has, that is
// 71 times a second at 10 kHz (docs/decisions/stack-records.md).
const newsWatermark = 64 << 10

// hurries tells whether the loop is woken for what is new, long before a ring is full.
func (o *Options) hurries() bool { return o.Stacks.BPF != nil && o.Pages*pageSize >= 16*newsWatermark }

// allowance is how many bytes of rings a user may have who may lock so many: those, and before them
// kernel.perf_event_mlock_kb for each CPU that is online (perf_mmap in kernel/events/core.c). What the user's other
// profilers have of the latter is not known here.
func allowance(proc string, online int, locked uint64) uint64 {
	number := func(name string) (n int64, err error) {
		text, err := os.ReadFile(filepath.Join(proc, "sys/kernel", name))
		if err == nil {
			n, err = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 32)
		}
		return n, err
	}
	each, err := number("perf_event_mlock_kb")
	paranoid, unknown := number("perf_event_paranoid")
	if err != nil || unknown != nil || paranoid < 0 || each < 0 {
		return math.MaxUint64 // or mmap will tell
	}
	ours := uint64(each) << 10 * uint64(online)
	return ours + min(locked, math.MaxUint64-ours)
}

// mayLock is how many bytes of memory this process may lock.
func mayLock() uint64 {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var has [2]unix.CapUserData
	if unix.Capget(&head, &has[0]) == nil && has[0].Effective&(1<<unix.CAP_IPC_LOCK) != 0 {
		return math.MaxUint64
	}
	var limit unix.Rlimit
	if unix.Prlimit(0, unix.RLIMIT_MEMLOCK, nil, &limit) != nil {
		return math.MaxUint64
	}
	return limit.Cur // RLIM_INFINITY is the highest number
}
