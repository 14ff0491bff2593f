package symbol

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"

	"github.com/energyprof/energyprof/internal/cursor"
)

// debugData is a section of debug information. A plain one is read from the
// file in pieces, because of a big one only little is looked at; a compressed
// one is in memory.
type debugData struct {
	r    io.ReaderAt // nil when mem holds the section
	off  uint64
	size uint64
	mem  []byte
	work *int64 // what may still be examined, shared by the sections of a file
	buf  []byte
}

// at gives up to n bytes from off on, fewer at the end, none when the work is
// used up. They are valid until the next call. No section reads as an empty one.
func (d *debugData) at(off, n uint64) []byte {
	if d == nil || off >= d.size {
		return nil
	}
	n = min(n, d.size-off)
	if *d.work < int64(n) {
		*d.work = 0
		return nil
	}
	*d.work -= int64(n)
	if d.r == nil {
		return d.mem[off : off+n]
	}
	if uint64(cap(d.buf)) < n {
		d.buf = make([]byte, n)
	}
	got, err := d.r.ReadAt(d.buf[:n], int64(d.off+off))
	if err != nil && err != io.EOF {
		return nil
	}
	return d.buf[:got]
}

// str reads the string at off, cut at maxDebugString.
func (d *debugData) str(off uint64) string {
	for _, n := range []uint64{256, maxDebugString} {
		b := d.at(off, n)
		if i := bytes.IndexByte(b, 0); i >= 0 {
			return string(b[:i])
		}
		if uint64(len(b)) < n || n == maxDebugString {
			return string(b)
		}
	}
	return ""
}

// maxDebugString is PATH_MAX: the strings wanted are names of files.
const maxDebugString = 4096

// debugSection finds section name (".debug_info"), plain, compressed, or as it was compressed before there was a
// standard for it. Nil if it has no contents. Of several the last is taken: gcc -fdebug-types-section writes
// each type to a .debug_info.dwo of its own, ahead of that of the unit.
func (im *image) debugSection(name string) (s *section, legacy bool) {
	for i := range im.sections {
		if im.sections[i].name == name {
			s = &im.sections[i]
		}
	}
	if s == nil {
		s, legacy = im.section(".z"+name[1:]), true
	}
	if s == nil || s.kind == elf.SHT_NOBITS || s.size == 0 {
		return nil, false
	}
	return s, legacy
}

// openDebug opens section name (".debug_info"). A missing
// section is nil without an error. What is decompressed is taken from budget.
func (im *image) openDebug(name string, work, budget *int64) (*debugData, error) {
	s, legacy := im.debugSection(name)
	if s == nil {
		return nil, nil
	}
	if s.off > im.size || s.size > im.size-s.off {
		return nil, formatError("%s lies outside the file", name)
	}
	if !legacy && s.flags&elf.SHF_COMPRESSED == 0 {
		return &debugData{r: im.r, off: s.off, size: s.size, work: work}, nil
	}
	b, err := im.decompress(s, legacy, budget)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &debugData{mem: b, size: uint64(len(b)), work: work}, nil
}

// maxInflation is beyond what DEFLATE can reach (1032:1); a header that claims
// more lies, and must not make us allocate what it claims.
const maxInflation = 1040

// compression reads the header of a compressed section: the kind, the size of what is in it, and where that begins.
func (im *image) compression(s *section, legacy bool) (kind elf.CompressionType, size, headLen uint64, err error) {
	headLen = 12
	if im.wide && !legacy {
		headLen = 24
	}
	head, err := im.bytes(s.off, headLen)
	if err != nil || s.size < headLen {
		return 0, 0, 0, formatError("compressed section of %d bytes", s.size)
	}
	if legacy {
		if string(head[:4]) != "ZLIB" {
			return 0, 0, 0, formatError("no ZLIB magic")
		}
		return elf.COMPRESS_ZLIB, binary.BigEndian.Uint64(head[4:]), headLen, nil
	}
	c := cursor.Cursor{Bytes: head}
	kind = elf.CompressionType(c.U32())
	if im.wide {
		c.U32() // reserved
	}
	return kind, c.Word(im.wide), headLen, nil
}

// inflated is how large section name is said to be when it is decompressed, 0 for one that is not compressed.
func (im *image) inflated(name string) (uint64, error) {
	s, legacy := im.debugSection(name)
	if s == nil || !legacy && s.flags&elf.SHF_COMPRESSED == 0 {
		return 0, nil
	}
	_, size, _, err := im.compression(s, legacy)
	return size, err
}

func (im *image) decompress(s *section, legacy bool, budget *int64) ([]byte, error) {
	kind, size, headLen, err := im.compression(s, legacy)
	if err != nil {
		return nil, err
	}
	if *budget < 0 || size > uint64(*budget) {
		return nil, fmt.Errorf("%w: %d bytes decompressed", ErrLimit, size)
	}
	payload := io.NewSectionReader(im.r, int64(s.off+headLen), int64(s.size-headLen))
	switch kind {
	case elf.COMPRESS_ZLIB:
		if size > (s.size-headLen)*maxInflation {
			return nil, formatError("%d bytes cannot hold %d", s.size-headLen, size)
		}
		z, err := zlib.NewReader(bufio.NewReaderSize(payload, int(min(s.size, 256<<10))))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		*budget -= int64(size)
		return readRoom(z, size, size)
	case elf.COMPRESS_ZSTD:
		if s.size > uint64(*budget) {
			return nil, fmt.Errorf("%w: %d compressed bytes", ErrLimit, s.size)
		}
		z, err := zstdReader(payload, size)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		*budget -= int64(size)
		return readExactly(z, size)
	}
	return nil, formatError("compression %d", kind)
}

// surelyThere is what is allocated for a section before any of it has come: more only
// where the compressed bytes can hold it. Pages of it that are not written cost nothing.
const surelyThere = 64 << 20

// readExactly reads a section of size bytes, which need not be true.
func readExactly(r io.Reader, size uint64) ([]byte, error) { return readRoom(r, size, surelyThere) }

// readRoom reads a section of size bytes. It allocates room at first, and the rest when that has come.
func readRoom(r io.Reader, size, room uint64) ([]byte, error) {
	out := make([]byte, min(size, room))
	n, err := io.ReadFull(r, out)
	if err == nil && uint64(n) < size {
		out = append(make([]byte, 0, size), out...)[:size]
		var more int
		more, err = io.ReadFull(r, out[n:])
		n += more
	}
	if err != nil {
		return nil, formatError("%d bytes decompressed of %d: %v", n, size, err)
	}
	return out, nil
}

// zstdReader decompresses with the standard library, which has zstd for ELF
// sections alone: the payload is wrapped into an ELF file of one section.
func zstdReader(payload *io.SectionReader, size uint64) (io.Reader, error) {
	const headLen, shLen, chLen, names = 64, 64, 24, "\x00x\x00"
	n := uint64(payload.Size())
	b := make([]byte, headLen+chLen, headLen+chLen+n+uint64(len(names))+3*shLen)
	le := binary.LittleEndian
	copy(b, elf.ELFMAG)
	b[elf.EI_CLASS], b[elf.EI_DATA], b[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	le.PutUint16(b[16:], uint16(elf.ET_REL))
	le.PutUint16(b[18:], uint16(elf.EM_X86_64))
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[40:], headLen+chLen+n+uint64(len(names))) // section headers
	le.PutUint16(b[52:], headLen)
	le.PutUint16(b[58:], shLen)
	le.PutUint16(b[60:], 3)
	le.PutUint16(b[62:], 2)
	le.PutUint32(b[headLen:], uint32(elf.COMPRESS_ZSTD))
	le.PutUint64(b[headLen+8:], size)
	le.PutUint64(b[headLen+16:], 1)
	b = b[:uint64(len(b))+n]
	if _, err := payload.ReadAt(b[headLen+chLen:], 0); err != nil && err != io.EOF {
		return nil, err
	}
	b = append(b, names...)
	header := func(name uint32, kind elf.SectionType, flags elf.SectionFlag, off, size uint64) {
		var h [shLen]byte
		le.PutUint32(h[0:], name)
		le.PutUint32(h[4:], uint32(kind))
		le.PutUint64(h[8:], uint64(flags))
		le.PutUint64(h[24:], off)
		le.PutUint64(h[32:], size)
		le.PutUint64(h[48:], 1)
		b = append(b, h[:]...)
	}
	header(0, elf.SHT_NULL, 0, 0, 0)
	header(1, elf.SHT_PROGBITS, elf.SHF_COMPRESSED, headLen, chLen+n)
	header(0, elf.SHT_STRTAB, 0, headLen+chLen+n, uint64(len(names)))
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return f.Sections[1].Open(), nil
}
