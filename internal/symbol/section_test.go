package symbol

import (
	"bytes"
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestSection: sections, code and addresses are those that debug/elf reads.
func TestSection(t *testing.T) {
	need(t, "gcc")
	src := write(t, filepath.Join(t.TempDir(), "prog.c"), cSource)
	for _, flags := range [][]string{{}, {"-gz=zlib"}, {"-gz=zlib-gnu"}, {"-static", "-no-pie"}} {
		bin := filepath.Join(t.TempDir(), "prog")
		run(t, append(append([]string{"gcc", "-g", "-O2"}, flags...), "-o", bin, src)...)
		f, err := elf.Open(bin)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r := New(Options{Limits: Limits{OpenFiles: -1}}) // every file rests closed
		defer r.Close()
		b, err := r.Open(mapped(t, bin))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{".eh_frame", ".eh_frame_hdr", ".text", ".debug_info"} {
			theirs := f.Section(name)
			if theirs == nil {
				theirs = f.Section(".z" + name[1:])
			}
			if theirs == nil && name == ".eh_frame_hdr" {
				continue // a static program does without
			}
			want, err := theirs.Data()
			if err != nil {
				t.Fatal(err)
			}
			s, ok := b.Section(name)
			if !ok {
				t.Fatalf("%v: no %s (%v)", flags, name, b.Err())
			}
			if b.file.f != nil {
				t.Errorf("%v: the file is open", flags)
			}
			got := make([]byte, s.Size)
			if _, err := s.Data.ReadAt(got, 0); err != nil && err != io.EOF {
				t.Fatal(err)
			}
			if s.Addr != theirs.Addr || !bytes.Equal(got, want) {
				t.Errorf("%v: %s at %#x of %d bytes, want at %#x of %d bytes, the same", flags, name, s.Addr, len(got), theirs.Addr, len(want))
			}
			if b.file.f != nil {
				t.Errorf("%v: the file is open after a read", flags)
			}
		}
		for _, name := range []string{".bss", ".none"} {
			if s, ok := b.Section(name); ok {
				t.Errorf("%v: %s is %+v, want none", flags, name, s)
			}
		}
		if err := b.Err(); err != nil {
			t.Errorf("%v: %v", flags, err)
		}
		text := f.Section(".text")
		page := text.Offset &^ 0xfff
		if v, ok := b.Mapped(page, 0x1000); !ok || v != text.Addr-(text.Offset-page) {
			t.Errorf("%v: offset %#x is at %#x %v, want %#x", flags, page, v, ok, text.Addr-(text.Offset-page))
		}
		if v, ok := b.Mapped(1<<40, 0x1000); ok {
			t.Errorf("%v: an offset beyond the file is at %#x", flags, v)
		}
		if b.Entry() != f.Entry {
			t.Errorf("%v: it begins at %#x, want %#x", flags, b.Entry(), f.Entry)
		}
		code := b.Code()
		if len(code) != 1 || text.Addr < code[0].Start || text.Addr+text.Size > code[0].Limit || b.Machine() != f.Machine {
			t.Errorf("%v: code of %v at %x, want one range around %#x+%#x", flags, b.Machine(), code, text.Addr, text.Size)
		}
	}
	var none Binary
	if _, ok := none.Section(".text"); ok || none.Code() != nil || none.Machine() != elf.EM_NONE {
		t.Error("what is no ELF file has sections, code or a machine")
	}
}

// Linkers (lld) let segments share a page of the file and not of memory: a mapping of code begins with bytes of the
// segment before.
func TestMappedSharedPage(t *testing.T) {
	b := Binary{image: &image{segments: []segment{
		{kind: elf.PT_LOAD, off: 0, vaddr: 0, filesz: 0x16474},
		{kind: elf.PT_LOAD, off: 0x16480, vaddr: 0x17480, filesz: 0x470, exec: true},
		{kind: elf.PT_LOAD, off: 0x168f0, vaddr: 0x188f0, filesz: 0x2868},
	}}}
	if v, ok := b.Mapped(0x16000, 0x1000); !ok || v != 0x17000 {
		t.Errorf("the code is at %#x %v, want 0x17000", v, ok)
	}
	if v, ok := b.Mapped(0x17000, 0x1000); ok {
		t.Errorf("data is code at %#x", v)
	}
}

// TestUnwindSections: what a program is unwound by is found without section headers, too.
func TestUnwindSections(t *testing.T) {
	need(t, "gcc")
	dir := t.TempDir()
	bin := filepath.Join(dir, "prog")
	run(t, "gcc", "-O2", "-o", bin, write(t, filepath.Join(dir, "prog.c"), cSource))
	whole, err := os.ReadFile(bin)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	clear(whole[40:48]) // e_shoff
	clear(whole[60:64]) // e_shnum, e_shstrndx
	bare := write(t, filepath.Join(dir, "bare"), string(whole))
	r := New(Options{})
	defer r.Close()
	b, err := r.Open(mapped(t, bare))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".eh_frame_hdr", ".eh_frame"} {
		theirs := f.Section(name)
		want, err := theirs.Data()
		if err != nil {
			t.Fatal(err)
		}
		s, ok := b.Section(name)
		if !ok || s.Addr != theirs.Addr || s.Size < theirs.Size {
			t.Fatalf("%s at %#x of %d bytes (%v), want at %#x of %d or more", name, s.Addr, s.Size, b.Err(), theirs.Addr, theirs.Size)
		}
		got := make([]byte, len(want))
		if _, err := s.Data.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s has other contents than with section headers (%v)", name, err)
		}
	}
}
