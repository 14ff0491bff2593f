package pprofile

import (
	"bufio"
	"compress/gzip"
	"io"
	"maps"
	"slices"

	"github.com/google/pprof/profile"
)

// Write writes a profile packed, as its own Write does and with the same meaning
// (proto/profile.proto of github.com/google/pprof), but sample by sample: that of the
// package profile first makes a copy of all in memory, which for 200,000 stacks is
// several hundred megabytes.
func Write(w io.Writer, p *profile.Profile) error {
	zip := gzip.NewWriter(w)
	e := encoder{w: bufio.NewWriterSize(zip, 64<<10), numbers: map[string]uint64{"": 0}, strings: []string{""}}
	if err := e.profile(p); err != nil {
		return err
	}
	return zip.Close()
}

// The fields of message Profile, by number.
const (
	fieldSampleType        = 1
	fieldSample            = 2
	fieldMapping           = 3
	fieldLocation          = 4
	fieldFunction          = 5
	fieldStringTable       = 6
	fieldDropFrames        = 7
	fieldKeepFrames        = 8
	fieldTimeNanos         = 9
	fieldDurationNanos     = 10
	fieldPeriodType        = 11
	fieldPeriod            = 12
	fieldComment           = 13
	fieldDefaultSampleType = 14
	fieldDocURL            = 15
)

// encoder writes the fields of a profile one after the other. A protocol buffer's
// fields have no order, so the strings come last.
type encoder struct {
	w       *bufio.Writer
	numbers map[string]uint64
	strings []string
	message message // scratch: the submessage under way
	inner   message // scratch: one inside that, or packed numbers
}

// message is the bytes of a message (protobuf.dev/programming-guides/encoding).
type message []byte

func (m *message) varint(v uint64) {
	for v >= 0x80 {
		*m = append(*m, byte(v)|0x80)
		v >>= 7
	}
	*m = append(*m, byte(v))
}

// number writes a field, unless it is 0 and so need not be there.
func (m *message) number(field int, v uint64) {
	if v != 0 {
		m.varint(uint64(field) << 3)
		m.varint(v)
	}
}

func (m *message) flag(field int, v bool) {
	if v {
		m.number(field, 1)
	}
}

func (m *message) bytes(field int, b []byte) {
	m.varint(uint64(field)<<3 | 2)
	m.varint(uint64(len(b)))
	*m = append(*m, b...)
}

// put writes out e.message as a field of the profile.
func (e *encoder) put(field int) {
	var head message
	head.varint(uint64(field)<<3 | 2)
	head.varint(uint64(len(e.message)))
	e.w.Write(head)
	e.w.Write(e.message) // an error stays in w
	e.message = e.message[:0]
}

// top writes a number as a field of the profile.
func (e *encoder) top(field int, v uint64) {
	e.inner = e.inner[:0]
	e.inner.number(field, v)
	e.w.Write(e.inner)
}

// text is the number of a string.
func (e *encoder) text(s string) uint64 {
	n, ok := e.numbers[s]
	if !ok {
		n = uint64(len(e.strings))
		e.strings = append(e.strings, s)
		e.numbers[s] = n
	}
	return n
}

func (e *encoder) profile(p *profile.Profile) error {
	for _, t := range p.SampleType {
		e.valueType(fieldSampleType, t)
	}
	for _, s := range p.Sample {
		e.sample(s)
	}
	for _, m := range p.Mapping {
		e.mapping(m)
	}
	for _, l := range p.Location {
		e.location(l)
	}
	for _, f := range p.Function {
		e.function(f)
	}
	e.top(fieldDropFrames, e.text(p.DropFrames))
	e.top(fieldKeepFrames, e.text(p.KeepFrames))
	e.top(fieldTimeNanos, uint64(p.TimeNanos))
	e.top(fieldDurationNanos, uint64(p.DurationNanos))
	if p.PeriodType != nil {
		e.valueType(fieldPeriodType, p.PeriodType)
	}
	e.top(fieldPeriod, uint64(p.Period))
	for _, c := range p.Comments {
		e.top(fieldComment, e.text(c))
	}
	e.top(fieldDefaultSampleType, e.text(p.DefaultSampleType))
	e.top(fieldDocURL, e.text(p.DocURL))
	for _, s := range e.strings {
		e.message = append(e.message, s...)
		e.put(fieldStringTable)
	}
	return e.w.Flush()
}

func (e *encoder) valueType(field int, t *profile.ValueType) {
	e.message.number(1, e.text(t.Type))
	e.message.number(2, e.text(t.Unit))
	e.put(field)
}

func (e *encoder) sample(s *profile.Sample) {
	e.inner = e.inner[:0]
	for _, l := range s.Location {
		e.inner.varint(l.ID)
	}
	e.message.bytes(1, e.inner)
	e.inner = e.inner[:0]
	for _, v := range s.Value {
		e.inner.varint(uint64(v))
	}
	e.message.bytes(2, e.inner)
	for _, key := range slices.Sorted(maps.Keys(s.Label)) {
		for _, v := range s.Label[key] {
			e.inner = e.inner[:0]
			e.inner.number(1, e.text(key))
			e.inner.number(2, e.text(v))
			e.message.bytes(3, e.inner)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.NumLabel)) {
		units := s.NumUnit[key]
		for i, v := range s.NumLabel[key] {
			e.inner = e.inner[:0]
			e.inner.number(1, e.text(key))
			e.inner.number(3, uint64(v))
			if i < len(units) {
				e.inner.number(4, e.text(units[i]))
			}
			e.message.bytes(3, e.inner)
		}
	}
	e.put(fieldSample)
}

func (e *encoder) mapping(m *profile.Mapping) {
	e.message.number(1, m.ID)
	e.message.number(2, m.Start)
	e.message.number(3, m.Limit)
	e.message.number(4, m.Offset)
	e.message.number(5, e.text(m.File))
	e.message.number(6, e.text(m.BuildID))
	e.message.flag(7, m.HasFunctions)
	e.message.flag(8, m.HasFilenames)
	e.message.flag(9, m.HasLineNumbers)
	e.message.flag(10, m.HasInlineFrames)
	e.put(fieldMapping)
}

func (e *encoder) location(l *profile.Location) {
	e.message.number(1, l.ID)
	if l.Mapping != nil {
		e.message.number(2, l.Mapping.ID)
	}
	e.message.number(3, l.Address)
	for _, line := range l.Line {
		e.inner = e.inner[:0]
		if line.Function != nil {
			e.inner.number(1, line.Function.ID)
		}
		e.inner.number(2, uint64(line.Line))
		e.inner.number(3, uint64(line.Column))
		e.message.bytes(4, e.inner)
	}
	e.message.flag(5, l.IsFolded)
	e.put(fieldLocation)
}

func (e *encoder) function(f *profile.Function) {
	e.message.number(1, f.ID)
	e.message.number(2, e.text(f.Name))
	e.message.number(3, e.text(f.SystemName))
	e.message.number(4, e.text(f.Filename))
	e.message.number(5, uint64(f.StartLine))
	e.put(fieldFunction)
}
