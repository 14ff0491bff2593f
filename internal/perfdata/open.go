package perfdata

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"

	"github.com/energyprof/energyprof/perfring"
)

// NewFile is Open for what can be read at any place; name is for messages.
func NewFile(at io.ReaderAt, size int64, name string) (*File, error) {
	f := &File{name: name, at: at, size: size}
	head := make([]byte, headerSize)
	n, err := at.ReadAt(head, 0)
	if n < len(head) && err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	head = head[:n]
	pipe, err := f.magic(head)
	if err != nil {
		return nil, err
	}
	if pipe {
		f.source(io.NewSectionReader(at, pipeHeaderSize, size-pipeHeaderSize), pipeHeaderSize, -1)
		return f.begin()
	}
	if err := f.fileHeader(head); err != nil {
		return nil, err
	}
	if err := f.attributes(); err != nil {
		return nil, err
	}
	h := &f.header
	limit := int64(-1)
	if h.data.size == 0 {
		f.notes.add("the header does not say where the data end: perf record was not ended in order")
	} else {
		if err := f.featureSections(); err != nil {
			return nil, err
		}
		limit = int64(h.data.offset + h.data.size)
	}
	if err := f.findOwn(); err != nil {
		return nil, err
	}
	f.source(io.NewSectionReader(at, int64(h.data.offset), max(0, size-int64(h.data.offset))), int64(h.data.offset), limit)
	return f.begin()
}

// NewReader is Open for what comes through a pipe; name is for messages.
func NewReader(r io.Reader, name string) (*File, error) {
	f := &File{name: name, size: -1}
	head := make([]byte, pipeHeaderSize)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	pipe, err := f.magic(head[:n])
	if err != nil {
		return nil, err
	}
	if !pipe {
		return nil, fmt.Errorf("%s: a perf.data file with sections, which a pipe cannot bring: %w", name, ErrUnsupported)
	}
	f.source(r, pipeHeaderSize, -1)
	return f.begin()
}

// source prepares reading records at a place of the file.
func (f *File) source(r io.Reader, offset, limit int64) {
	p := &pool{size: blockSize}
	if f.size >= 0 {
		p.size = int(min(f.size, blockSize))
	}
	f.src = &source{r: r, swap: f.swap, window: window{pool: p}, offset: offset, limit: limit}
	f.hold = hold{pool: p, max: DefaultMaxPending}
	f.zip = unzip{window: window{pool: p}, small: f.size >= 0 && f.size < largeFile}
}

// magic finds the format and the byte order from the first bytes.
func (f *File) magic(head []byte) (pipe bool, err error) {
	if len(head) < pipeHeaderSize {
		return false, fmt.Errorf("%s: %d bytes are too few: %w", f.name, len(head), ErrNotPerfData)
	}
	reversed := []byte(magic2)
	for i := range reversed {
		reversed[i] = magic2[len(magic2)-1-i]
	}
	switch {
	case string(head[:8]) == magic2:
		f.order = binary.LittleEndian
	case bytes.Equal(head[:8], reversed):
		f.order = binary.BigEndian
	case string(head[:8]) == magic1:
		// The number after it tells the byte order.
		f.order = binary.LittleEndian
		if head[8] == 0 {
			f.order = binary.BigEndian
		}
	case string(head[:2]) == gzipMagic:
		return false, fmt.Errorf("%s: compressed by gzip, as a pprof profile is: %w", f.name, ErrNotPerfData)
	case bytes.Count(head, []byte{0}) == len(head):
		return false, fmt.Errorf("%s: begins with zeros, as does a recording that was killed before it wrote its header: %w", f.name, ErrNotPerfData)
	default:
		return false, fmt.Errorf("%s: begins with %q: %w", f.name, head[:8], ErrNotPerfData)
	}
	f.swap = f.order.Uint16([]byte{1, 0}) != nativeUint16([]byte{1, 0})
	return f.order.Uint64(head[8:]) == pipeHeaderSize, nil
}

// fileHeader reads struct perf_file_header.
func (f *File) fileHeader(head []byte) error {
	if len(head) < headerSizeNoFeatures {
		return fmt.Errorf("%s: the header has %d bytes: %w", f.name, len(head), ErrDamaged)
	}
	c := fields{b: head[8:], order: f.order}
	h := &f.header
	h.size, h.attrSize = c.u64(), c.u64()
	for _, s := range []*section{&h.attrs, &h.data, &h.eventTypes} {
		s.offset, s.size = c.u64(), c.u64()
	}
	if h.size != headerSize && h.size != headerSizeNoFeatures {
		return fmt.Errorf("%s: at 0x8: the header says that it has %d bytes: %w", f.name, h.size, ErrDamaged)
	}
	if h.size == headerSize {
		for i := range h.features {
			h.features[i] = c.u64()
		}
		// The bits are in numbers of the size of a long: halves of 64 bits
		// on a 32-bit machine. All files since Linux 2.6.34 have a host name.
		const hostname = 1 << featHostname
		if f.order == binary.BigEndian && h.features[0]&hostname == 0 && bits.RotateLeft64(h.features[0], 32)&hostname != 0 {
			for i, word := range h.features {
				h.features[i] = bits.RotateLeft64(word, 32)
			}
		}
	}
	size := uint64(f.size)
	switch {
	case c.bad:
		return fmt.Errorf("%s: the header is cut short: %w", f.name, ErrDamaged)
	case h.attrSize < minAttr+sectionSize || h.attrSize > maxAttr:
		return fmt.Errorf("%s: at 0x10: attributes of %d bytes: %w", f.name, h.attrSize, ErrDamaged)
	case h.attrs.size > size || h.attrs.offset > size-h.attrs.size:
		return fmt.Errorf("%s: at 0x18: the attributes (%d bytes at %#x) lie beyond the end of the file: %w", f.name, h.attrs.size, h.attrs.offset, ErrDamaged)
	case h.data.offset > size || h.data.size > math.MaxInt64-h.data.offset:
		return fmt.Errorf("%s: at 0x28: the data (%d bytes at %#x) lie beyond the end of the file: %w", f.name, h.data.size, h.data.offset, ErrDamaged)
	}
	return nil
}

const (
	minAttr = 64      // struct perf_event_attr of Linux 2.6.31
	maxAttr = 1 << 12 // far beyond that of any
)

// attributes reads the events of a file with sections.
func (f *File) attributes() error {
	h := &f.header
	n := h.attrs.size / h.attrSize
	if n > maxEvents {
		return fmt.Errorf("%s: at %#x: %d events: %w", f.name, h.attrs.offset, n, ErrUnsupported)
	}
	b := make([]byte, n*h.attrSize)
	if got, err := f.at.ReadAt(b, int64(h.attrs.offset)); got < len(b) {
		return fmt.Errorf("%s: attributes at %#x: %w", f.name, h.attrs.offset, err)
	}
	budget := uint64(f.size) // of ids: sections that overlap are no reason to read the file many times
	for i := range n {
		place := h.attrs.offset + i*h.attrSize
		entry := b[i*h.attrSize : (i+1)*h.attrSize]
		c := fields{b: entry[h.attrSize-sectionSize:], order: f.order}
		ids := section{c.u64(), c.u64()}
		if ids.size > budget || ids.offset > uint64(f.size)-ids.size {
			return fmt.Errorf("%s: at %#x: the ids of event %d (%d bytes at %#x) lie beyond the end of the file: %w",
				f.name, place, i, ids.size, ids.offset, ErrDamaged)
		}
		budget -= ids.size
		raw := make([]byte, ids.size/8*8)
		if got, err := f.at.ReadAt(raw, int64(ids.offset)); got < len(raw) {
			return fmt.Errorf("%s: ids at %#x: %w", f.name, ids.offset, err)
		}
		if err := f.addEvent(entry[:h.attrSize-sectionSize], raw); err != nil {
			return fmt.Errorf("%s: at %#x: %w", f.name, place, err)
		}
	}
	return nil
}

// addEvent takes the bytes of an attribute and of its ids.
func (f *File) addEvent(attr, ids []byte) error {
	b := bytes.Clone(attr)
	if f.swap {
		swapAttr(b)
	}
	// A file that perf inject wrote anew may have moved attributes of an older
	// kernel into larger room.
	if size := binary.NativeEndian.Uint32(b[4:]); uint64(size) > uint64(len(b)) {
		return fmt.Errorf("event %d has an attribute of %d bytes in %d: %w", len(f.Events), size, len(b), ErrDamaged)
	}
	e := Event{Leader: len(f.Events)}
	if err := e.Attr.UnmarshalBinary(b); err != nil {
		return fmt.Errorf("event %d: %w: %w", len(f.Events), err, ErrDamaged)
	}
	c := fields{b: ids, order: f.order}
	for len(c.b) >= 8 {
		e.IDs = append(e.IDs, c.u64())
	}
	e.Clock = isClock(&e.Attr)
	if err := f.events.add(&e); err != nil {
		return err
	}
	f.Events = append(f.Events, e)
	f.named = append(f.named, false)
	return nil
}

// begin reads the records before the first of a kernel, which describe the
// events, and then settles what is known of them.
func (f *File) begin() (*File, error) {
	f.cpuOfID, f.ofThread = make(map[uint64]int), make(map[uint64]bool)
	f.counts = make(map[counterKey]uint64)
	for {
		rec, offset, err := f.src.next()
		if err != nil {
			if !errors.Is(err, errEnd) && len(f.Events) == 0 {
				return nil, fmt.Errorf("%s: at %#x: %w", f.name, offset, err)
			}
			break // Read will find it, too
		}
		kind, _ := head8(rec, f.swap)
		if !describes(kind) {
			f.src.back(rec)
			break
		}
		if err := f.userRecord(kind, rec, offset); err != nil {
			return nil, fmt.Errorf("%s: at %#x: %w", f.name, offset, err)
		}
	}
	if len(f.Events) == 0 {
		return nil, fmt.Errorf("%s: %w", f.name, ErrNoEvents)
	}
	f.settle()
	return f, nil
}

// describes tells of the records that may precede those of the kernel.
func describes(kind perfring.RecordType) bool {
	switch kind {
	case recHeaderAttr, recHeaderEventType, recHeaderTracingData, recHeaderBuildID, recIDIndex, recAuxtraceInfo,
		recThreadMap, recCPUMap, recStatConfig, recEventUpdate, recTimeConv, recHeaderFeature, recBPFMetadata:
		return true
	}
	return false
}

// settle fills in what is not said of the events but follows.
func (f *File) settle() {
	f.events.index()
	f.nameEvents()
	for _, g := range f.Info.Groups {
		for i := g.Leader; i < g.Leader+g.Members && i < len(f.Events); i++ {
			f.Events[i].Leader = g.Leader
		}
	}
	f.clock()
	f.findEnergy()
}

// nameEvents names the events of which the file has no names.
func (f *File) nameEvents() {
	for i := range f.Events {
		if e := &f.Events[i]; !f.named[i] {
			e.Name = f.nameOf(&e.Attr)
		}
	}
}

// clock tells which clock the events were asked to use: that of the first that samples.
func (f *File) clock() {
	for i := range f.Events {
		e := &f.Events[i]
		if !e.Sampled() && len(f.Events) > 1 {
			continue
		}
		if e.Attr.Flags&perfring.FlagUseClockID != 0 {
			f.Info.Clock.Known, f.Info.Clock.ID = true, e.Attr.ClockID
		}
		return
	}
}
