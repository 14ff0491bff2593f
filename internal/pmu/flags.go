package pmu

import "golang.org/x/sys/unix"

// Flags are the bits of struct perf_event_attr (the word behind read_format) that the event
// asks for: what is excluded, and whether it is pinned or exclusive. The kernel takes the
// last two of a group's leader alone.
func (ev Event) Flags() uint64 {
	var flags uint64
	for _, bit := range []struct {
		set  bool
		mask uint64
	}{
		{ev.ExcludeUser, unix.PerfBitExcludeUser},
		{ev.ExcludeKernel, unix.PerfBitExcludeKernel},
		{ev.ExcludeHV, unix.PerfBitExcludeHv},
		{ev.ExcludeIdle, unix.PerfBitExcludeIdle},
		{ev.ExcludeHost, unix.PerfBitExcludeHost},
		{ev.ExcludeGuest, unix.PerfBitExcludeGuest},
		{ev.Pinned, unix.PerfBitPinned},
		{ev.Exclusive, unix.PerfBitExclusive},
	} {
		if bit.set {
			flags |= bit.mask
		}
	}
	return flags
}
