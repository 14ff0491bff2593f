package perfdata

import "slices"

// blockSize holds many records, the largest included, and fits into the cache of a CPU.
const blockSize = 1 << 18

// pool is the memory that records lie in from when they are read until they
// are delivered. A block is used again when nothing in it is needed any more.
type pool struct {
	blocks []block
	free   []uint32
	size   int // of a new block, in bytes, unless more is wanted
	used   int // bytes of the blocks that are not free
}

type block struct {
	buf  []byte
	live int  // records that wait for delivery
	open bool // bytes are still being read into it or taken from it
}

// take returns an open block of n bytes or more, without content.
func (p *pool) take(n int) uint32 {
	for last := len(p.free) - 1; last >= 0; last-- {
		i := p.free[last]
		b := &p.blocks[i]
		if len(b.buf) < n {
			continue
		}
		p.free = slices.Delete(p.free, last, last+1)
		p.used += len(b.buf)
		b.open = true
		return i
	}
	size := max(n, p.size)
	p.blocks = append(p.blocks, block{buf: make([]byte, size), open: true})
	p.used += size
	return uint32(len(p.blocks) - 1)
}

// close says that no more records will be found in block i.
func (p *pool) close(i uint32) {
	p.blocks[i].open = false
	p.recycle(i)
}

func (p *pool) release(i uint32) {
	p.blocks[i].live--
	p.recycle(i)
}

func (p *pool) recycle(i uint32) {
	if b := &p.blocks[i]; b.live == 0 && !b.open {
		p.free = append(p.free, i)
		p.used -= len(b.buf)
	}
}

// window is the part of a block that has been filled and not yet taken.
type window struct {
	pool       *pool
	at         uint32 // block
	have       bool   // at is a block
	start, end int
}

func (w *window) bytes() []byte {
	if !w.have {
		return nil
	}
	return w.pool.blocks[w.at].buf[w.start:w.end]
}

// room returns where to put at least n more bytes after what the window holds;
// what it holds may move to another block.
func (w *window) room(n int) []byte {
	if w.have && w.end+n <= len(w.pool.blocks[w.at].buf) {
		return w.pool.blocks[w.at].buf[w.end:]
	}
	rest := w.bytes()
	old, had := w.at, w.have
	w.at, w.have = w.pool.take(len(rest)+n), true
	// Records lie at multiples of 8 in a file, so they do here.
	w.start, w.end = 0, copy(w.pool.blocks[w.at].buf, rest)
	if had {
		w.pool.close(old)
	}
	return w.pool.blocks[w.at].buf[w.end:]
}

// done gives the block back.
func (w *window) done() {
	if w.have {
		w.pool.close(w.at)
		w.have = false
	}
}
