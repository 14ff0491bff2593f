package symbol

import (
	"cmp"
	"debug/elf"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/energyprof/energyprof/internal/cursor"
)

// section is a section header with its name looked up.
type section struct {
	name                     string
	kind                     elf.SectionType
	flags                    elf.SectionFlag
	addr, off, size, entsize uint64
	link                     uint32
}

// segment is a program header.
type segment struct {
	kind                        elf.ProgType
	exec                        bool
	off, vaddr, filesz, memsize uint64
}

// image is the frame of an ELF file: what its headers say, nothing of its
// contents. Only little-endian files: no Linux of amd64 or arm64 as we build
// for them runs others.
type image struct {
	r        io.ReaderAt
	size     uint64
	wide     bool // 64-bit
	machine  elf.Machine
	entry    uint64 // where the program begins, 0 for none
	sections []section
	segments []segment
	code     []segment // the executable ones, by address
	unpacked int64     // bytes of .gnu_debugdata, once they have been read
}

// maxSegments is far above what a linker writes; ELF itself allows 65,534.
const maxSegments = 4096

func formatError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// readImage reads the headers. Sections that are damaged leave the image
// without sections and give an error beside it: names may be lost, but the
// segments and the build id are still good.
func readImage(r io.ReaderAt, size int64, lim Limits) (*image, error) {
	if size < 52 {
		return nil, formatError("%d bytes are too few for a header", max(size, 0))
	}
	im := &image{r: r, size: uint64(size)}
	head := make([]byte, min(64, size))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	}
	if string(head[:4]) != elf.ELFMAG {
		return nil, formatError("no ELF magic")
	}
	if elf.Data(head[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return nil, formatError("not little-endian")
	}
	switch elf.Class(head[elf.EI_CLASS]) {
	case elf.ELFCLASS32:
	case elf.ELFCLASS64:
		im.wide = true
	default:
		return nil, formatError("class %d", head[elf.EI_CLASS])
	}
	c := cursor.Cursor{Bytes: head, Pos: 18}
	im.machine = elf.Machine(c.U16())
	c.Take(4) // version
	im.entry = c.Word(im.wide)
	phoff, shoff := c.Word(im.wide), c.Word(im.wide)
	c.Take(6) // flags, ehsize
	phentsize, phnum := c.U16(), c.U16()
	shentsize, shnum, shstrndx := c.U16(), uint32(c.U16()), uint32(c.U16())
	if c.Bad {
		return nil, formatError("header cut short")
	}
	if err := im.readSegments(phoff, phentsize, phnum); err != nil {
		return nil, err
	}
	if shoff == 0 {
		im.sections = im.unwindSections()
		return im, nil
	}
	if err := im.readSections(shoff, shentsize, shnum, shstrndx, lim); err != nil {
		im.sections = im.unwindSections()
		return im, err
	}
	return im, nil
}

// bytes reads [off,off+n), which must lie in the file.
func (im *image) bytes(off, n uint64) ([]byte, error) {
	if off > im.size || n > im.size-off {
		return nil, formatError("%d bytes at %#x lie outside the file of %d", n, off, im.size)
	}
	b := make([]byte, n)
	if _, err := im.r.ReadAt(b, int64(off)); err != nil && err != io.EOF {
		return nil, err
	}
	return b, nil
}

func (im *image) readSegments(off uint64, entsize, n uint16) error {
	if n == 0 {
		return nil
	}
	want := uint16(32)
	if im.wide {
		want = 56
	}
	if entsize != want || n > maxSegments {
		return formatError("%d program headers of %d bytes", n, entsize)
	}
	b, err := im.bytes(off, uint64(n)*uint64(want))
	if err != nil {
		return fmt.Errorf("program headers: %w", err)
	}
	c := cursor.Cursor{Bytes: b}
	im.segments = make([]segment, 0, n)
	for range n {
		var s segment
		var flags uint32
		s.kind = elf.ProgType(c.U32())
		if im.wide {
			flags = c.U32()
		}
		s.off, s.vaddr = c.Word(im.wide), c.Word(im.wide)
		c.Word(im.wide) // physical address
		s.filesz, s.memsize = c.Word(im.wide), c.Word(im.wide)
		if !im.wide {
			flags = c.U32()
		}
		c.Word(im.wide) // alignment
		s.exec = flags&uint32(elf.PF_X) != 0
		im.segments = append(im.segments, s)
		if s.kind == elf.PT_LOAD && s.exec {
			im.code = append(im.code, s)
		}
	}
	slices.SortStableFunc(im.code, func(a, b segment) int { return cmp.Compare(a.vaddr, b.vaddr) })
	return nil
}

func (im *image) readSections(off uint64, entsize uint16, n, names uint32, lim Limits) error {
	want := uint16(40)
	if im.wide {
		want = 64
	}
	if entsize != want {
		return formatError("section headers of %d bytes", entsize)
	}
	// With more than 65,279 sections the true numbers are in the first header.
	if n == 0 || names == uint32(elf.SHN_XINDEX) {
		b, err := im.bytes(off, uint64(want))
		if err != nil {
			return fmt.Errorf("first section header: %w", err)
		}
		_, first := im.readSection(&cursor.Cursor{Bytes: b})
		if n == 0 {
			if first.size > uint64(lim.Sections) {
				return fmt.Errorf("%w: %d sections", ErrLimit, first.size)
			}
			n = uint32(first.size)
		}
		if names == uint32(elf.SHN_XINDEX) {
			names = first.link
		}
	}
	if int64(n) > int64(lim.Sections) {
		return fmt.Errorf("%w: %d sections", ErrLimit, n)
	}
	b, err := im.bytes(off, uint64(n)*uint64(want))
	if err != nil {
		return fmt.Errorf("section headers: %w", err)
	}
	c := cursor.Cursor{Bytes: b}
	sections := make([]section, n)
	nameOff := make([]uint32, n)
	for i := range sections {
		nameOff[i], sections[i] = im.readSection(&c)
	}
	if names >= n {
		return formatError("section names in section %d of %d", names, n)
	}
	tab := sections[names]
	if int64(tab.size) > lim.TableBytes || tab.size > im.size {
		return fmt.Errorf("%w: section names of %d bytes", ErrLimit, tab.size)
	}
	strs, err := im.bytes(tab.off, tab.size)
	if err != nil {
		return fmt.Errorf("section names: %w", err)
	}
	blob := string(strs)
	for i := range sections {
		sections[i].name = cstring(blob, uint64(nameOff[i]), maxSectionName)
	}
	im.sections = sections
	return nil
}

// maxSectionName cuts section names: none that matters here is longer.
const maxSectionName = 64

func (im *image) readSection(c *cursor.Cursor) (name uint32, s section) {
	name = c.U32()
	s.kind = elf.SectionType(c.U32())
	s.flags = elf.SectionFlag(c.Word(im.wide))
	s.addr, s.off, s.size = c.Word(im.wide), c.Word(im.wide), c.Word(im.wide)
	s.link = c.U32()
	c.U32()         // info
	c.Word(im.wide) // alignment
	s.entsize = c.Word(im.wide)
	return name, s
}

func (im *image) section(name string) *section {
	for i := range im.sections {
		if im.sections[i].name == name {
			return &im.sections[i]
		}
	}
	return nil
}

func (im *image) sectionOfKind(kind elf.SectionType) *section {
	for i := range im.sections {
		if im.sections[i].kind == kind {
			return &im.sections[i]
		}
	}
	return nil
}

// vaddr gives the address in the file's own numbering of the byte at file
// offset off. Where two segments share a page of the file the executable one
// wins, as only it is sampled.
func (im *image) vaddr(off uint64) (uint64, bool) {
	found := false
	var v uint64
	for _, s := range im.segments {
		if s.kind != elf.PT_LOAD || off < s.off || off-s.off >= s.filesz {
			continue
		}
		if s.exec {
			return off - s.off + s.vaddr, true
		}
		if !found {
			v, found = off-s.off+s.vaddr, true
		}
	}
	return v, found
}

// executable says whether [lo,hi) lies in an executable segment. Without any
// nothing can be said and everything passes. It is asked for every range of
// the debug information, so it must not walk the segments.
func (im *image) executable(lo, hi uint64) bool {
	i := sort.Search(len(im.code), func(i int) bool { return im.code[i].vaddr > lo }) - 1
	if i < 0 {
		return len(im.code) == 0
	}
	s := im.code[i]
	return lo-s.vaddr < s.memsize && hi-s.vaddr <= s.memsize
}
