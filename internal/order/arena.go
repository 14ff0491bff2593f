package order

import "fmt"

const (
	chunkShift = 18
	chunkBytes = 1 << chunkShift
	align      = 8 // perf records are read in 64-bit words
	maxRecord  = 1 << 16
)

// place is where a record starts: chunk number and offset, in units of 8 bytes.
type place uint32

// arena keeps record bytes in chunks of equal size. A chunk is used again when all of its records have been
// released, so a record that stays long pins one chunk and never the arena.
type arena struct {
	chunks  []chunk
	free    []int // chunks without records
	current int   // the chunk being filled
}

type chunk struct {
	bytes []byte
	used  int
	live  int // records not yet released
}

// put copies record to an 8-byte aligned place.
func (a *arena) put(record []byte) place {
	if len(record) > maxRecord {
		panic(fmt.Sprintf("order: record of %d bytes, the limit is %d", len(record), maxRecord))
	}
	if len(a.chunks) == 0 || a.chunks[a.current].used+len(record) > chunkBytes {
		a.advance()
	}
	c := &a.chunks[a.current]
	at := place((a.current<<chunkShift + c.used) / align)
	copy(c.bytes[c.used:], record)
	c.used += (len(record) + align - 1) &^ (align - 1)
	c.live++
	return at
}

// advance makes an empty chunk the current one.
func (a *arena) advance() {
	if len(a.chunks) > 0 && a.chunks[a.current].live == 0 {
		a.chunks[a.current].used = 0
		return
	}
	if n := len(a.free); n > 0 {
		a.current = a.free[n-1]
		a.free = a.free[:n-1]
		return
	}
	a.current = len(a.chunks)
	a.chunks = append(a.chunks, chunk{bytes: make([]byte, chunkBytes)})
}

func (a *arena) get(at place, size uint32) []byte {
	offset := int(at) * align
	c := a.chunks[offset>>chunkShift].bytes
	start := offset & (chunkBytes - 1)
	end := start + int(size)
	return c[start:end:end]
}

func (a *arena) release(at place) {
	i := int(at) * align >> chunkShift
	c := &a.chunks[i]
	c.live--
	if c.live > 0 {
		return
	}
	c.used = 0
	if i != a.current {
		a.free = append(a.free, i)
	}
}

// bytes returns the memory of the chunks that hold records.
func (a *arena) bytes() int {
	n := len(a.chunks) - len(a.free)
	if n > 0 && a.chunks[a.current].live == 0 {
		n--
	}
	return n * chunkBytes
}
