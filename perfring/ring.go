package perfring

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Ring reads the records that the kernel writes into memory that both share.
// One goroutine at a time may use it.
type Ring struct {
	// Bad counts the stretches that did not hold well-formed records, and
	// BadBytes their bytes: what was in them is lost.
	Bad, BadBytes uint64

	// The kernel writes head, we write tail. Both only grow; their remainder
	// by the size of data is a place in it.
	head, tail *uint64
	data       []byte
	joined     []byte // a record that lies across the end of data
	mapped     []byte
}

// The places of the fields that we use in struct perf_event_mmap_page.
const (
	pageDataHead   = 1024
	pageDataTail   = 1032
	pageDataOffset = 1040
	pageDataSize   = 1048
	pageEnd        = 1056
)

// headerSize is the size of struct perf_event_header in bytes. A record's size is
// a multiple of it, so a header never lies across the end of a ring.
const headerSize = 8

// MapRing maps the ring of e with the given number of data pages, a power of
// two. Every event that shares the ring through SetOutput writes to it. A
// kernel that grants less locked memory answers EPERM.
func MapRing(e *Event, dataPages int) (*Ring, error) {
	if dataPages <= 0 || bits.OnesCount(uint(dataPages)) != 1 {
		return nil, fmt.Errorf("map perf ring: %d data pages, want a power of two", dataPages)
	}
	size := (1 + dataPages) * os.Getpagesize()
	mem, err := unix.Mmap(e.fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map perf ring of 1+%d pages for event %d on cpu %d: %w", dataPages, e.ID, e.CPU, err)
	}
	r, err := NewRing(mem)
	if err != nil {
		unix.Munmap(mem)
		return nil, err
	}
	r.mapped = mem
	return r, nil
}

// NewRing reads a ring that lies in mem: a page with struct
// perf_event_mmap_page, then the data where its data_offset and data_size
// say, or, if data_size is 0, all that follows the first page. The data's
// size must be a power of two, and mem aligned to 8 bytes.
func NewRing(mem []byte) (*Ring, error) {
	if len(mem) < pageEnd {
		return nil, fmt.Errorf("perf ring: %d bytes hold no metadata page", len(mem))
	}
	if uintptr(unsafe.Pointer(&mem[0]))%8 != 0 {
		return nil, fmt.Errorf("perf ring: memory is not aligned to 8 bytes")
	}
	offset := binary.NativeEndian.Uint64(mem[pageDataOffset:])
	size := binary.NativeEndian.Uint64(mem[pageDataSize:])
	if offset == 0 {
		offset = uint64(os.Getpagesize())
	}
	total := uint64(len(mem))
	if offset < pageEnd || offset%8 != 0 || offset > total {
		return nil, fmt.Errorf("perf ring: data at offset %d of %d bytes", offset, total)
	}
	if size == 0 {
		size = total - offset
	}
	if size > total-offset || size < headerSize || bits.OnesCount64(size) != 1 {
		return nil, fmt.Errorf("perf ring: %d bytes of data at offset %d of %d, want a power of two", size, offset, total)
	}
	// No record is larger than the ring or than its 16-bit size.
	return &Ring{
		head:   (*uint64)(unsafe.Pointer(&mem[pageDataHead])),
		tail:   (*uint64)(unsafe.Pointer(&mem[pageDataTail])),
		data:   mem[offset : offset+size : offset+size],
		joined: alignedBytes(int(min(size, 1<<16))),
	}, nil
}

// alignedBytes returns n bytes, rounded up to whole words, at an address that
// is a multiple of 8.
func alignedBytes(n int) []byte {
	words := make([]uint64, (n+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), 8*len(words))
}

// Drain calls f for every record that is in the ring when it is called, and
// then frees their space at once. It returns the number of records. A record
// is aligned to 8 bytes and valid until f returns: it lies in the ring
// itself, except where it goes across the end.
//
// Bytes that cannot be records are skipped up to the newest one, and counted
// in Bad.
func (r *Ring) Drain(f func(record []byte)) int {
	// The load orders our reads of the data after the kernel's writes; the
	// store below frees the space only after we have read it.
	head := atomic.LoadUint64(r.head)
	pos := atomic.LoadUint64(r.tail)
	if head == pos {
		return 0
	}
	size := uint64(len(r.data))
	if head-pos > size || (head|pos)%headerSize != 0 {
		r.skip(head - pos)
		pos = head
	}
	n := 0
	for pos != head {
		start := pos & (size - 1)
		length := uint64(binary.NativeEndian.Uint16(r.data[start+6:]))
		if length < headerSize || length%headerSize != 0 || length > head-pos {
			r.skip(head - pos)
			break
		}
		end := start + length
		var record []byte
		if end <= size {
			record = r.data[start:end:end]
		} else {
			record = r.joined[:length:length]
			k := copy(record, r.data[start:])
			copy(record[k:], r.data)
		}
		f(record)
		n++
		pos += length
	}
	atomic.StoreUint64(r.tail, head)
	return n
}

func (r *Ring) skip(n uint64) {
	r.Bad++
	r.BadBytes += min(n, uint64(len(r.data)))
}

// Pending is the number of bytes that wait to be drained.
func (r *Ring) Pending() int {
	n := atomic.LoadUint64(r.head) - atomic.LoadUint64(r.tail)
	return int(min(n, uint64(len(r.data))))
}

// Size is the number of bytes of records that the ring can hold.
func (r *Ring) Size() int { return len(r.data) }

// Close unmaps a ring that MapRing mapped. It must not be used after that.
func (r *Ring) Close() error {
	mem := r.mapped
	*r = Ring{Bad: r.Bad, BadBytes: r.BadBytes}
	if mem == nil {
		return nil
	}
	if err := unix.Munmap(mem); err != nil {
		return fmt.Errorf("unmap perf ring: %w", err)
	}
	return nil
}
