package perfdata

import (
	"encoding/binary"
	"fmt"

	"github.com/energyprof/energyprof/perfring"
)

// maxEvents is far beyond what perf record can open, all tracepoints of a
// kernel included.
const maxEvents = 1 << 13

// eventTable finds the event of a record, and decodes it.
type eventTable struct {
	attrs   []*perfring.Attr
	decoder *perfring.Decoder
	byID    map[uint64]int32
	// Ids are given one after the other, so mostly a slice will do.
	dense []int32 // index+1 by id-base
	base  uint64

	sampleID  int // place of the id from the start of a sample, 0 none
	trailerID int // and back from the end of another record

	perEvent []traits
}

// traits is what is asked of an event for every record.
type traits struct {
	hasCPU    bool
	trailCPU  int    // place of the CPU back from the end of records other than samples, 0 none
	perThread bool   // values that are read count the sample's thread alone
	readIDs   bool   // samples carry the values of counters, with their ids
	period    uint64 // of samples that carry none
	callStack bool   // branches are a call stack
}

func traitsOf(a *perfring.Attr) traits {
	f := a.SampleFormat
	t := traits{
		hasCPU:    f&perfring.SampleCPU != 0,
		callStack: hasCallStack(a),
		readIDs:   f&perfring.SampleRead != 0 && a.ReadFormat&perfring.ReadID != 0,
		perThread: a.Flags&perfring.FlagInherit != 0,
	}
	if f&perfring.SamplePeriod == 0 && a.Flags&perfring.FlagFreq == 0 {
		t.period = a.Sample
	}
	if a.Flags&perfring.FlagSampleIDAll != 0 && t.hasCPU {
		t.trailCPU = 8
		if f&perfring.SampleIdentifier != 0 {
			t.trailCPU += 8
		}
	}
	return t
}

// maxDense is how wide a range of ids may be for a slice.
const maxDense = 1 << 16

// add makes an event known.
func (t *eventTable) add(e *Event) error {
	if len(t.attrs) >= maxEvents {
		return fmt.Errorf("more than %d events: %w", maxEvents, ErrUnsupported)
	}
	if t.decoder == nil {
		t.decoder = perfring.NewDecoder()
		t.byID = make(map[uint64]int32)
	}
	if err := t.decoder.Add(&e.Attr, e.IDs...); err != nil {
		return fmt.Errorf("event %d: %w: %w", len(t.attrs), err, ErrUnsupported)
	}
	index := int32(len(t.attrs))
	for _, id := range e.IDs {
		if _, taken := t.byID[id]; !taken {
			t.byID[id] = index
		}
	}
	if index == 0 {
		t.sampleID, t.trailerID = idPlaces(&e.Attr)
	}
	a := e.Attr
	t.attrs = append(t.attrs, &a)
	t.perEvent = append(t.perEvent, traitsOf(&a))
	t.dense = nil
	return nil
}

// index makes the slice of ids if they lie close enough to each other.
func (t *eventTable) index() {
	t.dense = nil
	low, high := ^uint64(0), uint64(0)
	for id := range t.byID {
		low, high = min(low, id), max(high, id)
	}
	if len(t.byID) == 0 || high-low >= maxDense {
		return
	}
	t.base = low
	t.dense = make([]int32, high-low+1)
	for id, index := range t.byID {
		t.dense[id-low] = index + 1
	}
}

// idPlaces are the places of the event's id in a sample, and from the end of
// other records; 0 if it is not there.
func idPlaces(a *perfring.Attr) (sample, trailer int) {
	f := a.SampleFormat
	all := a.Flags&perfring.FlagSampleIDAll != 0
	if f&perfring.SampleIdentifier != 0 {
		sample = recordHeader
		if all {
			trailer = 8
		}
		return sample, trailer
	}
	if f&perfring.FormatID == 0 {
		return 0, 0
	}
	sample = recordHeader
	for _, field := range []perfring.SampleFormat{perfring.SampleIP, perfring.SampleTID, perfring.SampleTime, perfring.SampleAddr} {
		if f&field != 0 {
			sample += 8
		}
	}
	if all {
		trailer = 8
		for _, field := range []perfring.SampleFormat{perfring.SampleStreamID, perfring.SampleCPU} {
			if f&field != 0 {
				trailer += 8
			}
		}
	}
	return sample, trailer
}

// indexOf is the index of the event with an id, -1 if there is none. As in
// perf, all records are of the only event, and those without an id of the first.
func (t *eventTable) indexOf(id uint64) int {
	if len(t.attrs) == 1 || id == 0 {
		return 0
	}
	if t.dense != nil {
		if at := id - t.base; at < uint64(len(t.dense)) {
			return int(t.dense[at]) - 1
		}
		return -1
	}
	if i, ok := t.byID[id]; ok {
		return int(i)
	}
	return -1
}

// attrOf finds the event of a record that has not been decoded.
func (t *eventTable) attrOf(rec []byte, kind perfring.RecordType, order binary.ByteOrder) *perfring.Attr {
	if len(t.attrs) == 0 {
		return nil
	}
	at := t.sampleID
	if kind != perfring.RecordSample {
		at = 0
		if t.trailerID != 0 {
			at = len(rec) - t.trailerID
		}
	}
	if at < recordHeader || at+8 > len(rec) {
		return t.attrs[0]
	}
	if i := t.indexOf(order.Uint64(rec[at:])); i >= 0 {
		return t.attrs[i]
	}
	return nil
}
