package memory

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// spool keeps samples in a file until the functions have names. It is written from its beginning.
type spool struct {
	file io.ReadWriteSeeker // nil: nothing is kept
	w    *bufio.Writer
	max  int
	kept int
	out  uint64 // samples beyond max
	err  error  // the first that writing met
}

// kept is a sample in the spool.
type kept struct {
	Time, Address, Source, Latency, Physical, PageSize uint64
	PID, TID, CPU                                      uint32
	Event, Stack, Node                                 int32
	Instruction                                        uint16 // latency of the instruction (WeightVar2); 0: not known
}

// sampleBytes is the size of a kept sample.
const sampleBytes = 6*8 + 6*4 + 2

func newSpool(o *Options) spool {
	s := spool{file: o.Samples, max: o.MaxSamples}
	if s.file != nil {
		s.w = bufio.NewWriterSize(s.file, 1<<16)
	}
	return s
}

// add keeps a sample.
func (s *spool) add(a *access) {
	if s.file == nil || s.err != nil {
		return
	}
	if s.kept >= s.max {
		s.out++
		return
	}
	r := kept{Time: a.s.Time, Address: a.s.Addr, Source: a.s.DataSrc, Latency: a.latency, Physical: a.s.PhysAddr,
		PageSize: a.s.DataPageSize, PID: a.s.PID, TID: a.s.TID, CPU: a.s.CPU, Event: int32(a.event), Stack: a.stack,
		Node: int32(a.node), Instruction: a.s.WeightVar2}
	if _, err := s.w.Write(r.append(s.w.AvailableBuffer())); err != nil {
		s.err = err
		return
	}
	s.kept++
}

// append writes the sample behind b.
func (r *kept) append(b []byte) []byte {
	le := binary.LittleEndian
	for _, v := range [...]uint64{r.Time, r.Address, r.Source, r.Latency, r.Physical, r.PageSize} {
		b = le.AppendUint64(b, v)
	}
	for _, v := range [...]uint32{r.PID, r.TID, r.CPU, uint32(r.Event), uint32(r.Stack), uint32(r.Node)} {
		b = le.AppendUint32(b, v)
	}
	return le.AppendUint16(b, r.Instruction)
}

// read is the sample that append wrote.
func (r *kept) read(b []byte) {
	le := binary.LittleEndian
	for i, v := range [...]*uint64{&r.Time, &r.Address, &r.Source, &r.Latency, &r.Physical, &r.PageSize} {
		*v = le.Uint64(b[8*i:])
	}
	b = b[6*8:]
	r.PID, r.TID, r.CPU = le.Uint32(b), le.Uint32(b[4:]), le.Uint32(b[8:])
	r.Event, r.Stack, r.Node = int32(le.Uint32(b[12:])), int32(le.Uint32(b[16:])), int32(le.Uint32(b[20:]))
	r.Instruction = le.Uint16(b[24:])
}

// each calls yield with all samples in the order in which they came.
func (s *spool) each(yield func(*kept) error) error {
	if s.file == nil {
		return errors.New("samples were not kept")
	}
	if s.err == nil {
		s.err = s.w.Flush()
	}
	if s.err != nil {
		return fmt.Errorf("keeping samples: %w", s.err)
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reading the samples that were kept: %w", err)
	}
	r := bufio.NewReaderSize(s.file, 1<<16)
	var b [sampleBytes]byte
	var k kept
	for range s.kept {
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return fmt.Errorf("reading the samples that were kept: %w", err)
		}
		k.read(b[:])
		if err := yield(&k); err != nil {
			return err
		}
	}
	if _, err := s.file.Seek(0, io.SeekEnd); err != nil { // more may be added
		return fmt.Errorf("reading the samples that were kept: %w", err)
	}
	return nil
}
