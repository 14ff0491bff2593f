package collect

import "math"

// Books counts what a reader of the profile must know about its making.
type Books struct {
	Samples         uint64 // of the clock, that are in the profile
	Idle            uint64 // samples of CPUs with nothing to do, which are not in the profile
	IdleNanoseconds int64
	LostSamples     uint64 // of the clock, estimated when several events share a ring
	LostNanoseconds int64
	Stacks          int    // that are told apart
	Folded          uint64 // samples whose stacks were shortened because there were too many
	Truncated       uint64 // samples whose stacks were cut at a number of frames (Options.MaxDepth)
	// NoWalk counts samples without the walk that BPF should have made, BadWalks what it wrote that could not be read.
	NoWalk, BadWalks uint64
	// WalkErr is the first of the tables that BPF did not take.
	WalkErr error
	// Ended counts samples by how the user's part of their stacks ended, where that is known.
	Ended [endings]uint64
	// NoMapping counts samples whose leaf lies in no known mapping.
	NoMapping uint64
	// NoAccess counts samples of Memory events that are neither a load nor a store, which are not in the profile.
	NoAccess uint64
	// LoadBytes is what the sampled loads that memory served stand for, 64 bytes each, TrafficBytes what memory controllers
	// counted (Memory.Traffic), BeyondBytes what of that is [prefetch and write-back]: what they counted while all of them were
	// read, less the loads of that time.
	LoadBytes, TrafficBytes, BeyondBytes float64
	// DroppedMappings counts mappings beyond what is kept of one process.
	DroppedMappings uint64
	// KernelHidden: functions of the kernel have no names, because its addresses are hidden from this
	// user or were not to be looked up.
	KernelHidden bool
	// Refused counts readings and CPU times that attribution did not take; Err is the first reason.
	Refused uint64
	Err     error
}

// Books returns the counts so far; they are complete after Finish.
func (c *Collector) Books() Books {
	b := c.books
	b.Stacks = len(c.stacks.list)
	b.LostSamples, b.LostNanoseconds = uint64(math.Round(c.lostSamples)), int64(math.Round(c.lostNanoseconds))
	b.Idle, b.IdleNanoseconds = c.idle.samples, c.idle.ns
	b.DroppedMappings = c.table.dropped
	b.KernelHidden = c.kernel.missed
	b.LoadBytes, b.TrafficBytes, b.BeyondBytes = c.memory.all.bytes, c.traffic.bytes, c.traffic.beyond
	b.WalkErr = c.unwinder.loader.err
	b.Refused, b.Err = c.energy.refused, c.energy.err
	return b
}
