package unwind

import (
	"errors"
	"io"
	"math/bits"
	"sync"

	"github.com/energyprof/energyprof/internal/cursor"
)

// errFormat: contents that are no tables. errWork: no compiler's tables take as much.
var (
	errFormat = errors.New("damaged")
	errWork   = errors.New("too much work")
)

// Pointer encodings: Linux Standard Base 5.0, core, 10.5.
const (
	encAbsolute = 0x00 // the format of the lower half: a word
	encULEB     = 0x01
	encU16      = 0x02
	encU32      = 0x03
	encU64      = 0x04
	encSLEB     = 0x09
	encS16      = 0x0a
	encS32      = 0x0b
	encS64      = 0x0c
	encPCRel    = 0x10 // of the upper half: relative to the address of the field itself
	encDataRel  = 0x30 // relative to the start of .eh_frame_hdr
	encOmit     = 0xff
)

// encoded reads a pointer. Here is the address of the cursor's first byte, data what encDataRel is relative to: with 0 that is
// refused, as are the encodings that nobody writes for code of Linux.
func encoded(c *cursor.Cursor, enc uint8, here, data uint64) (v uint64) {
	switch enc & 0x70 {
	case 0:
	case encPCRel:
		v = here + uint64(c.Pos)
	case encDataRel:
		if data == 0 {
			c.Bad = true
		}
		v = data
	default:
		c.Bad = true
	}
	switch enc & 0x0f {
	case encAbsolute, encU64, encS64:
		v += c.U64()
	case encULEB:
		v += c.ULEB()
	case encU16:
		v += uint64(c.U16())
	case encU32:
		v += uint64(c.U32())
	case encSLEB:
		v += uint64(c.SLEB())
	case encS16:
		v += uint64(int16(c.U16()))
	case encS32:
		v += uint64(int32(c.U32()))
	default:
		c.Bad = true
	}
	if enc&0x80 != 0 { // indirect: what is there is known to the process alone
		c.Bad = true
	}
	return v
}

// encodedSize is the bytes that a pointer takes, 0 if that varies.
func encodedSize(enc uint8) uint64 {
	switch enc & 0x0f {
	case encU16, encS16:
		return 2
	case encU32, encS32:
		return 4
	case encAbsolute, encU64, encS64:
		return 8
	}
	return 0
}

// A window reads a section by pieces, of which it keeps the last few: the entries of functions that are neighbours
// mostly are neighbours, too.
type window struct {
	data  io.ReaderAt
	size  uint64
	piece [8]struct {
		at uint64 // number of the piece + 1
		n  int    // bytes that could be read
		b  [pieceSize]byte
	}
	across []byte // for what crosses pieces
	err    error  // the first read that failed
	work   int64  // what may still be done: bytes to run, of which a read costs as many as readWork
}

const (
	pieceSize = 16 << 10
	readWork  = 1 << 10 // a read from the page cache takes as long as running these
)

var windows = sync.Pool{New: func() any { return new(window) }}

// open gets a window on a section, for so much work. It must be closed.
func (s *Section) open(work int64) *window {
	w := windows.Get().(*window)
	w.data, w.size, w.err, w.work = s.Data, s.Size, nil, work
	for i := range w.piece {
		w.piece[i].at = 0
	}
	return w
}

func (w *window) close() {
	w.data = nil
	if cap(w.across) > maxEntry {
		w.across = nil
	}
	windows.Put(w)
}

// spend takes off what may be done. It is false when that is used up.
func (w *window) spend(n int64) bool {
	w.work -= n
	if w.work < 0 && w.err == nil {
		w.err = errWork
	}
	return w.work >= 0
}

// bytes gives n bytes at an offset; fewer if the section or what can be read of it ends before. They hold until the
// next call.
func (w *window) bytes(off, n uint64) []byte {
	if off >= w.size {
		return nil
	}
	n = min(n, w.size-off)
	first, last := off/pieceSize, (off+max(n, 1)-1)/pieceSize
	if b := w.load(first); first == last {
		from := min(off%pieceSize, uint64(len(b)))
		return b[from:min(from+n, uint64(len(b)))]
	}
	w.across = w.across[:0]
	for i := first; i <= last; i++ {
		b := w.load(i)
		from, to := uint64(0), min(off+n-i*pieceSize, uint64(len(b)))
		if i == first {
			from = min(off%pieceSize, to)
		}
		w.across = append(w.across, b[from:to]...)
		if len(b) < pieceSize {
			break
		}
	}
	return w.across
}

func (w *window) load(i uint64) []byte {
	p := &w.piece[i%uint64(len(w.piece))]
	if p.at != i+1 {
		p.at, p.n = i+1, 0
		hi, at := bits.Mul64(i, pieceSize)
		if hi != 0 || at > 1<<62 || !w.spend(readWork) {
			return nil
		}
		want := min(pieceSize, w.size-at)
		n, err := w.data.ReadAt(p.b[:want], int64(at))
		p.n = max(0, min(n, int(want)))
		if uint64(p.n) < want && w.err == nil {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			w.err = err
		}
	}
	return p.b[:p.n]
}
