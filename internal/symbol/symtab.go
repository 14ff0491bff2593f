package symbol

import (
	"bufio"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// loadSymbols reads the function symbols of the image: .symtab, else that of
// its debug file (which may be nil), else .dynsym and what .gnu_debugdata adds to
// it; and the stubs of the procedure linkage table. The table is never nil; an error says what it lacks.
func (im *image) loadSymbols(debug *image, lim Limits) (*table, error) {
	var names strings.Builder
	from, sec := im, im.symbolSection()
	if debug != nil && (sec == nil || sec.kind != elf.SHT_SYMTAB) {
		if s := debug.symbolSection(); s != nil && s.kind == elf.SHT_SYMTAB {
			from, sec = debug, s
		}
	}
	var all []candidate
	var errs []error
	if sec != nil {
		var err error
		if all, err = from.readSymbols(sec, &names, lim); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", sec.kind, err))
		}
	}
	if sec == nil || sec.kind != elf.SHT_SYMTAB {
		mini, err := im.readMiniSymbols(&names, lim)
		if err != nil {
			errs = append(errs, fmt.Errorf(".gnu_debugdata: %w", err))
		}
		all = append(all, mini...)
	}
	stubs, err := im.readPLT(all, &names, lim)
	if err != nil {
		errs = append(errs, fmt.Errorf("plt: %w", err))
	}
	return newTable(append(all, stubs...), names.String()), errors.Join(errs...)
}

// readMiniSymbols reads the symbols that .gnu_debugdata has beside those of .dynsym.
func (im *image) readMiniSymbols(names *strings.Builder, lim Limits) ([]candidate, error) {
	mini, err := im.miniDebug(lim)
	if mini == nil {
		return nil, err
	}
	sec := mini.symbolSection()
	if sec == nil {
		return nil, nil
	}
	return mini.readSymbols(sec, names, lim)
}

// symbolSection is .symtab, else .dynsym, if it has contents: in a debug file
// .dynsym has none.
func (im *image) symbolSection() *section {
	for _, kind := range []elf.SectionType{elf.SHT_SYMTAB, elf.SHT_DYNSYM} {
		if s := im.sectionOfKind(kind); s != nil && s.size > 0 {
			return s
		}
	}
	return nil
}

// symbolEntry is the part of Elf64_Sym or Elf32_Sym that matters.
type symbolEntry struct {
	name        uint32
	info        uint8
	section     uint16
	value, size uint64
}

// symbolReader checks the bounds of a symbol table and reads it entry by entry.
func (im *image) symbolReader(sec *section, lim Limits) (r io.Reader, entry, n int, err error) {
	entry = 16
	if im.wide {
		entry = 24
	}
	if sec.flags&elf.SHF_COMPRESSED != 0 {
		return nil, 0, 0, formatError("compressed symbol table")
	}
	if sec.off > im.size || sec.size > im.size-sec.off {
		return nil, 0, 0, formatError("symbol table outside the file")
	}
	if sec.size > uint64(lim.TableBytes) {
		return nil, 0, 0, fmt.Errorf("%w: symbol table of %d bytes", ErrLimit, sec.size)
	}
	section := io.NewSectionReader(im.r, int64(sec.off), int64(sec.size))
	return bufio.NewReaderSize(section, 64<<10), entry, int(sec.size) / entry, nil
}

func (im *image) parseSymbol(b []byte) symbolEntry {
	le := binary.LittleEndian
	if im.wide {
		return symbolEntry{le.Uint32(b), b[4], le.Uint16(b[6:]), le.Uint64(b[8:]), le.Uint64(b[16:])}
	}
	return symbolEntry{le.Uint32(b), b[12], le.Uint16(b[14:]), uint64(le.Uint32(b[4:])), uint64(le.Uint32(b[8:]))}
}

// readStrings appends the string table of sec to names and gives the offset
// at which it starts there.
func (im *image) readStrings(sec *section, names *strings.Builder, lim Limits) (base, size uint64, err error) {
	if uint64(sec.link) >= uint64(len(im.sections)) {
		return 0, 0, formatError("string table is section %d of %d", sec.link, len(im.sections))
	}
	strs := im.sections[sec.link]
	if strs.kind != elf.SHT_STRTAB || strs.off > im.size || strs.size > im.size-strs.off {
		return 0, 0, formatError("string table outside the file")
	}
	if strs.size > uint64(lim.TableBytes) {
		return 0, 0, fmt.Errorf("%w: string table of %d bytes", ErrLimit, strs.size)
	}
	base = uint64(names.Len())
	names.Grow(int(strs.size) + 1)
	n, err := io.Copy(names, io.NewSectionReader(im.r, int64(strs.off), int64(strs.size)))
	names.WriteByte(0)
	return base, uint64(n), err
}

func (im *image) readSymbols(sec *section, names *strings.Builder, lim Limits) ([]candidate, error) {
	r, entry, n, err := im.symbolReader(sec, lim)
	if err != nil {
		return nil, err
	}
	base, size, err := im.readStrings(sec, names, lim)
	if err != nil {
		return nil, err
	}
	var all []candidate
	b := make([]byte, entry)
	for range n {
		if _, err := io.ReadFull(r, b); err != nil {
			return all, err
		}
		s := im.parseSymbol(b)
		if kind := elf.ST_TYPE(s.info); kind != elf.STT_FUNC && kind != elf.STT_GNU_IFUNC {
			continue
		}
		if elf.SectionIndex(s.section) == elf.SHN_UNDEF || s.name == 0 || uint64(s.name) >= size {
			continue
		}
		c := candidate{rank: rankOf(s.info)}
		c.addr, c.name = s.value, uint32(base)+s.name
		if s.size == 0 {
			c.open = true
			s.size = im.room(s)
		}
		c.size = uint32(min(s.size, math.MaxUint32))
		if len(all) >= lim.Symbols {
			return all, fmt.Errorf("%w: more than %d functions", ErrLimit, lim.Symbols)
		}
		all = append(all, c)
	}
	return all, nil
}

func rankOf(info uint8) uint8 {
	switch elf.ST_BIND(info) {
	case elf.STB_GLOBAL, elf.STB_LOOS: // the latter is STB_GNU_UNIQUE
		return rankGlobal
	case elf.STB_WEAK:
		return rankWeak
	}
	return rankLocal
}

// room is how far a symbol without a size can reach: to the end of its section.
func (im *image) room(s symbolEntry) uint64 {
	if int(s.section) >= len(im.sections) {
		return 0
	}
	sec := im.sections[s.section]
	if s.value < sec.addr || s.value-sec.addr >= sec.size {
		return 0
	}
	return sec.size - (s.value - sec.addr)
}
