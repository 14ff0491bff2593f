package unwind

import (
	"bytes"
	"encoding/binary"
	"sort"
)

// assembler writes call frame information as compilers and linkers do.
type assembler struct {
	arch     Arch
	debug    bool // .debug_frame
	wide     bool // 64-bit DWARF
	version  uint8
	letters  string // augmentation: zR, zRS, zPLR...
	enc      uint8  // of addresses
	initial  []byte // instructions of the common entry
	section  []byte
	starts   []uint64
	entries  []uint64
	sizes    []uint64
	commonAt uint64
}

const (
	ehAddr  = 0x40_0000
	hdrAddr = 0x30_0000
)

func uleb(v uint64) (b []byte) { return binary.AppendUvarint(nil, v) }

func sleb(v int64) (b []byte) {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func cat(parts ...any) (b []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = append(b, byte(p))
		case byte:
			b = append(b, p)
		case string:
			b = append(append(b, p...), 0)
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

// entry appends an entry: id, then what makes contents, which are told the address at which they will be.
func (a *assembler) entry(id func(at uint64) uint64, contents func(addr uint64) []byte) (off uint64) {
	off = uint64(len(a.section))
	head, idSize := uint64(4), uint64(4)
	if a.wide {
		head = 12
		if a.debug {
			idSize = 8
		}
	}
	body := contents(a.addr() + off + head + idSize)
	for (head+idSize+uint64(len(body)))%8 != 0 {
		body = append(body, cfaNop)
	}
	length := idSize + uint64(len(body))
	if a.wide {
		a.section = binary.LittleEndian.AppendUint32(a.section, 0xffffffff)
		a.section = binary.LittleEndian.AppendUint64(a.section, length)
	} else {
		a.section = binary.LittleEndian.AppendUint32(a.section, uint32(length))
	}
	a.section = append(a.section, binary.LittleEndian.AppendUint64(nil, id(off+head))[:idSize]...)
	a.section = append(a.section, body...)
	return off
}

func (a *assembler) addr() uint64 {
	if a.debug {
		return 0
	}
	return ehAddr
}

// common starts a common entry, to which the functions after it belong.
func (a *assembler) common() {
	id := uint64(0)
	if a.debug {
		id = 1<<64 - 1
	}
	a.commonAt = a.entry(func(uint64) uint64 { return id }, func(uint64) []byte {
		b := cat(a.version, a.letters)
		if a.version >= 4 {
			b = cat(b, 8, 0)
		}
		ra := byte(amd64RIP)
		b = cat(b, uleb(1), sleb(-8))
		if a.arch == ARM64 {
			ra = arm64LR
		}
		b = cat(b, ra)
		var data []byte
		for _, l := range a.letters {
			switch l {
			case 'P':
				data = cat(data, encS32, 1, 2, 3, 4)
			case 'L':
				data = cat(data, encS32|encPCRel)
			case 'R':
				data = cat(data, a.enc)
			}
		}
		if a.letters != "" {
			b = cat(b, uleb(uint64(len(data))), data)
		}
		return cat(b, a.initial)
	})
}

// function appends the entry of a function.
func (a *assembler) function(start, size uint64, instructions []byte) {
	off := a.entry(func(at uint64) uint64 {
		if a.debug {
			return a.commonAt
		}
		return at - a.commonAt
	}, func(addr uint64) []byte {
		b := cat(a.pointer(start, addr), a.pointer(size, 0))
		if a.letters != "" {
			b = cat(b, uleb(0))
		}
		return cat(b, instructions)
	})
	a.starts, a.entries, a.sizes = append(a.starts, start), append(a.entries, off), append(a.sizes, size)
}

// pointer is an address at an address, or a size, at 0.
func (a *assembler) pointer(v, addr uint64) []byte {
	if a.enc&encPCRel != 0 && addr != 0 {
		v -= addr
	}
	n := encodedSize(a.enc)
	return binary.LittleEndian.AppendUint64(nil, v)[:n]
}

// header is the search table.
func (a *assembler) header() []byte {
	order := make([]int, len(a.starts))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return a.starts[order[i]] < a.starts[order[j]] })
	b := cat(1, encS32|encPCRel, encU32, encS32|encDataRel)
	b = binary.LittleEndian.AppendUint32(b, ehAddr-hdrAddr-4)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(order)))
	for _, i := range order {
		b = binary.LittleEndian.AppendUint32(b, uint32(a.starts[i]-hdrAddr))
		b = binary.LittleEndian.AppendUint32(b, uint32(ehAddr+a.entries[i]-hdrAddr))
	}
	return b
}

func inMemory(addr uint64, b []byte) Section {
	return Section{addr, uint64(len(b)), bytes.NewReader(b)}
}

// image has what was assembled, with a search table if asked for.
func (a *assembler) image(search bool) Image {
	img := Image{Name: "assembled", Arch: a.arch, Text: []Range{{0x1000, 0x30_0000}}}
	s := inMemory(a.addr(), a.section)
	switch {
	case a.debug:
		img.DebugFrame = s
	case search:
		img.EHFrame, img.EHFrameHdr = s, inMemory(hdrAddr, a.header())
	default:
		img.EHFrame = s
	}
	return img
}

// amd64Common and arm64Common are what compilers put into common entries.
var (
	amd64Common = cat(cfaDefCFA, uleb(amd64RSP), uleb(8), cfaOffset|amd64RIP, uleb(1))
	arm64Common = cat(cfaDefCFA, uleb(arm64SP), uleb(0))
)

func gnu(arch Arch, letters string) *assembler {
	a := &assembler{arch: arch, version: 1, letters: letters, enc: encS32 | encPCRel, initial: amd64Common}
	if arch == ARM64 {
		a.initial = arm64Common
	}
	a.common()
	return a
}
