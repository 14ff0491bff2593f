package symbol

import (
	"bytes"
	"debug/elf"
	"io"
)

// Section is a section of a binary, as far as its contents are asked for.
type Section struct {
	// Addr is where it lies in the file's own numbering of addresses, 0 for one that is not loaded.
	Addr, Size uint64
	// Data has Size bytes, decompressed. It is valid until the Resolver is closed.
	Data io.ReaderAt
}

// maxSection bounds what is decompressed of a section for others: they ask while a recording runs.
const maxSection = 64 << 20

// Section finds a section of the binary itself by name, plain or compressed
// (".debug_frame" is found as ".zdebug_frame", too). It reads nothing of a plain one; a
// compressed one is decompressed now, up to 64 MiB, each time.
// One without contents, or that cannot be read, is not there: [Binary.Err] says why.
//
// Separate debug files are not looked at: how a stack is unwound must not
// depend on them, nor wait for them.
func (b *Binary) Section(name string) (Section, bool) {
	if b.image == nil {
		return Section{}, false
	}
	defer b.file.rest()
	var out Section
	err := guard(func() error {
		// Sections that are loaded are read once, by who asks for them: the work is theirs to bound.
		budget := min(maxSection, b.limits().Decompressed)
		d, err := b.image.openDebug(name, new(int64), &budget)
		if err != nil || d == nil {
			return err
		}
		b.worked(int64(len(d.mem)))
		if s := b.image.section(name); s != nil {
			out.Addr = s.addr
		}
		out.Size = d.size
		if d.r == nil {
			out.Data = bytes.NewReader(d.mem)
		} else {
			out.Data = restingReader{io.NewSectionReader(d.r, int64(d.off), int64(d.size)), b.file}
		}
		return nil
	})
	b.note(err)
	return out, out.Data != nil
}

// restingReader closes a file that is beyond the limit of open files after each read.
type restingReader struct {
	section *io.SectionReader
	file    *source // nil for what is in memory
}

func (r restingReader) ReadAt(p []byte, off int64) (int, error) {
	defer r.file.rest()
	return r.section.ReadAt(p, off)
}

// Code gives the addresses of the executable segments, which rise, in the file's own numbering.
func (b *Binary) Code() []Range {
	if b.image == nil {
		return nil
	}
	var out []Range
	for _, s := range b.image.code {
		if s.memsize > 0 && s.vaddr+s.memsize > s.vaddr {
			out = append(out, Range{s.vaddr, s.vaddr + s.memsize})
		}
	}
	return out
}

// Mapped gives the address in the file's own numbering of file offset off, at which a mapping of code begins that is size bytes
// long; false if no segment of code lies in it. The offset is that of a page: the byte there may be one of the segment before, which
// linkers give another distance between addresses and offsets. What is named by address (the kernel, perf maps) has no other numbering.
func (b *Binary) Mapped(off, size uint64) (uint64, bool) {
	if b.absolute {
		return off, true
	}
	if b.image == nil {
		return 0, false
	}
	for _, s := range b.image.segments {
		if s.kind == elf.PT_LOAD && s.exec && s.off < off+size && off < s.off+s.filesz {
			return off - s.off + s.vaddr, true
		}
	}
	return 0, false
}

// Machine says what processor the code is for; EM_NONE if it is not from an ELF file.
func (b *Binary) Machine() elf.Machine {
	if b.image == nil {
		return elf.EM_NONE
	}
	return b.image.machine
}

// Entry gives the address at which the program begins, or the dynamic linker; 0 for other libraries and what is no ELF file.
func (b *Binary) Entry() uint64 {
	if b.image == nil {
		return 0
	}
	return b.image.entry
}
