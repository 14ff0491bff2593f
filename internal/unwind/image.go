package unwind

import (
	"debug/elf"
	"io"

	"github.com/energyprof/energyprof/internal/gopclntab"
	"github.com/energyprof/energyprof/internal/symbol"
)

// Range is the addresses from Start to below Limit.
type Range struct{ Start, Limit uint64 }

// Section is one section of a binary: Size bytes at Addr, in the binary's own numbering. Offset 0 of Data is the
// section's first byte. Data is nil if the binary does not have it.
type Section struct {
	Addr, Size uint64
	Data       io.ReaderAt
}

// Image is what is needed of a binary.
type Image struct {
	Name string // for errors
	Arch Arch
	Text []Range // code, in the binary's own numbering

	// PLT is .plt, Stubs are .plt.sec, .plt.got and .iplt: what is known of them is used where no table covers them
	// (lld writes none, linkers for arm64 neither). Zero if there are none.
	PLT   Range
	Stubs []Range

	// Entry is where the program starts (e_entry), 0 if that is not known: the dynamic linker's start has no table, but
	// is the outermost frame of all that it does.
	Entry uint64

	// Trampoline is the code of a vdso for arm64, where the kernel's signal trampoline is looked for: since Linux 5.9 it
	// has no table.
	Trampoline Section

	// Code is .text, where long gaps between tables are looked at: whether their code keeps frame pointers.
	Code Section

	// Init and Fini are .init and .fini, for which there are no tables.
	Init, Fini Section

	// Trampolines is the bytes that each takes if this is nothing but trampolines of Python, see the function of that name.
	Trampolines int

	EHFrame, EHFrameHdr, DebugFrame Section

	// Go is the function table of a Go program, nil if there is none. It is read by whom the module is used by, and no other.
	Go *gopclntab.Table
}

// ImageOf is what of a file tells how to unwind its code; false if it is for another processor than those that are known.
func ImageOf(b *symbol.Binary) (Image, bool) {
	img := Image{Name: b.Path, Entry: b.Entry()}
	switch b.Machine() {
	case elf.EM_X86_64:
		img.Arch = AMD64
	case elf.EM_AARCH64:
		img.Arch = ARM64
	default:
		return Image{}, false
	}
	for _, r := range b.Code() {
		img.Text = append(img.Text, Range(r))
	}
	section := func(name string) Section {
		s, _ := b.Section(name)
		return Section(s)
	}
	span := func(name string) Range {
		s, _ := b.Section(name)
		return Range{Start: s.Addr, Limit: s.Addr + s.Size}
	}
	img.Code, img.DebugFrame = section(".text"), section(".debug_frame")
	img.Init, img.Fini = section(".init"), section(".fini")
	img.EHFrame, img.EHFrameHdr = section(".eh_frame"), section(".eh_frame_hdr")
	img.Go, _ = b.GoTable() // of a damaged one there is nothing to go by, as of none
	if img.Arch == ARM64 && b.Path == "[vdso]" {
		img.Trampoline = img.Code
	}
	img.PLT = span(".plt")
	for _, name := range []string{".plt.sec", ".plt.got", ".iplt"} {
		if r := span(name); r.Limit > r.Start {
			img.Stubs = append(img.Stubs, r)
		}
	}
	return img, true
}
