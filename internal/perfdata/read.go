package perfdata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/energyprof/energyprof/perfring"
)

// DefaultMaxPending bounds the records that are held back for time order, in
// bytes. The rings of a machine with 128 CPUs hold as much.
const DefaultMaxPending = 128 << 20

// maxLeap is how far, in ns, a time can be beyond all before it and still be believed where it is known to
// be wrong at times.
const maxLeap = uint64(time.Hour)

// Read reads all records and hands them on in the order of their times. It can
// be called once. What cannot be read is counted, and when the rest of the file
// cannot be found all before it is handed on nevertheless: see Result.Truncated.
// The error is that of reading the file itself.
//
// perf record writes FINISHED_ROUND whenever it has visited all rings: what is not
// younger than the youngest record of the visit before last cannot be missing any
// more. Without rounds records are held until there are too many.
//
// A file with energyprof's own section is the recording again, call by call.
func (f *File) Read(sink Sink) (*Result, error) {
	if f.read {
		return nil, fmt.Errorf("%s: can be read once", f.name)
	}
	f.read = true
	f.sink = sink
	f.knowEvents()
	f.result.Truncated = -1
	var err error
	if f.Own != nil {
		err = f.replay()
	} else {
		f.noteStacks()
		err = f.records()
		f.zip.stop()
		f.hold.flush(math.MaxUint64, f.deliver)
		f.settleLosses()
		f.flushed(math.MaxInt64)
	}
	f.src.done()
	f.settleBooks()
	f.result.Late = f.hold.late
	f.result.Notes = f.notes.all()
	return &f.result, err
}

// noteStacks says where callers in user code are only to be had from a copy of the stack, and the registers to unwind
// it by (perf record --call-graph dwarf has both) are not there.
func (f *File) noteStacks() {
	const alone = perfring.FlagExcludeCallchainUser
	for i := range f.Events {
		a := &f.Events[i].Attr
		if has := a.SampleFormat; has&perfring.SampleStackUser != 0 && has&perfring.SampleRegsUser == 0 && (a.SampleFormat&perfring.SampleCallchain == 0 || a.Flags&alone != 0) {
			f.notes.add("stacks of user code are copies of memory without registers, by which no callers can be found: --call-graph dwarf records both")
		}
	}
}

// records reads until the end, or to where nothing more can be found.
func (f *File) records() error {
	for {
		rec, offset, err := f.next()
		if err != nil || rec == nil {
			return err
		}
		if err = f.record(rec, offset); err != nil {
			return f.stop(offset, err)
		}
	}
}

// next returns the next record of the file and its place; nil where nothing more can be found.
func (f *File) next() (rec []byte, offset int64, err error) {
	rec, offset, err = f.src.next()
	if errors.Is(err, errEnd) {
		if limit := f.src.limit; limit >= 0 && offset < limit {
			f.truncated(offset, fmt.Errorf("the file ends %d bytes before its data do: %w", limit-offset, ErrDamaged))
		}
		return nil, offset, nil
	}
	if err != nil {
		return nil, offset, f.stop(offset, err)
	}
	return rec, offset, nil
}

// stop notes why nothing more can be read. Only what is not the fault of the
// file's content is an error.
func (f *File) stop(offset int64, err error) error {
	f.truncated(offset, err)
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrUnsupported) {
		return nil
	}
	return fmt.Errorf("%s: at %#x: %w", f.name, offset, err)
}

func (f *File) truncated(offset int64, err error) {
	f.result.Truncated, f.result.Reason = offset, err
}

// record takes one record of the file.
func (f *File) record(rec []byte, offset int64) error {
	kind, _ := head8(rec, f.swap)
	if kind < recUserStart {
		f.kernel(rec, &f.src.window)
		return nil
	}
	switch kind {
	case recFinishedRound:
		f.round()
	case recCompressed:
		return f.compressed(rec[recordHeader:])
	case recCompressed2:
		c := fields{b: rec[recordHeader:], order: f.order}
		payload := c.take(c.u64())
		if c.bad {
			return fmt.Errorf("a compressed record says that it is longer than its %d bytes: %w", len(rec), ErrDamaged)
		}
		return f.compressed(payload)
	default:
		known := len(f.Events)
		if err := f.userRecord(kind, rec, offset); err != nil {
			return err
		}
		if len(f.Events) != known { // as perf inject may do
			f.nameEvents()
			f.knowEvents()
		}
	}
	return nil
}

// compressed takes the payload of a compressed record.
func (f *File) compressed(payload []byte) error {
	if f.size < 0 && f.zip.decoder == nil {
		f.zip.small = len(payload) < largePayload
	}
	return f.zip.add(payload, f.decompressed)
}

// decompressed takes the whole records that were unpacked.
func (f *File) decompressed() error {
	w := &f.zip.window
	for {
		n := int(min(f.zip.skip, uint64(w.end-w.start)))
		w.start += n
		f.zip.skip -= uint64(n)
		b := w.bytes()
		if len(b) < recordHeader {
			return nil
		}
		kind, size := head8(b, f.swap)
		if recAndroid <= kind && kind < maxRecordType {
			var err error
			if f.zip.skip, err = androidSize(b, size, f.swap); err != nil {
				return err
			}
			continue
		}
		if size < recordHeader || kind >= maxRecordType {
			return fmt.Errorf("what was compressed is no record (type %#x, %d bytes): %w", uint32(kind), size, ErrDamaged)
		}
		if len(b) < size {
			return nil
		}
		rec := b[:size:size]
		w.start += size
		switch {
		case kind < recUserStart:
			f.kernel(rec, w)
			continue
		case kind == recFinishedRound:
			f.round()
		case kind == recCompressed, kind == recCompressed2, kind == recAuxtrace, kind == recHeaderTracingData:
			// perf compresses what comes from rings, and nothing of its own.
			f.result.Books.CountBad(-1, 1)
		}
	}
}

// growing tells of the records that kernels up to 6.18 make longer for each event that gets them, with nothing in what
// is longer (perf_event_ksymbol_output and perf_event_bpf_output do not restore the size): the time at their end is none.
func growing(rec []byte) bool {
	kind := perfring.RecordType(binary.NativeEndian.Uint32(rec))
	return kind == perfring.RecordKSymbol || kind == perfring.RecordBPFEvent
}

// kernel takes a record of the kernel, which ends where the window begins: it is
// held until its time has come.
func (f *File) kernel(rec []byte, w *window) {
	if f.swap {
		f.swapRecord(rec)
	}
	t, ok := f.events.decoder.Time(rec)
	if !ok {
		// It was written after those before it: of kernels before 2.6.38 only
		// samples have times.
		t = f.last
	}
	switch {
	case t == 0: // perf itself made it up, of what was there before
		f.deliver(rec)
		return
	case f.youngest > 0 && t > f.youngest+maxLeap && growing(rec):
		t = f.last
	case t > math.MaxInt64: // in 292 years
		f.result.Books.CountBad(-1, 1)
		return
	}
	f.last = t
	f.youngest = max(f.youngest, t)
	f.hold.add(t, w.at, w.start-len(rec))
	if f.hold.full() {
		f.flushed(int64(f.hold.relieve(f.deliver)))
	}
}

// round ends a visit of all rings.
func (f *File) round() {
	if f.until > 0 {
		f.hold.flush(f.until, f.deliver)
		f.flushed(int64(f.until))
	}
	f.until = f.youngest
}

// flushed says that all that is not younger than t has been delivered.
func (f *File) flushed(t int64) {
	f.energy.deliver()
	f.sink.Advance(t)
}
