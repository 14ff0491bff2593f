package gopclntab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// pages reads pieces of the program and keeps the latest: neighbours are asked
// for one after the other. 128 pages of 4 KiB hold what the rows of a piece of
// code and a few hundred names need.
type pages struct {
	r     io.ReaderAt
	slots [128]page
}

type page struct {
	valid bool
	addr  uint64
	data  []byte // shorter at the end of what the file holds
}

// pageSize is that of the machine, or divides it: no page has parts of two segments.
const pageSize = 4 << 10

// from gives the bytes from addr to the end of its page or of within, at least
// one.
func (p *pages) from(within Range, addr uint64) ([]byte, error) {
	if !within.holds(addr) {
		return nil, fmt.Errorf("%w: %#x is outside of %#x-%#x", ErrFormat, addr, within.Start, within.Limit)
	}
	start := addr &^ (pageSize - 1)
	s := &p.slots[start/pageSize%uint64(len(p.slots))]
	if !s.valid || s.addr != start {
		if err := s.read(p.r, start, within); err != nil {
			return nil, err
		}
	}
	end := within.Limit - start // may lie pages on
	data := s.data[:min(uint64(len(s.data)), end)]
	if addr-start >= uint64(len(data)) {
		return nil, fmt.Errorf("%w: nothing at %#x", ErrFormat, addr)
	}
	return data[addr-start:], nil
}

// read fills the page, from the part of it that within has if there is nothing
// before: sections start anywhere.
func (s *page) read(r io.ReaderAt, start uint64, within Range) error {
	// Readers may still have what was here.
	s.valid, s.data = false, make([]byte, pageSize)
	skip := uint64(0)
	n, err := r.ReadAt(s.data, int64(start))
	if n == 0 && within.Start > start {
		skip = within.Start - start
		n, err = r.ReadAt(s.data[skip:], int64(within.Start))
	}
	if n == 0 {
		if err == nil || errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: nothing at %#x", ErrFormat, start)
		}
		return err
	}
	s.valid, s.addr, s.data = skip == 0, start, s.data[:skip+uint64(n)]
	return nil
}

// bytes gives n bytes, which may lie on several pages.
func (p *pages) bytes(within Range, addr uint64, n int) ([]byte, error) {
	b, err := p.from(within, addr)
	if err != nil {
		return nil, err
	}
	if len(b) >= n {
		return b[:n], nil
	}
	out := append(make([]byte, 0, n), b...)
	for len(out) < n {
		if b, err = p.from(within, addr+uint64(len(out))); err != nil {
			return nil, err
		}
		out = append(out, b[:min(len(b), n-len(out))]...)
	}
	return out, nil
}

// str reads a string that a zero byte ends, cut at most bytes.
func (p *pages) str(within Range, addr uint64, most int) (string, error) {
	var out []byte
	for {
		b, err := p.from(within, addr+uint64(len(out)))
		if err != nil {
			return "", err
		}
		for i, c := range b {
			if c == 0 || len(out)+i == most {
				return string(append(out, b[:i]...)), nil
			}
		}
		out = append(out, b...)
	}
}

func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
