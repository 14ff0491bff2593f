package symbol

import (
	"debug/elf"

	"github.com/energyprof/energyprof/internal/cursor"
)

// Of .eh_frame_hdr: DW_EH_PE_pcrel|DW_EH_PE_sdata4 is how every linker writes where .eh_frame is, in the four bytes
// behind the version and three encodings (Linux Standard Base, .eh_frame_hdr).
const (
	ehFrameHdrVersion = 1
	ehFramePtrAt      = 4
	pcrelSdata4       = 0x1b
)

// unwindSections gives the sections that a program needs to run, and to be unwound, even where its section headers were
// taken away: PT_GNU_EH_FRAME has .eh_frame_hdr, and that says where .eh_frame begins. It ends somewhere in its segment.
func (im *image) unwindSections() []section {
	for _, s := range im.segments {
		if s.kind != elf.PT_GNU_EH_FRAME || s.filesz < ehFramePtrAt+4 {
			continue
		}
		b, err := im.bytes(s.off, ehFramePtrAt+4)
		if err != nil || b[0] != ehFrameHdrVersion || b[1] != pcrelSdata4 {
			return nil
		}
		c := cursor.Cursor{Bytes: b, Pos: ehFramePtrAt}
		addr := s.vaddr + ehFramePtrAt + uint64(int64(int32(c.U32())))
		for _, load := range im.segments {
			if load.kind != elf.PT_LOAD || addr < load.vaddr || addr-load.vaddr >= load.filesz {
				continue
			}
			at := addr - load.vaddr
			if load.off > im.size || load.filesz > im.size-load.off {
				return nil
			}
			return []section{
				{name: ".eh_frame_hdr", kind: elf.SHT_PROGBITS, addr: s.vaddr, off: s.off, size: s.filesz},
				{name: ".eh_frame", kind: elf.SHT_PROGBITS, addr: addr, off: load.off + at, size: load.filesz - at},
			}
		}
	}
	return nil
}
