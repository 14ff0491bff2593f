package perfdata

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/energyprof/energyprof/perfring"
)

// enc writes numbers in the byte order of a machine.
type enc struct {
	b     []byte
	order binary.ByteOrder
}

func (e *enc) u16(vs ...uint16) *enc {
	for _, v := range vs {
		e.b = append(e.b, 0, 0)
		e.order.PutUint16(e.b[len(e.b)-2:], v)
	}
	return e
}

func (e *enc) u32(vs ...uint32) *enc {
	for _, v := range vs {
		e.b = append(e.b, 0, 0, 0, 0)
		e.order.PutUint32(e.b[len(e.b)-4:], v)
	}
	return e
}

func (e *enc) u64(vs ...uint64) *enc {
	for _, v := range vs {
		e.b = append(e.b, 0, 0, 0, 0, 0, 0, 0, 0)
		e.order.PutUint64(e.b[len(e.b)-8:], v)
	}
	return e
}

func (e *enc) raw(b ...byte) *enc {
	e.b = append(e.b, b...)
	return e
}

// name is a string with its NUL, padded to a multiple of n bytes.
func (e *enc) name(s string, n int) *enc {
	e.raw([]byte(s)...)
	return e.raw(make([]byte, n-len(s)%n)...)
}

// text is struct perf_header_string.
func (e *enc) text(s string) *enc { return e.u32(uint32(len(s)+64-len(s)%64)).name(s, 64) }

// built is a perf.data file of a test, with records as the machine of a byte
// order and a perf of its time would have written them.
type built struct {
	order    binary.ByteOrder
	events   []builtEvent
	features map[feature][]byte
	records  [][]byte // each whole, with what follows it
}

type builtEvent struct {
	attr perfring.Attr
	ids  []uint64
	size int // of the attribute; 0: 136
}

func (f *built) enc() *enc { return &enc{order: f.order} }

// attrBytes is struct perf_event_attr. Its flags are bit fields, which a
// big-endian machine counts from the other end.
func (f *built) attrBytes(a perfring.Attr, size int) []byte {
	flags := make([]byte, 8)
	set := func(bit int) {
		if f.order == binary.BigEndian {
			flags[bit/8] |= 0x80 >> (bit % 8)
		} else {
			flags[bit/8] |= 1 << (bit % 8)
		}
	}
	for rest := uint64(a.Flags); rest != 0; rest &= rest - 1 {
		set(bits.TrailingZeros64(rest))
	}
	low, high := 15, 16
	if f.order == binary.BigEndian {
		low, high = 16, 15
	}
	if a.PreciseIP&1 != 0 {
		set(low)
	}
	if a.PreciseIP&2 != 0 {
		set(high)
	}
	e := f.enc().u32(a.Type, uint32(size)).u64(a.Config, a.Sample, uint64(a.SampleFormat), uint64(a.ReadFormat)).
		raw(flags...).u32(a.Wakeup, a.BPType).u64(a.Config1, a.Config2, a.BranchFormat, a.RegsUser).
		u32(a.StackUser, uint32(a.ClockID)).u64(a.RegsIntr).u32(a.AuxWatermark).u16(a.MaxStack, 0).
		u32(a.AuxSampleSize, a.AuxAction).u64(a.SigData, a.Config3, a.Config4)
	for len(e.b) < size {
		e.raw(0)
	}
	return e.b[:size]
}

func (e builtEvent) attrSize() int {
	if e.size == 0 {
		return 136
	}
	return e.size
}

// record makes a record of parts that enc wrote.
func (f *built) record(kind perfring.RecordType, misc uint16, body *enc, payload ...byte) {
	e := f.enc().u32(uint32(kind)).u16(misc, uint16(recordHeader+len(body.b))).raw(body.b...)
	f.records = append(f.records, append(e.b, payload...))
}

// kernel makes a record with a sample id of event i.
func (f *built) kernel(kind perfring.RecordType, misc uint16, body *enc, i int, id perfring.SampleID) {
	a := &f.events[i].attr
	if a.Flags&perfring.FlagSampleIDAll != 0 {
		s := a.SampleFormat
		if s&perfring.SampleTID != 0 {
			body.u32(id.PID, id.TID)
		}
		if s&perfring.SampleTime != 0 {
			body.u64(id.Time)
		}
		if s&perfring.FormatID != 0 {
			body.u64(id.ID)
		}
		if s&perfring.SampleStreamID != 0 {
			body.u64(id.StreamID)
		}
		if s&perfring.SampleCPU != 0 {
			body.u32(id.CPU, 0)
		}
		if s&perfring.SampleIdentifier != 0 {
			body.u64(id.ID)
		}
	}
	f.record(kind, misc, body)
}

// sample makes a sample of event i.
func (f *built) sample(i int, s perfring.Sample) {
	a := &f.events[i].attr
	e := f.enc()
	has := func(field perfring.SampleFormat) bool { return a.SampleFormat&field != 0 }
	one := func(field perfring.SampleFormat, v uint64) {
		if has(field) {
			e.u64(v)
		}
	}
	one(perfring.SampleIdentifier, s.ID)
	one(perfring.SampleIP, s.IP)
	if has(perfring.SampleTID) {
		e.u32(s.PID, s.TID)
	}
	one(perfring.SampleTime, s.Time)
	one(perfring.SampleAddr, s.Addr)
	one(perfring.FormatID, s.ID)
	one(perfring.SampleStreamID, s.StreamID)
	if has(perfring.SampleCPU) {
		e.u32(s.CPU, 0)
	}
	one(perfring.SamplePeriod, s.Period)
	if has(perfring.SampleRead) {
		f.read(e, a.ReadFormat, &s)
	}
	if has(perfring.SampleCallchain) {
		e.u64(uint64(len(s.Callchain))).u64(s.Callchain...)
	}
	if has(perfring.SampleRaw) {
		e.u32(uint32(len(s.RawData))).raw(s.RawData...)
	}
	if has(perfring.SampleBranchStack) {
		f.branches(e, a.BranchFormat, &s)
	}
	if has(perfring.SampleRegsUser) {
		e.u64(s.UserRegsABI).u64(s.UserRegs...)
	}
	if has(perfring.SampleStackUser) {
		e.u64(uint64(len(s.UserStack))).raw(s.UserStack...)
		if len(s.UserStack) > 0 {
			e.u64(uint64(len(s.UserStack)))
		}
	}
	if has(perfring.SampleWeightStruct) {
		e.u64(uint64(s.WeightVar1) | uint64(s.WeightVar2)<<32 | uint64(s.WeightVar3)<<48)
	}
	one(perfring.SampleWeight, s.Weight)
	one(perfring.SampleDataSrc, s.DataSrc)
	one(perfring.SampleTransaction, s.Transaction)
	if has(perfring.SampleRegsIntr) {
		e.u64(s.IntrRegsABI).u64(s.IntrRegs...)
	}
	one(perfring.SamplePhysAddr, s.PhysAddr)
	one(perfring.SampleCGroup, s.CGroup)
	one(perfring.SampleDataPageSize, s.DataPageSize)
	one(perfring.SampleCodePageSize, s.CodePageSize)
	if has(perfring.SampleAux) {
		e.u64(uint64(len(s.Aux))).raw(s.Aux...)
	}
	f.record(perfring.RecordSample, s.Misc, e)
}

func (f *built) read(e *enc, format perfring.ReadFormat, s *perfring.Sample) {
	times := func() {
		if format&perfring.ReadTotalTimeEnabled != 0 {
			e.u64(s.Enabled)
		}
		if format&perfring.ReadTotalTimeRunning != 0 {
			e.u64(s.Running)
		}
	}
	if format&perfring.ReadGroup != 0 {
		e.u64(uint64(len(s.Read)))
		times()
	}
	for _, v := range s.Read {
		e.u64(v.Value)
		if format&perfring.ReadGroup == 0 {
			times()
		}
		if format&perfring.ReadID != 0 {
			e.u64(v.ID)
		}
		if format&perfring.ReadLost != 0 {
			e.u64(v.Lost)
		}
	}
}

func (f *built) branches(e *enc, format uint64, s *perfring.Sample) {
	e.u64(uint64(len(s.Branches)))
	if format&(1<<17) != 0 { // PERF_SAMPLE_BRANCH_HW_INDEX
		e.u64(s.BranchHWIndex)
	}
	for _, b := range s.Branches {
		flags := uint64(b.Flags)
		if f.order == binary.BigEndian {
			// mispred, predicted, in_tx, abort, cycles, type, spec, new_type, priv, reserved
			flags = 0
			rest, left := uint64(b.Flags), 64
			for _, width := range []int{1, 1, 1, 1, 16, 4, 2, 4, 3, 31} {
				left -= width
				flags |= rest & (1<<width - 1) << left
				rest >>= width
			}
		}
		e.u64(b.From, b.To, flags)
	}
}

// round is FINISHED_ROUND.
func (f *built) round() { f.record(recFinishedRound, 0, f.enc()) }

// compress packs the records from the given one on into compressed ones: one
// stream that is flushed after every few records, and cut where it is as long as cut.
func (f *built) compress(t testing.TB, from, flush, cut int, padded bool) {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<17), zstd.WithEncoderCRC(false))
	if err != nil {
		t.Fatal(err)
	}
	var plain []byte
	for i, rec := range f.records[from:] {
		plain = append(plain, rec...)
		if i%flush == flush-1 || i == len(f.records)-from-1 {
			// A flush can come in the middle of a record.
			half := len(plain) - len(rec)/2
			w.Write(plain[:half])
			w.Flush()
			w.Write(plain[half:])
			w.Flush()
			plain = plain[:0]
		}
	}
	f.records = f.records[:from:from]
	for b := out.Bytes(); len(b) > 0; {
		n := min(cut, len(b))
		if padded {
			pad := -n & 7
			f.record(recCompressed2, 0, f.enc().u64(uint64(n)).raw(b[:n]...).raw(make([]byte, pad)...))
		} else {
			f.record(recCompressed, 0, f.enc().raw(b[:n]...))
		}
		b = b[n:]
	}
}

func (f *built) magic() []byte {
	if f.order == binary.BigEndian {
		return []byte("2ELIFREP")
	}
	return []byte(magic2)
}

// file is the form with sections.
func (f *built) file() []byte {
	attrSize := 64
	for _, ev := range f.events {
		attrSize = max(attrSize, ev.attrSize())
	}
	entry := attrSize + sectionSize
	idsAt := headerSize + entry*len(f.events)
	attrs, ids := f.enc(), f.enc()
	for _, ev := range f.events {
		attrs.raw(f.attrBytes(ev.attr, ev.attrSize())...).raw(make([]byte, attrSize-ev.attrSize())...)
		attrs.u64(uint64(idsAt+len(ids.b)), uint64(8*len(ev.ids)))
		ids.u64(ev.ids...)
	}
	data := bytes.Join(f.records, nil)
	dataAt := idsAt + len(ids.b)
	e := f.enc().raw(f.magic()...).u64(headerSize, uint64(entry), headerSize, uint64(len(attrs.b)),
		uint64(dataAt), uint64(len(data)), 0, 0)
	var words [4]uint64
	for bit := range f.features {
		words[bit/64] |= 1 << (bit % 64)
	}
	e.u64(words[:]...).raw(attrs.b...).raw(ids.b...).raw(data...)
	at := len(e.b) + sectionSize*len(f.features)
	var contents []byte
	for bit := range feature(featCount) {
		if content, ok := f.features[bit]; ok {
			e.u64(uint64(at+len(contents)), uint64(len(content)))
			contents = append(contents, content...)
		}
	}
	return append(e.b, contents...)
}

// piped is the form without.
func (f *built) piped() []byte {
	g := &built{order: f.order}
	for _, ev := range f.events {
		g.record(recHeaderAttr, 0, g.enc().raw(f.attrBytes(ev.attr, ev.attrSize())...).u64(ev.ids...))
	}
	for bit := range feature(featCount) {
		if content, ok := f.features[bit]; ok && bit != featBuildID {
			g.record(recHeaderFeature, 0, g.enc().u64(uint64(bit)).raw(content...))
		} else if ok {
			g.records = append(g.records, content)
		}
	}
	e := g.enc().raw(f.magic()...).u64(pipeHeaderSize)
	return append(append(e.b, bytes.Join(g.records, nil)...), bytes.Join(f.records, nil)...)
}

func scale(v float64) uint64 { return math.Float64bits(v) }
