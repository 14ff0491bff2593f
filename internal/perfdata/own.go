package perfdata

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/pprofile"
)

// Own is energyprof's own section: what a recording knows beside its records. With it a
// file gives the same profile as the recording itself, on any machine and at any time.
//
// The data section of such a file holds the records in the order in which the recording
// delivered them. What came between them (energy, busy time of others, the progress of
// time) is in the section, in the same order; Read replays both.
type Own struct {
	Tool     string        // who recorded: "energyprof 1.2.0"
	Start    time.Time     // wall clock, to the nanosecond
	Duration time.Duration // of the recording
	Period   time.Duration // of the first event: what a sample stands for
	Command  *OwnCommand   // nil without one

	SystemWide bool
	NoOthers   bool  // nobody told what other processes ran
	CPUs       []int // online at the beginning
	MaxDepth   int   // frames at which the kernel cut stacks
	Events     []OwnEvent

	Energy      rapl.Info           // without domains there is no energy
	Attribution attribution.Options `json:"-"` // Function is nil

	Counters []rapl.CountedEvent `json:",omitempty"` // that were counted beside the samples
	// CounterMethod is how their counts were shared out.
	CounterMethod attribution.Method `json:",omitempty"`

	Memory *OwnMemory `json:",omitempty"` // nil unless memory accesses were asked about

	Stacks *OwnStacks `json:",omitempty"` // nil if no callers were recorded, and in sections from before they were counted

	// Books are those of Events, in their order. Sections from before there were any have none, and
	// in the recordings of that time LostSamples records came without their event.
	Books []perfring.EventBooks `json:",omitempty"`

	Throttled, BadRecords int64
	Notes, Comments       []string

	// KernelVisible tells that the kernel showed its symbols, Idle where in it CPUs with
	// nothing to do wait.
	KernelVisible bool
	Idle          []symbol.Range
	// Locations are all places in code in the order in which the stream shows them, with
	// their names; Main is the mapping of the program, nil if there is none.
	Locations []*pprofile.Location `json:"-"`
	Main      *pprofile.Mapping    `json:"-"`

	tokens   io.Reader // what came between the records
	servedBy *int      // of the sample that comes next; nil: its own CPU
}

// OwnCommand is the command that was recorded and how it ended, as in report.Command.
type OwnCommand struct {
	Args     []string `json:"-"`
	ExitCode *int
	Signal   string
}

// OwnEvent is a sampled event; its place is the index that Sink.Record gets.
type OwnEvent struct {
	Name    string
	Clock   bool
	Period  uint64 // of samples that carry none; 0 when all do
	Weight  bool   // its counts are what energy was shared out by, not CPU time
	Memory  bool   `json:",omitempty"` // its samples are memory accesses
	Address bool   `json:",omitempty"` // its samples have the address of data: page faults, breakpoints
}

// OwnMemory is what was asked about memory accesses.
type OwnMemory struct {
	Addresses bool  // the profile has the address of each
	Weigh     bool  // energy was shared out by what memory served
	Traffic   []int `json:",omitempty"` // indices of Counters that count the lines of the memory's controllers
}

// OwnStacks is how many stacks are whole, as in report.Stacks. With Walked the callchains of samples end, where they are
// not whole, in how that came about (internal/unwind's Outcome.Address).
type OwnStacks struct {
	Method                       string
	Walked                       bool `json:",omitempty"`
	Samples, Complete, Truncated int64
	Failed                       map[string]int64 `json:",omitempty"`
}

var (
	// ErrOwnVersion is a section that a later version of energyprof wrote.
	ErrOwnVersion = errors.New("energyprof's section was written by a later version")
	errOwnDamaged = errors.New("energyprof's section is damaged")
)

// Versions of a section. What an older reader must not pass over raises it: counters, whose counts it
// would lose, memory accesses, of which it would make counts of one more event, and callchains that end in what is no address.
const (
	ownVersion  = 1
	ownCounters = 2
	ownMemory   = 3
	ownStacks   = 4
	ownLatest   = ownStacks
)

// version is what the section has to be.
func (o *Own) version() uint32 {
	memory := func(e OwnEvent) bool { return e.Memory }
	switch {
	case o.Stacks != nil && o.Stacks.Walked:
		return ownStacks
	case o.Memory != nil || slices.ContainsFunc(o.Events, memory):
		return ownMemory
	case len(o.Counters) > 0:
		return ownCounters
	}
	return ownVersion
}

// The section: a head, the places of its parts, the parts. All numbers are little-endian,
// places are from the section's start. Parts of unknown kinds are passed over.
const (
	ownMagic = "energyprof section"

	ownHeadSize = 32 // magic, padded to 24 bytes; version and number of parts, 4 bytes each
	ownPartSize = 24 // kind, 8 bytes; offset; size

	partAbout  = 1 // JSON
	partTokens = 2
	partPlaces = 3
)

// What a damaged section may make its reader allocate.
const (
	maxOwnParts = 64
	maxAbout    = 64 << 20  // bytes
	maxPlaces   = 256 << 20 // bytes
)

// aboutJSON is Own with what JSON cannot have as it is: bytes that are not UTF-8, and NaN.
type aboutJSON struct {
	*Own
	Args     [][]byte // of Command
	Method   attribution.Method
	Baseline []*float64 // nil for NaN
	CoreType []int
	Core     []int32
}

func (o *Own) marshalAbout() ([]byte, error) {
	a := aboutJSON{Own: o, Method: o.Attribution.Method, Core: o.Attribution.Core}
	if o.Command != nil {
		for _, arg := range o.Command.Args {
			a.Args = append(a.Args, []byte(arg))
		}
	}
	for _, t := range o.Attribution.CoreType {
		a.CoreType = append(a.CoreType, int(t))
	}
	for _, w := range o.Attribution.BaselineWatts {
		if math.IsNaN(w) {
			a.Baseline = append(a.Baseline, nil)
		} else {
			a.Baseline = append(a.Baseline, &w)
		}
	}
	return json.Marshal(&a)
}

func (o *Own) unmarshalAbout(b []byte) error {
	a := aboutJSON{Own: o}
	if err := json.Unmarshal(b, &a); err != nil {
		return err
	}
	if o.Command != nil {
		for _, arg := range a.Args {
			o.Command.Args = append(o.Command.Args, string(arg))
		}
	}
	o.Attribution.Method, o.Attribution.Core = a.Method, a.Core
	for _, t := range a.CoreType {
		if t < 0 || t > math.MaxUint8 {
			return fmt.Errorf("type of core %d", t)
		}
		o.Attribution.CoreType = append(o.Attribution.CoreType, uint8(t))
	}
	for _, w := range a.Baseline {
		watts := math.NaN()
		if w != nil {
			watts = *w
		}
		o.Attribution.BaselineWatts = append(o.Attribution.BaselineWatts, watts)
	}
	return o.check()
}

// check refuses what belongs to nothing.
func (o *Own) check() error {
	if n := len(o.Books); n > 0 && n != len(o.Events) {
		return fmt.Errorf("books of %d events, and there are %d", n, len(o.Events))
	}
	if o.Memory != nil {
		for _, i := range o.Memory.Traffic {
			if i < 0 || i >= len(o.Counters) {
				return fmt.Errorf("traffic of counter %d of %d", i, len(o.Counters))
			}
		}
	}
	return nil
}
