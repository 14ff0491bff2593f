package unwind

import (
	"fmt"

	"github.com/energyprof/energyprof/internal/cursor"
)

// Limits on what a binary may ask for. Work is counted in bytes of entries, which take some 3 ns each, and what takes longer
// in as many bytes as take as long.
const (
	// maxEntry is the bytes of one entry of a table; the largest of node has 3 KB.
	maxEntry = 1 << 20
	// maxChunkEntries and maxChunkWork are of the entries that concern one chunk: no more functions start in it than it
	// has bytes. Those of node take 330 KB at most, and of rustc, whose functions are not in the order of their entries, 590 KB.
	maxChunkEntries = 1 << ChunkShift
	maxChunkWork    = 2 << 20
	// maxWork is of all chunks of a section, or workPerByte times its size and minWork, if that is less. Usual are 8
	// times, for rustc 10; if each function's entry took a read of its own it would be 30 times.
	maxWork, minWork, workPerByte = 256 << 20, 16 << 20, 64
	// What is counted besides bytes: finding an entry, telling that it is damaged, and finding the number of a rule.
	entryWork, faultWork, ruleWork = 64, 512, 32
	// maxCIEs are kept at once.
	maxCIEs = 4096
	// maxAugmentation is the letters of a common entry's; there are eight.
	maxAugmentation = 32
	// maxScan is the bytes of a table that has to be read whole, maxScanned the functions that it tells of. It is that of a
	// program without .eh_frame, or linked without a search table: the larger ones are Go's, of some MB.
	maxScan, maxScanned = 16 << 20, 1 << 19
	// backwards is how many functions before a chunk are looked at: the one that reaches into it, and empty ones between.
	backwards = 4
)

// frames is one section of call frame information: a list of entries, which are of functions (FDE) and of what is common to
// functions (CIE).
type frames struct {
	name    string
	image   *Image
	section Section
	eh      bool // .eh_frame, which differs from .debug_frame in details
	cies    map[uint64]*cie
	hdr     *searchTable // nil: there is none
	index   []located    // without a search table, by start
	opened  bool
	err     error // of the search table's last use
	work    int64 // that may still be done
}

// located is the address of a function and the offset of its entry.
type located struct{ start, entry uint64 }

// cie is a common information entry.
type cie struct {
	codeAlign uint64
	dataAlign int64
	ra        uint64 // column of the return address
	enc       uint8  // of pointers
	augmented bool   // functions have augmentation data, too
	signal    bool   // frames of signals
	initial   state
}

func newFrames(name string, img *Image, s, hdr Section) *frames {
	f := &frames{name: name, image: img, section: s, eh: name == ".eh_frame", cies: map[uint64]*cie{}}
	f.work = int64(min(maxWork, minWork+workPerByte*min(s.Size, maxWork)))
	if f.eh && hdr.Data != nil {
		f.hdr = &searchTable{section: hdr}
	}
	return f
}

func (f *frames) damaged(off uint64, what string) error {
	return fmt.Errorf("%s: %w: %s at %#x", f.name, errFormat, what, off)
}

// An entry is the frame of a CIE or an FDE.
type entry struct {
	off, body, limit uint64 // offsets in the section: of the entry, after its id, of its end
	cie              bool
	of               uint64 // offset of an FDE's CIE
}

// entry reads the head of an entry. The end of the list is an entry with limit 0.
func (f *frames) entry(w *window, off uint64) (e entry, err error) {
	c := cursor.Cursor{Bytes: w.bytes(off, 20)}
	length, word := uint64(c.U32()), uint64(4)
	if c.Bad || length == 0 {
		return entry{off: off}, w.err
	}
	if length == 0xffffffff {
		length = c.U64()
		if !f.eh { // where the id has 4 bytes all the same
			word = 8
		}
	}
	start := off + uint64(c.Pos)
	id := uint64(c.U32())
	all := uint64(0xffffffff)
	if word == 8 {
		id |= uint64(c.U32()) << 32
		all = 0xffffffffffffffff
	}
	if c.Bad || start > f.section.Size || length < word || length > f.section.Size-start {
		return entry{}, f.damaged(off, "entry longer than the section")
	}
	e = entry{off: off, body: start + word, limit: start + length}
	switch {
	case f.eh && id == 0 || !f.eh && id == all:
		e.cie = true
	case f.eh && id > start:
		return entry{}, f.damaged(off, "no common entry before the section")
	case f.eh:
		e.of = start - id
	default:
		e.of = id
	}
	return e, nil
}

// contents is what an entry has after its id.
func (f *frames) contents(w *window, e entry) (cursor.Cursor, error) {
	n := e.limit - e.body
	if n > maxEntry {
		return cursor.Cursor{}, f.damaged(e.off, fmt.Sprintf("entry of %d bytes", n))
	}
	b := w.bytes(e.body, n)
	if !w.spend(int64(n)) || uint64(len(b)) < n {
		return cursor.Cursor{}, fmt.Errorf("%s at %#x: %w", f.name, e.off, w.err)
	}
	return cursor.Cursor{Bytes: b}, nil
}

// common returns the CIE at an offset.
func (f *frames) common(w *window, off uint64) (*cie, error) {
	if c, ok := f.cies[off]; ok {
		if c == nil {
			return nil, errFormat // has been told
		}
		return c, nil
	}
	if len(f.cies) >= maxCIEs {
		clear(f.cies)
	}
	f.cies[off] = nil
	out, err := f.findCommon(w, off)
	switch {
	case w.err != nil: // it may be read another time
		delete(f.cies, off)
	case err == nil:
		f.cies[off] = out
	}
	return out, err
}

func (f *frames) findCommon(w *window, off uint64) (*cie, error) {
	e, err := f.entry(w, off)
	if err != nil {
		return nil, err
	}
	if !e.cie {
		return nil, f.damaged(off, "no common entry")
	}
	c, err := f.contents(w, e)
	if err != nil {
		return nil, err
	}
	return f.readCommon(&c, e)
}

func (f *frames) readCommon(c *cursor.Cursor, e entry) (*cie, error) {
	out := &cie{}
	version := c.U8()
	augmentation := string(c.Text())
	if version >= 4 {
		if c.U8() != 8 || c.U8() != 0 {
			return nil, f.damaged(e.off, "addresses that are not of 8 bytes")
		}
	}
	out.codeAlign, out.dataAlign = c.ULEB(), c.SLEB()
	if version == 1 {
		out.ra = uint64(c.U8())
	} else {
		out.ra = c.ULEB()
	}
	if version != 1 && version != 3 && version != 4 || c.Bad || len(augmentation) > maxAugmentation {
		return nil, f.damaged(e.off, "common entry")
	}
	if augmentation != "" {
		if augmentation[0] != 'z' {
			return nil, f.damaged(e.off, fmt.Sprintf("augmentation %q", augmentation))
		}
		out.augmented = true
		data := cursor.Cursor{Bytes: c.Take(c.ULEB())}
		if !out.augment(&data, augmentation[1:]) || c.Bad {
			return nil, f.damaged(e.off, fmt.Sprintf("augmentation %q", augmentation))
		}
	}
	p := program{arch: f.image.Arch, cie: out, limit: 1}
	if !p.run(c.Bytes[c.Pos:], f.section.Addr+e.body+uint64(c.Pos), nil) {
		return nil, f.damaged(e.off, "instruction of the common entry")
	}
	out.initial = p.now
	return out, nil
}

// augment reads augmentation data. What follows a letter that is not known is not needed.
func (out *cie) augment(data *cursor.Cursor, letters string) bool {
	for _, l := range letters {
		switch l {
		case 'L':
			data.U8()
		case 'P':
			if n := data.U8(); n != encOmit {
				encoded(data, n&0x0f, 0, 0)
			}
		case 'R':
			out.enc = data.U8()
		case 'S':
			out.signal = true
		case 'B', 'G': // return addresses are signed with key B; frames have memory tags (AArch64)
		default:
			return !data.Bad
		}
	}
	return !data.Bad
}

// fde is the entry of one function.
type fde struct {
	*cie
	start, limit uint64
	instructions []byte // until the window's next use
	here         uint64 // their address
}

// function reads an FDE. An entry for no code has limit == start.
func (f *frames) function(w *window, e entry) (d fde, err error) {
	if e.cie || e.limit == 0 {
		return fde{}, f.damaged(e.off, "no entry of a function")
	}
	if d.cie, err = f.common(w, e.of); err != nil {
		return fde{}, err
	}
	c, err := f.contents(w, e)
	if err != nil {
		return fde{}, err
	}
	here := f.section.Addr + e.body
	d.start = encoded(&c, d.enc, here, 0)
	size := encoded(&c, d.enc&0x0f, 0, 0)
	if d.augmented {
		c.Take(c.ULEB())
	}
	if c.Bad {
		return fde{}, f.damaged(e.off, "entry of a function")
	}
	d.limit = d.start + size
	if d.limit < d.start { // a negative size or one beyond all addresses
		return fde{}, f.damaged(e.off, "size of a function")
	}
	d.instructions, d.here = c.Bytes[c.Pos:], here+uint64(c.Pos)
	return d, nil
}
