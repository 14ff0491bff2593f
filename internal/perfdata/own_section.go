package perfdata

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// encodeOwn writes the section. tokens is what a tokenWriter wrote, of size bytes.
func encodeOwn(w io.Writer, o *Own, tokens io.Reader, size int64) error {
	about, err := o.marshalAbout()
	if err != nil {
		return fmt.Errorf("energyprof's section: %w", err)
	}
	places := encodePlaces(o)
	head := make([]byte, ownHeadSize, ownHeadSize+3*ownPartSize)
	copy(head, ownMagic)
	binary.LittleEndian.PutUint32(head[24:], o.version())
	binary.LittleEndian.PutUint32(head[28:], 3)
	at := uint64(cap(head))
	for _, part := range []struct{ kind, size uint64 }{
		{partAbout, uint64(len(about))}, {partPlaces, uint64(len(places))}, {partTokens, uint64(size)},
	} {
		head = binary.LittleEndian.AppendUint64(head, part.kind)
		head = binary.LittleEndian.AppendUint64(head, at)
		head = binary.LittleEndian.AppendUint64(head, part.size)
		at += part.size
	}
	for _, b := range [][]byte{head, about, places} {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	n, err := io.Copy(w, tokens)
	if err == nil && n != size {
		err = fmt.Errorf("energyprof's section: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// isOwn tells whether a section is energyprof's. It is where the header says that names of event
// types are, which perf has not read since Linux 3.4 and writes as none. A feature of our own would
// be the place for it, but perf inject (6.1) crashes on features that it does not know.
func isOwn(r io.ReaderAt, s section) bool {
	var magic [len(ownMagic)]byte
	if s.size < ownHeadSize || s.offset > math.MaxInt64 || s.size > math.MaxInt64-s.offset {
		return false
	}
	_, err := r.ReadAt(magic[:], int64(s.offset))
	return err == nil && string(magic[:]) == ownMagic
}

// decodeOwn reads the section of size bytes at offset. What came between the records stays
// in r until it is replayed.
func decodeOwn(r io.ReaderAt, offset, size int64) (*Own, error) {
	bad := func(format string, args ...any) (*Own, error) {
		return nil, fmt.Errorf("at offset %d: %w: %s", offset, errOwnDamaged, fmt.Sprintf(format, args...))
	}
	var head [ownHeadSize]byte
	if size < ownHeadSize {
		return bad("%d bytes", size)
	}
	if _, err := r.ReadAt(head[:], offset); err != nil {
		return bad("its head: %v", err)
	}
	if string(head[:len(ownMagic)]) != ownMagic {
		return bad("it begins with %q", head[:len(ownMagic)])
	}
	if v := binary.LittleEndian.Uint32(head[24:]); v < ownVersion || v > ownLatest {
		return nil, fmt.Errorf("at offset %d: %w: it is version %d, and this is %d", offset, ErrOwnVersion, v, ownLatest)
	}
	n := int64(binary.LittleEndian.Uint32(head[28:]))
	if n > maxOwnParts || ownHeadSize+n*ownPartSize > size {
		return bad("%d parts", n)
	}
	table := make([]byte, n*ownPartSize)
	if _, err := r.ReadAt(table, offset+ownHeadSize); err != nil {
		return bad("its parts: %v", err)
	}
	o := &Own{}
	have := map[uint64]bool{}
	for ; len(table) > 0; table = table[ownPartSize:] {
		kind, at, length := binary.LittleEndian.Uint64(table), binary.LittleEndian.Uint64(table[8:]), binary.LittleEndian.Uint64(table[16:])
		if at > uint64(size) || length > uint64(size)-at {
			return bad("part %d has %d bytes at %d of %d", kind, length, at, size)
		}
		if have[kind] {
			return bad("part %d is there twice", kind)
		}
		have[kind] = true
		part := io.NewSectionReader(r, offset+int64(at), int64(length))
		var err error
		switch kind {
		case partAbout:
			err = readPart(part, maxAbout, o.unmarshalAbout)
		case partPlaces:
			err = readPart(part, maxPlaces, o.decodePlaces)
		case partTokens:
			o.tokens = part
		}
		if err != nil {
			return bad("part %d: %v", kind, err)
		}
	}
	if !have[partAbout] || !have[partTokens] || !have[partPlaces] {
		return bad("a part is missing")
	}
	return o, nil
}

// readPart reads a whole part and decodes it.
func readPart(part *io.SectionReader, limit int64, decode func([]byte) error) error {
	if part.Size() > limit {
		return fmt.Errorf("it has %d bytes, more than %d", part.Size(), limit)
	}
	// The file may be shorter than it says: memory grows with what is there.
	b, err := io.ReadAll(part)
	if err == nil && int64(len(b)) != part.Size() {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	return decode(b)
}
