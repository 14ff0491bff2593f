package perfring

import (
	"fmt"
	"math/bits"

	"golang.org/x/sys/unix"
)

// layout is what an event's attributes say about the shape of its records.
// Events of equal layout need not be told apart to be decoded.
type layout struct {
	format      SampleFormat
	read        ReadFormat
	hwIndex     bool
	counters    bool
	regsUser    uint64 // how many
	regsIntr    uint64 // how many
	sampleIDAll bool
	// mmap2 says that the event brings Mmap2 records, buildID that it asked
	// for build ids in them. Nothing else depends on these.
	mmap2, buildID bool

	fixed   int // bytes of a sample's leading fields, up to the period
	trailer int // bytes of SampleID at the end of other records
	// Places, in bytes from the start of a sample or back from the end of
	// another record; 0 if there is none.
	sampleID, sampleTime   int
	trailerID, trailerTime int
}

func newLayout(a *Attr) (layout, error) {
	// Fields are not in the order of their bits, so an unknown one moves
	// known ones.
	if f := a.SampleFormat &^ (sampleEnd - 1); f != 0 {
		return layout{}, fmt.Errorf("perf attr: unknown sample format %#x", uint64(f))
	}
	if f := a.ReadFormat &^ (readEnd - 1); f != 0 {
		return layout{}, fmt.Errorf("perf attr: unknown read format %#x", uint64(f))
	}
	l := layout{
		format:      a.SampleFormat,
		read:        a.ReadFormat,
		sampleIDAll: a.Flags&FlagSampleIDAll != 0,
		mmap2:       a.Flags&FlagMmap2 != 0,
		buildID:     a.Flags&FlagMmap2 != 0 && a.Flags&FlagBuildID != 0,
	}
	if l.format&SampleBranchStack != 0 {
		if f := a.BranchFormat &^ (2*unix.PERF_SAMPLE_BRANCH_COUNTERS - 1); f != 0 {
			return layout{}, fmt.Errorf("perf attr: unknown branch format %#x", f)
		}
		l.hwIndex = a.BranchFormat&unix.PERF_SAMPLE_BRANCH_HW_INDEX != 0
		l.counters = a.BranchFormat&unix.PERF_SAMPLE_BRANCH_COUNTERS != 0
	}
	if l.format&SampleRegsUser != 0 {
		l.regsUser = uint64(bits.OnesCount64(a.RegsUser))
	}
	if l.format&SampleRegsIntr != 0 {
		l.regsIntr = uint64(bits.OnesCount64(a.RegsIntr))
	}
	l.place()
	return l, nil
}

// join returns the layout that serves the events of l and of other, if there
// is one: one of them may leave open how Mmap2 records look.
func (l layout) join(other layout) (layout, bool) {
	switch {
	case !l.mmap2:
		l.mmap2, l.buildID = other.mmap2, other.buildID
	case !other.mmap2:
		other.mmap2, other.buildID = l.mmap2, l.buildID
	}
	return l, l == other
}

// hasBuildID says whether a Mmap2 record holds a build id. The bit in its
// header is not enough: the kernel hands one header to all events in turn,
// and leaves the bit in it when an event with FlagBuildID, of whomever, came
// first (perf_event_mmap_output in kernel/events/core.c, seen in 6.18).
func (l *layout) hasBuildID(h Header) bool {
	return h.Misc&MiscMmapBuildID != 0 && (l.buildID || !l.mmap2)
}

// place finds the fixed places.
func (l *layout) place() {
	at := headerSize
	for _, field := range []SampleFormat{
		SampleIdentifier, SampleIP, SampleTID, SampleTime, SampleAddr,
		FormatID, SampleStreamID, SampleCPU, SamplePeriod,
	} {
		if l.format&field == 0 {
			continue
		}
		switch {
		case field == SampleTime:
			l.sampleTime = at
		case field == SampleIdentifier, field == FormatID && l.sampleID == 0:
			l.sampleID = at
		}
		at += 8
	}
	l.fixed = at - headerSize
	if !l.sampleIDAll {
		return
	}
	for _, field := range []SampleFormat{
		SampleIdentifier, SampleCPU, SampleStreamID, FormatID, SampleTime, SampleTID,
	} {
		if l.format&field == 0 {
			continue
		}
		l.trailer += 8
		switch {
		case field == SampleTime:
			l.trailerTime = l.trailer
		case field == SampleIdentifier, field == FormatID && l.trailerID == 0:
			l.trailerID = l.trailer
		}
	}
}
