package perfdata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/energyprof/energyprof/perfring"
)

// source brings the records of a file or a pipe one after the other.
type source struct {
	r    io.Reader
	swap bool // the file is of the other byte order
	window
	offset int64 // in the file, of the window's first byte
	limit  int64 // in the file: where the records end, -1 unknown
}

// errEnd is the end where a record could begin.
var errEnd = errors.New("end of records")

// fill makes the window hold n bytes; io.EOF or another error if there are not as many.
func (s *source) fill(n int) error {
	for s.end-s.start < n {
		have := s.end - s.start
		to := s.room(n - have)
		if s.limit >= 0 {
			left := s.limit - s.offset - int64(have)
			if left <= 0 {
				return io.EOF
			}
			to = to[:min(int64(len(to)), left)]
		}
		got, err := io.ReadAtLeast(s.r, to, min(n-have, len(to)))
		s.end += got
		if got == 0 && err != nil {
			return err
		}
	}
	return nil
}

// next returns the next record and its place in the file. The record lies in
// block s.at. The error is errEnd at the end; what else it is, the rest cannot
// be found.
func (s *source) next() (rec []byte, offset int64, err error) {
	for {
		if s.end-s.start < recordHeader {
			if err := s.fill(recordHeader); err != nil {
				if err == io.EOF && s.end == s.start {
					return nil, s.offset, errEnd
				}
				return nil, s.offset, s.cut(err, recordHeader)
			}
		}
		buf := s.pool.blocks[s.at].buf
		kind, size := head8(buf[s.start:], s.swap)
		// A kind that nobody has ever assigned: text, or what was never written.
		if kind >= maxRecordType {
			return nil, s.offset, fmt.Errorf("not a record (type %#x): %w", uint32(kind), ErrDamaged)
		}
		if kind >= recAndroid {
			if err := s.android(size); err != nil {
				return nil, s.offset, err
			}
			continue
		}
		if size < recordHeader {
			return nil, s.offset, fmt.Errorf("a record of %d bytes: %w", size, ErrDamaged)
		}
		if s.end-s.start < size {
			if err := s.fill(size); err != nil {
				return nil, s.offset, s.cut(err, size)
			}
			buf = s.pool.blocks[s.at].buf
		}
		rec = buf[s.start : s.start+size : s.start+size]
		offset = s.offset
		s.start += size
		s.offset += int64(size)
		return rec, offset, nil
	}
}

// android leaves out a record of simpleperf. low is the lower half of its size.
func (s *source) android(low int) error {
	size, err := androidSize(s.bytes(), low, s.swap)
	if err != nil {
		return err
	}
	return s.skip(size)
}

// androidSize is the size of a record of simpleperf: struct
// simpleperf_record_header of its record.h.
func androidSize(b []byte, low int, swap bool) (uint64, error) {
	high := nativeUint16(b[4:])
	if swap {
		high = bits.ReverseBytes16(high)
	}
	size := uint64(high)<<16 | uint64(low)
	if size < recordHeader {
		return 0, fmt.Errorf("a record of %d bytes: %w", size, ErrDamaged)
	}
	return size, nil
}

// head8 reads type and size of struct perf_event_header, which is what is read
// most often of all.
func head8(b []byte, swap bool) (kind perfring.RecordType, size int) {
	word := binary.NativeEndian.Uint64(b)
	if swap {
		word = bits.ReverseBytes64(word)
		return perfring.RecordType(word >> 32), int(word & 0xffff)
	}
	return perfring.RecordType(uint32(word)), int(word >> 48)
}

// back puts the record that next has just returned back.
func (s *source) back(rec []byte) {
	s.start -= len(rec)
	s.offset -= int64(len(rec))
}

func (s *source) cut(err error, want int) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the file ends %d bytes into a record of %d: %w", s.end-s.start, want, ErrDamaged)
	}
	return err
}

// skip leaves out n bytes after a record, as hardware trace is.
func (s *source) skip(n uint64) error {
	have := uint64(s.end - s.start)
	if n <= have {
		s.start += int(n)
		s.offset += int64(n)
		return nil
	}
	left := n - have
	at := s.offset + int64(have)
	s.start = s.end
	s.offset = at
	if s.limit >= 0 && left > uint64(s.limit-at) || left > 1<<62 {
		return fmt.Errorf("%d bytes after a record lie beyond the end: %w", left, ErrDamaged)
	}
	if seeker, ok := s.r.(io.Seeker); ok {
		if _, err := seeker.Seek(int64(left), io.SeekCurrent); err != nil {
			return err
		}
		s.offset += int64(left)
		return nil
	}
	done, err := io.CopyN(io.Discard, s.r, int64(left))
	s.offset += done
	if err == io.EOF {
		err = fmt.Errorf("the file ends %d bytes before the end of what follows a record: %w", int64(left)-done, ErrDamaged)
	}
	return err
}
