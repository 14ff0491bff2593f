package collect

import "github.com/energyprof/energyprof/perfring"

// Memory says what is made of memory accesses. A load that memory served moved a line of 64 bytes; that is the
// proxy for what code cost its memory.
type Memory struct {
	// Addresses gives each address a stack of its own, with the address as a label.
	Addresses bool
	// Weigh shares the domains of energy out by bytes that sampled loads got from memory (DRAM, persistent, CXL), per
	// function and level, in place of CPU time or the counts of an event. A store's line comes and goes unseen.
	Weigh bool
	// ServedBy tells the CPU whose domain pays for a load that memory served: one of the node whose memory it was.
	// nil or below 0: the CPU of the sample.
	ServedBy func(s *perfring.Sample, cpu int) int
	// Traffic are the indices of Options.Counters that count lines of 64 bytes at memory controllers. With Weigh what they
	// count beyond the sampled loads weighs for a stack of its own, pprofile.Prefetch. They are shared out to
	// nobody, and are in no column.
	Traffic []int
}
