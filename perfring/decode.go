package perfring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"
)

// Why a record could not be decoded.
var (
	ErrShort     = errors.New("record is too short")
	ErrMalformed = errors.New("record is malformed")
	ErrUnknownID = errors.New("event id is unknown")
)

// DecodeError says which record could not be decoded, and in which field.
type DecodeError struct {
	Type   RecordType
	Size   int    // bytes of the record
	Field  string // the first field that does not fit
	Reason error  // ErrShort, ErrMalformed or ErrUnknownID
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("decode perf record %v of %d bytes: %s: %v", e.Type, e.Size, e.Field, e.Reason)
}

func (e *DecodeError) Unwrap() error { return e.Reason }

// Decoder turns the bytes of records into structs. It does not allocate for a
// record, and it reads nothing beyond the bytes that it is given, whatever
// they are. One goroutine at a time may use it.
type Decoder struct {
	layouts []*layout
	byID    map[uint64]*layout
	lastID  uint64
	last    *layout // of lastID

	// sampled is the layout that sample holds: only its fields are written.
	sampled *layout

	values  []ReadValue
	aligned []byte // copy of a record that is not aligned to 8 bytes
	records records
}

// records are the structs that Decode returns, one of each kind.
type records struct {
	mmap              Mmap
	mmap2             Mmap2
	lost              Lost
	comm              Comm
	exit              Exit
	fork              Fork
	throttle          Throttle
	unthrottle        Unthrottle
	read              Read
	sample            Sample
	aux               Aux
	itraceStart       ItraceStart
	lostSamples       LostSamples
	swtch             Switch
	switchCPUWide     SwitchCPUWide
	namespaces        Namespaces
	ksymbol           KSymbol
	bpfEvent          BPFEvent
	cgroup            CGroup
	textPoke          TextPoke
	auxOutputHWID     AuxOutputHWID
	callchainDeferred CallchainDeferred
	unknown           Unknown
}

// NewDecoder returns a decoder that knows no event yet.
func NewDecoder() *Decoder {
	return &Decoder{byID: make(map[uint64]*layout)}
}

// Add makes known an event whose records are in the stream, and the ids that
// they name it by. Ids are needed once the stream holds records of different
// shapes. Then all events must carry their id at one place: SampleIdentifier,
// or FormatID with the same fields before it; and all or none must have
// FlagSampleIDAll. Add fails, and leaves the decoder as it was, if a does not
// go with the events before it or has formats that this package does not
// know.
func (d *Decoder) Add(a *Attr, ids ...uint64) error {
	l, err := newLayout(a)
	if err != nil {
		return err
	}
	known := (*layout)(nil)
	for _, have := range d.layouts {
		if both, ok := have.join(l); ok {
			*have = both
			known = have
			break
		}
	}
	if known == nil {
		if err := d.fits(&l); err != nil {
			return err
		}
		known = &l
		d.layouts = append(d.layouts, known)
	}
	for _, id := range ids {
		d.byID[id] = known
	}
	d.last = nil
	return nil
}

// fits checks that the events of l can be told apart from those before it.
func (d *Decoder) fits(l *layout) error {
	if len(d.layouts) == 0 {
		return nil
	}
	first := d.layouts[0]
	switch {
	case l.sampleID == 0 || first.sampleID == 0:
		return errors.New("perf attr: events of different formats in one stream need SampleIdentifier or FormatID")
	case l.sampleIDAll != first.sampleIDAll:
		return errors.New("perf attr: not all events in one stream have FlagSampleIDAll")
	case l.sampleID != first.sampleID || l.trailerID != first.trailerID:
		return errors.New("perf attr: events of different formats in one stream have their id at different places")
	}
	return nil
}

// layoutOf finds the layout of a record of type t.
func (d *Decoder) layoutOf(t RecordType, raw []byte) (*layout, error) {
	if len(d.layouts) == 1 {
		return d.layouts[0], nil
	}
	if len(d.layouts) == 0 {
		return nil, ErrUnknownID
	}
	first := d.layouts[0]
	at := first.sampleID
	if t != RecordSample {
		if !first.sampleIDAll {
			return first, nil
		}
		at = len(raw) - first.trailerID
		if at < headerSize {
			return nil, ErrShort
		}
	}
	if len(raw) < at+8 {
		return nil, ErrShort
	}
	id := binary.NativeEndian.Uint64(raw[at:])
	if id == d.lastID && d.last != nil {
		return d.last, nil
	}
	l, ok := d.byID[id]
	if !ok {
		// Records that perf itself puts into a file have the shape of the first
		// event's and no id.
		if id == 0 && t != RecordSample {
			return first, nil
		}
		return nil, ErrUnknownID
	}
	d.lastID, d.last = id, l
	return l, nil
}

// header reads the header and cuts raw to the size that it names.
func header(raw []byte) (Header, []byte, bool) {
	if len(raw) < headerSize {
		return Header{Size: uint16(len(raw))}, nil, false
	}
	h := Header{
		Type: RecordType(binary.NativeEndian.Uint32(raw)),
		Misc: binary.NativeEndian.Uint16(raw[4:]),
		Size: binary.NativeEndian.Uint16(raw[6:]),
	}
	if h.Size < headerSize || int(h.Size) > len(raw) {
		return h, nil, false
	}
	return h, raw[:h.Size:h.Size], true
}

// Decode decodes one record. The struct and its slices are valid until the
// next call, and no longer than raw is: slices lie in it. Bytes after the
// size that the header names are ignored, and so are fields after the known
// ones. The error is a *DecodeError.
func (d *Decoder) Decode(raw []byte) (Record, error) {
	h, raw, ok := header(raw)
	if !ok {
		return nil, &DecodeError{Type: h.Type, Size: int(h.Size), Field: "header", Reason: ErrShort}
	}
	if uintptr(unsafe.Pointer(&raw[0]))%8 != 0 {
		raw = d.align(raw)
	}
	if h.Type >= recordUserStart {
		r := &d.records.unknown
		*r = Unknown{Header: h, Payload: raw[headerSize:]}
		return r, nil
	}
	l, err := d.layoutOf(h.Type, raw)
	if err != nil {
		return nil, &DecodeError{Type: h.Type, Size: len(raw), Field: "event id", Reason: err}
	}
	if h.Type == RecordSample {
		return d.sample(l, h, raw)
	}
	return d.other(l, h, raw)
}

func (d *Decoder) align(raw []byte) []byte {
	if d.aligned == nil {
		d.aligned = alignedBytes(1 << 16)
	}
	return d.aligned[:copy(d.aligned, raw)]
}

// Time returns the time of a record without decoding the rest of it; ok is
// false if it has none. Records that perf itself put into a file have time 0.
func (d *Decoder) Time(raw []byte) (ns uint64, ok bool) {
	h, raw, ok := header(raw)
	if !ok || h.Type >= recordUserStart {
		return 0, false
	}
	l, err := d.layoutOf(h.Type, raw)
	if err != nil {
		return 0, false
	}
	at := 0
	switch {
	case h.Type == RecordSample:
		at = l.sampleTime
	case l.trailerTime != 0:
		at = len(raw) - l.trailerTime
	case h.Type == RecordThrottle || h.Type == RecordUnthrottle:
		at = headerSize
	case h.Type == RecordFork || h.Type == RecordExit:
		at = headerSize + 16
	}
	if at < headerSize || at+8 > len(raw) {
		return 0, false
	}
	return binary.NativeEndian.Uint64(raw[at:]), true
}
