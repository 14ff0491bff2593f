package perfdata

import (
	"encoding/binary"
	"errors"

	"github.com/energyprof/energyprof/perfring"
)

// deliver decodes a record and hands it on.
func (f *File) deliver(raw []byte) {
	rec, cpu, event := f.decode(raw)
	if rec == nil {
		return
	}
	if s, ok := rec.(*perfring.Sample); ok && event >= 0 {
		t := &f.events.perEvent[event]
		if t.period != 0 {
			s.Period = t.period
		}
		if t.callStack {
			f.callStack(s)
		}
		if t.readIDs {
			f.readSample(s, cpu, t.perThread)
			return
		}
	}
	f.book(rec, event)
	f.sink.Record(rec, cpu, event)
}

// decode decodes a record and counts it; nil if it cannot be decoded or is of no concern.
func (f *File) decode(raw []byte) (rec perfring.Record, cpu, event int) {
	rec, err := f.events.decoder.Decode(raw)
	if err != nil {
		f.result.Books.CountBad(-1, 1)
		if errors.Is(err, perfring.ErrUnknownID) {
			f.result.Foreign++
		}
		return nil, -1, -1
	}
	if s, ok := rec.(*perfring.Sample); ok {
		cpu, event = f.sample(s)
		return rec, cpu, event
	}
	event, cpu = f.place(raw)
	switch r := rec.(type) {
	case *perfring.Throttle:
		event = f.events.indexOf(r.ID)
	case *perfring.Unthrottle:
		event = f.events.indexOf(r.ID)
	case *perfring.LostSamples:
		if r.Misc&miscLostSamplesBPF != 0 {
			return nil, -1, -1 // a filter of the user's left them out
		}
		if f.count(r) {
			return nil, -1, -1
		}
	case *perfring.Lost:
		f.losses.tell(cpu, r.Lost)
		event = -1
	case *perfring.Aux:
		f.result.AuxRecords++
		event = -1
	default:
		event = -1
	}
	f.result.Books.Count(rec, cpu)
	return rec, cpu, event
}

// place finds the event and the CPU in the sample id at the end of a record.
func (f *File) place(raw []byte) (event, cpu int) {
	t := &f.events
	event, cpu = 0, -1
	if t.trailerID > 0 {
		at := len(raw) - t.trailerID
		if at < recordHeader {
			return -1, -1
		}
		id := binary.NativeEndian.Uint64(raw[at:])
		if event = t.indexOf(id); event < 0 {
			return -1, -1
		}
		if known, ok := f.cpuOfID[id]; ok {
			cpu = known
		}
	}
	if back := t.perEvent[event].trailCPU; back > 0 && len(raw) >= recordHeader+back {
		if n := cpuNumber(binary.NativeEndian.Uint32(raw[len(raw)-back:])); n >= 0 {
			cpu = n
		}
	}
	return event, cpu
}

// cpuNumber is -1 for what is none.
func cpuNumber(n uint32) int {
	if n >= maxCPU {
		return -1
	}
	return int(n)
}

// sample counts a sample and finds its CPU and event.
func (f *File) sample(s *perfring.Sample) (cpu, event int) {
	r := &f.result
	cpu, event = -1, f.events.indexOf(s.ID)
	switch {
	case event < 0:
		r.Foreign++
	case f.events.perEvent[event].hasCPU:
		cpu = cpuNumber(s.CPU)
	default:
		if known, ok := f.cpuOfID[s.ID]; ok {
			cpu = known
		}
	}
	if s.Time != 0 {
		if r.First == 0 || int64(s.Time) < r.First {
			r.First = int64(s.Time)
		}
		r.Last = max(r.Last, int64(s.Time))
	}
	r.Books.Count(s, cpu)
	return cpu, event
}
