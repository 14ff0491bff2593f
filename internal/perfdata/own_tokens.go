package perfdata

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/energyprof/energyprof/perfring"
)

// The part of tokens says what happened between the records. A token is a byte and numbers:
// varints, where times are differences from the time before; joules are 8 bytes.
const (
	tokRecords  = iota // n: the next n records of the kernel in the data section
	tokSkip            // n: the next n are for other readers
	tokExisting        // pid
	tokBusy            // cpu, from, to, ns; likewise the next two
	tokOthers
	tokMissed
	tokEnergy  // domain, time, joules
	tokAdvance // time
	tokCount   // series, time, counts; from version 2 on
	tokServed  // cpu: whose memory served the next sample, if not its own CPU's; from version 3 on
)

// tokenWriter writes tokens. Records are counted and told when another token comes.
type tokenWriter struct {
	w     *bufio.Writer
	size  int64
	time  int64
	count uint64 // records since the last token
	kind  byte   // of the token that tells them
	buf   []byte
}

// records counts records of the data section.
func (t *tokenWriter) records(kind byte, n uint64) {
	if kind != t.kind {
		t.flush()
		t.kind = kind
	}
	t.count += n
}

// flush tells the records that were counted.
func (t *tokenWriter) flush() {
	if t.count > 0 {
		t.put(binary.AppendUvarint(append(t.buf[:0], t.kind), t.count))
		t.count = 0
	}
}

// put writes a token. An error stays in w and comes again with its last Flush.
func (t *tokenWriter) put(token []byte) {
	t.buf = token
	n, _ := t.w.Write(token)
	t.size += int64(n)
}

func (t *tokenWriter) start(kind byte) {
	t.flush()
	t.buf = append(t.buf[:0], kind)
}

func (t *tokenWriter) number(v int64) { t.buf = binary.AppendVarint(t.buf, v) }

func (t *tokenWriter) at(time int64) {
	t.number(time - t.time)
	t.time = time
}

func (t *tokenWriter) existing(pid int) {
	t.start(tokExisting)
	t.number(int64(pid))
	t.put(t.buf)
}

func (t *tokenWriter) window(kind byte, cpu int, from, to, ns int64) {
	t.start(kind)
	t.number(int64(cpu))
	t.at(from)
	t.at(to)
	t.number(ns)
	t.put(t.buf)
}

// point is one of a series of energy or of counts.
func (t *tokenWriter) point(kind byte, series int, time int64, value float64) {
	t.start(kind)
	t.number(int64(series))
	t.at(time)
	t.put(binary.LittleEndian.AppendUint64(t.buf, math.Float64bits(value)))
}

func (t *tokenWriter) served(cpu int) {
	t.start(tokServed)
	t.number(int64(cpu))
	t.put(t.buf)
}

func (t *tokenWriter) advance(time int64) {
	t.start(tokAdvance)
	t.at(time)
	t.put(t.buf)
}

// nextRecord gives the next record of the kernel (type below 64) of the data section, in
// file order; io.EOF after the last one. cpu and event are as for Sink.Record.
type nextRecord func() (rec perfring.Record, cpu, event int, err error)

// replay gives the sink the calls of the recording, in their order. It can be called once.
func (o *Own) replay(next nextRecord, sink Sink) error {
	r := tokenReader{r: bufio.NewReader(o.tokens)}
	for {
		kind, err := r.r.ReadByte()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := o.replayOne(&r, kind, next, sink); err != nil {
			return err
		}
		if r.err != nil {
			return fmt.Errorf("%w: what came between the records: %w", errOwnDamaged, r.err)
		}
	}
}

func (o *Own) replayOne(r *tokenReader, kind byte, next nextRecord, sink Sink) error {
	switch kind {
	case tokRecords, tokSkip:
		for n := r.unsigned(); n > 0; n-- {
			rec, cpu, event, err := next()
			if err == io.EOF {
				return fmt.Errorf("%w: it tells of %d records more than there are", errOwnDamaged, n)
			}
			if err != nil {
				return err
			}
			if event >= len(o.Events) {
				event = -1 // an event that tells about processes and no more
			}
			if kind == tokRecords {
				sink.Record(rec, cpu, event)
			}
			if _, ok := rec.(*perfring.Sample); ok {
				o.servedBy = nil
			}
		}
	case tokExisting:
		if pid := r.number(); r.err == nil && pid == int64(int32(pid)) {
			return sink.Existing(int(pid))
		}
	case tokBusy, tokOthers, tokMissed:
		cpu, from, to, ns := r.number(), r.at(), r.at(), r.number()
		if cpu < 0 || cpu > math.MaxInt32 {
			r.fail(fmt.Errorf("CPU %d", cpu))
		}
		if r.err != nil {
			return nil
		}
		switch kind {
		case tokBusy:
			sink.Busy(int(cpu), from, to, ns)
		case tokOthers:
			sink.Others(int(cpu), from, to, ns)
		case tokMissed:
			sink.Missed(int(cpu), from, to, ns)
		}
	case tokEnergy:
		domain, at, joules := r.number(), r.at(), r.float()
		if domain < 0 || domain >= int64(len(o.Energy.Domains)) {
			r.fail(fmt.Errorf("domain %d of %d", domain, len(o.Energy.Domains)))
		}
		if r.err == nil {
			sink.Energy(int(domain), at, joules)
		}
	case tokCount:
		series, at, counts := r.number(), r.at(), r.float()
		if n := o.countSeries(); series < 0 || series >= int64(n) {
			r.fail(fmt.Errorf("series %d of %d that are counted", series, n))
		}
		if r.err == nil {
			sink.Count(int(series), at, counts)
		}
	case tokServed:
		cpu := int(r.number())
		o.servedBy = &cpu
	case tokAdvance:
		if at := r.at(); r.err == nil {
			sink.Advance(at)
		}
	default:
		r.fail(fmt.Errorf("token %d", kind))
	}
	return nil
}

// ServedBy is what the recording's own ServedBy answered (see Writer.ServedBy) of the sample that Read is
// handing on: that depends on the machine and on the time.
func (o *Own) ServedBy(_ *perfring.Sample, cpu int) int {
	if o.servedBy != nil {
		return *o.servedBy
	}
	return cpu
}

// countSeries is the number of series of all counters.
func (o *Own) countSeries() int {
	n := 0
	for _, c := range o.Counters {
		n += len(c.Domains)
	}
	return n
}

// tokenReader reads numbers; after the first that is not there it gives zeros.
type tokenReader struct {
	r    *bufio.Reader
	time int64
	err  error
}

func (r *tokenReader) fail(err error) {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if r.err == nil {
		r.err = err
	}
}

func (r *tokenReader) unsigned() uint64 {
	v, err := binary.ReadUvarint(r.r)
	if err != nil {
		r.fail(err)
		return 0
	}
	return v
}

func (r *tokenReader) number() int64 {
	v, err := binary.ReadVarint(r.r)
	if err != nil {
		r.fail(err)
		return 0
	}
	return v
}

func (r *tokenReader) at() int64 {
	r.time += r.number()
	return r.time
}

// float is of an amount: energy, or counts.
func (r *tokenReader) float() float64 {
	var b [8]byte
	if _, err := io.ReadFull(r.r, b[:]); err != nil {
		r.fail(err)
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(b[:]))
	if math.IsNaN(v) || math.IsInf(v, 0) {
		r.fail(fmt.Errorf("%v is no amount", v))
	}
	return v
}
