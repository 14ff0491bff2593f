package symbol

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/energyprof/energyprof/internal/cursor"
)

// maxPLT bounds the relocations of a section and the stubs of all sections that
// are looked at, in bytes: a million imported functions each.
const maxPLT = 24 << 20

// readPLT names the stubs through which a program calls its libraries
// "name@plt". No symbol does, but samples hit them. Each stub jumps through a
// slot of the global offset table; the slot's relocation has the name, or where
// the function is that chooses one (STT_GNU_IFUNC), whose name is among functions.
func (im *image) readPLT(functions []candidate, names *strings.Builder, lim Limits) ([]candidate, error) {
	var decode func(code []byte, addr uint64, stub func(start, slot uint64))
	switch {
	case im.machine == elf.EM_X86_64 && im.wide:
		decode = stubsAMD64
	case im.machine == elf.EM_AARCH64 && im.wide:
		decode = stubsARM64
	default:
		return nil, nil
	}
	slots, choosers, err := im.importSlots(lim)
	if err != nil || len(slots)+len(choosers) == 0 {
		return nil, err
	}
	nameChoosers(slots, choosers, functions, names.String())
	var all []candidate
	left := uint64(maxPLT) // all sections can claim the name, and the same bytes
	for i := range im.sections {
		sec := &im.sections[i]
		switch sec.name {
		case ".plt", ".plt.got", ".plt.sec", ".iplt":
		default:
			continue
		}
		if sec.kind != elf.SHT_PROGBITS || sec.flags&elf.SHF_COMPRESSED != 0 {
			continue
		}
		code, err := im.bytes(sec.off, min(sec.size, left))
		left -= uint64(len(code))
		if err != nil {
			return all, fmt.Errorf("%s: %w", sec.name, err)
		}
		end := sec.addr + uint64(len(code))
		decode(code, sec.addr, func(start, slot uint64) {
			name, ok := slots[slot]
			if !ok || len(all) >= lim.Symbols || names.Len() > int(lim.TableBytes)*2 {
				return
			}
			c := candidate{open: true, rank: rankLocal}
			c.addr, c.size, c.name = start, uint32(end-start), uint32(names.Len())
			names.WriteString(name)
			names.WriteString("@plt\x00")
			all = append(all, c)
		})
	}
	return all, nil
}

// nameChoosers gives slots the names of the functions that choose what they hold. Of several names at an address it
// is that which the symbol table would have.
func nameChoosers(slots map[uint64]string, choosers map[uint64]uint64, functions []candidate, names string) {
	if len(choosers) == 0 {
		return
	}
	best := map[uint64]candidate{}
	for _, at := range choosers {
		best[at] = candidate{}
	}
	for _, f := range functions {
		if old, ok := best[f.addr]; ok && (old.name == 0 || better(f, old, names)) {
			best[f.addr] = f
		}
	}
	for slot, at := range choosers {
		if f := best[at]; f.name != 0 {
			slots[slot], _, _ = strings.Cut(cstring(names, uint64(f.name), maxAliasCompare), "@") // without the version
		}
	}
}

// importSlots maps the address of a slot of the global offset table to the
// name of the function it will hold, or to the address of that which chooses it.
func (im *image) importSlots(lim Limits) (slots map[uint64]string, choosers map[uint64]uint64, err error) {
	if im.section(".plt") == nil && im.section(".plt.got") == nil && im.section(".iplt") == nil {
		return nil, nil, nil
	}
	imports, strs, err := im.importNames(lim)
	if err != nil {
		return nil, nil, err
	}
	slots, choosers = map[uint64]string{}, map[uint64]uint64{}
	for _, name := range []string{".rela.plt", ".rela.dyn"} {
		sec := im.section(name)
		if sec == nil || sec.kind != elf.SHT_RELA {
			continue
		}
		relocs, err := im.bytes(sec.off, min(sec.size, maxPLT))
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		c := cursor.Cursor{Bytes: relocs}
		for c.Left() >= 24 {
			slot, info, addend := c.U64(), c.U64(), c.U64()
			index, kind := info>>32, uint32(info)
			switch {
			case index == 0 && im.chosenReloc(kind):
				choosers[slot] = addend
			case index == 0 || index >= uint64(len(imports)) || !im.importReloc(kind):
			default:
				if s := cstring(strs, uint64(imports[index]), maxAliasCompare); s != "" {
					slots[slot] = s
				}
			}
		}
	}
	return slots, choosers, nil
}

// importNames gives the names of the symbols of .dynsym, as offsets in strs; none of a static program.
func (im *image) importNames(lim Limits) (names []uint32, strs string, err error) {
	dynsym := im.sectionOfKind(elf.SHT_DYNSYM)
	if dynsym == nil {
		return nil, "", nil
	}
	var table strings.Builder
	if _, _, err := im.readStrings(dynsym, &table, lim); err != nil {
		return nil, "", err
	}
	r, entry, n, err := im.symbolReader(dynsym, lim)
	if err != nil {
		return nil, "", err
	}
	names = make([]uint32, 0, n)
	b := make([]byte, entry)
	for range n {
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, "", err
		}
		names = append(names, im.parseSymbol(b).name)
	}
	return names, table.String(), nil
}

// chosenReloc says whether a slot gets what the function at the addend returns.
func (im *image) chosenReloc(kind uint32) bool {
	if im.machine == elf.EM_AARCH64 {
		return kind == uint32(elf.R_AARCH64_IRELATIVE)
	}
	return kind == uint32(elf.R_X86_64_IRELATIVE)
}

func (im *image) importReloc(kind uint32) bool {
	if im.machine == elf.EM_AARCH64 {
		return kind == uint32(elf.R_AARCH64_JUMP_SLOT) || kind == uint32(elf.R_AARCH64_GLOB_DAT)
	}
	return kind == uint32(elf.R_X86_64_JMP_SLOT) || kind == uint32(elf.R_X86_64_GLOB_DAT)
}

// stubsAMD64 finds `jmp *slot(%rip)`, with the endbr64 and the bnd prefix that
// control-flow protection puts before it. Stubs are 8 or 16 bytes, 8-aligned.
func stubsAMD64(code []byte, addr uint64, stub func(start, slot uint64)) {
	for at := 0; at+6 <= len(code); at += 8 {
		i := at
		if i+4 <= len(code) && string(code[i:i+4]) == "\xf3\x0f\x1e\xfa" {
			i += 4
		}
		if i < len(code) && code[i] == 0xf2 {
			i++
		}
		if i+6 > len(code) || code[i] != 0xff || code[i+1] != 0x25 {
			continue
		}
		disp := int32(binary.LittleEndian.Uint32(code[i+2:]))
		stub(addr+uint64(at), addr+uint64(i)+6+uint64(int64(disp)))
	}
}

// stubsARM64 finds `adrp x16, page; ldr x17, [x16, #low]`, with the bti that
// branch protection puts before it.
func stubsARM64(code []byte, addr uint64, stub func(start, slot uint64)) {
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(code[i:]) }
	const bti = 0xd503245f
	for at := 0; at+8 <= len(code); at += 4 {
		adrp, ldr := word(at), word(at+4)
		if adrp&0x9f00001f != 0x90000010 || ldr&0xffc003ff != 0xf9400211 {
			continue
		}
		pages := int64(int32(adrp<<8)>>13)<<2 | int64(adrp>>29&3) // immhi is bits 5-23, signed
		slot := (addr+uint64(at))&^0xfff + uint64(pages<<12) + uint64(ldr>>10&0xfff)*8
		start := addr + uint64(at)
		if at >= 4 && word(at-4) == bti {
			start -= 4
		}
		stub(start, slot)
	}
}
