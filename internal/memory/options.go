package memory

import (
	"cmp"
	"io"
)

// Options says what a [Table] keeps. The limits are how much of each is told apart; what comes
// beyond is counted in the totals and in a row of its own. 0 is the default.
type Options struct {
	// Events are those of the recording, by the number that Add gets.
	Events []Event
	// Line is the size of a cache line in bytes, a power of two; 0: 64.
	Line int
	// Page is the size, in bytes, of the pages of samples that do not say it; 0: 4096.
	Page int

	MaxPages     int
	MaxLines     int
	MaxCells     int // stacks, each with its levels and nodes
	MaxLatencies int // of cells: latencies that are told apart, of all together

	// Nodes says on which NUMA node an address is; nil: not known.
	Nodes *Nodes
	// Samples takes every sample, for WriteSamples: a file of this table alone. nil: they are not kept.
	Samples io.ReadWriteSeeker
	// MaxSamples is how many are kept there.
	MaxSamples int
}

// Event is one event of the recording.
type Event struct {
	Name string
	// Memory says that the samples are memory accesses with data_src. The others with addresses (page
	// faults, breakpoints) are counted under the name of the event.
	Memory bool
	// Writes says that every sample is of a store: of a breakpoint on writes alone. Lines tell by it who
	// writes to what others use.
	Writes bool
	// Clock says that the samples tell time alone: they are in the books but not in the tables.
	Clock  bool
	Period uint64 // what a sample stands for that does not say it; 0: 1
}

// The limits where none are given.
const (
	DefaultMaxPages     = 1 << 16
	DefaultMaxLines     = 1 << 16 // of some hundred bytes each, with what is known of their users
	DefaultMaxCells     = 1 << 19 // more than twice the stacks that package collect tells apart
	DefaultMaxLatencies = 1 << 20
	DefaultMaxSamples   = 1 << 24 // of sampleBytes each, on disk

	defaultLine = 64
	defaultPage = 4096
)

func (o *Options) fill() {
	o.Line = cmp.Or(o.Line, defaultLine)
	o.Page = cmp.Or(o.Page, defaultPage)
	o.MaxPages = cmp.Or(o.MaxPages, DefaultMaxPages)
	o.MaxLines = cmp.Or(o.MaxLines, DefaultMaxLines)
	o.MaxCells = cmp.Or(o.MaxCells, DefaultMaxCells)
	o.MaxLatencies = cmp.Or(o.MaxLatencies, DefaultMaxLatencies)
	o.MaxSamples = cmp.Or(o.MaxSamples, DefaultMaxSamples)
}
