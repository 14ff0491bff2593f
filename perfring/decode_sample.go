package perfring

import (
	"encoding/binary"
	"unsafe"
)

func (d *Decoder) sample(l *layout, h Header, raw []byte) (Record, error) {
	s := &d.records.sample
	if d.sampled != l {
		*s = Sample{}
		d.sampled = l
	}
	s.Header = h
	c := d.sampleFields(l, raw, true)
	// Of a sample without branches the kernel leaves out the index or not,
	// depending on whether the hardware was asked. The record's size tells.
	if l.hwIndex && len(s.Branches) == 0 && (c.reason != nil || len(c.b) != 0) {
		without := d.sampleFields(l, raw, false)
		if without.reason != nil || len(without.b) != 0 {
			c = d.sampleFields(l, raw, true)
		} else {
			c = without
		}
	}
	if c.reason != nil {
		return nil, c.error(h)
	}
	return s, nil
}

// sampleFields reads all fields of a sample in the kernel's order
// (perf_output_sample) and returns the cursor behind them. emptyIndex says
// that a hardware index follows a count of zero branches.
func (d *Decoder) sampleFields(l *layout, raw []byte, emptyIndex bool) (c cursor) {
	s := &d.records.sample
	f := l.format
	if len(raw) < headerSize+l.fixed {
		c.fail(ErrShort)
		return c
	}
	at := headerSize
	word := func() uint64 {
		v := binary.NativeEndian.Uint64(raw[at:])
		at += 8
		return v
	}
	if f&SampleIdentifier != 0 {
		s.ID = word()
	}
	if f&SampleIP != 0 {
		s.IP = word()
	}
	if f&SampleTID != 0 {
		s.PID = binary.NativeEndian.Uint32(raw[at:])
		s.TID = binary.NativeEndian.Uint32(raw[at+4:])
		at += 8
	}
	if f&SampleTime != 0 {
		s.Time = word()
	}
	if f&SampleAddr != 0 {
		s.Addr = word()
	}
	if f&FormatID != 0 {
		s.ID = word()
	}
	if f&SampleStreamID != 0 {
		s.StreamID = word()
	}
	if f&SampleCPU != 0 {
		s.CPU = binary.NativeEndian.Uint32(raw[at:])
		at += 8
	}
	if f&SamplePeriod != 0 {
		s.Period = word()
	}
	c.b = raw[at:]
	if f&SampleRead != 0 {
		c.field = "read"
		s.Enabled, s.Running, s.Read = d.read(&c, l.read)
	}
	if f&SampleCallchain != 0 {
		c.field = "callchain"
		s.Callchain = c.words(c.u64())
	}
	if f >= SampleRaw {
		d.rareFields(l, &c, emptyIndex)
	}
	return c
}

// rareFields reads what follows the callchain.
func (d *Decoder) rareFields(l *layout, c *cursor, emptyIndex bool) {
	s := &d.records.sample
	f := l.format
	if f&SampleRaw != 0 {
		c.field = "raw"
		s.RawData = c.bytes(uint64(c.u32()))
	}
	if f&SampleBranchStack != 0 {
		c.field = "branch stack"
		d.branches(l, c, emptyIndex)
	}
	if f&SampleRegsUser != 0 {
		c.field = "user registers"
		s.UserRegsABI, s.UserRegs = c.registers(l.regsUser)
	}
	if f&SampleStackUser != 0 {
		c.field = "user stack"
		s.UserStack = c.stack()
	}
	if f&(SampleWeight|SampleWeightStruct) != 0 {
		c.field = "weight"
		s.weigh(c.u64(), f&SampleWeightStruct != 0)
	}
	if f&SampleDataSrc != 0 {
		c.field = "data source"
		s.DataSrc = c.u64()
	}
	if f&SampleTransaction != 0 {
		c.field = "transaction"
		s.Transaction = c.u64()
	}
	if f&SampleRegsIntr != 0 {
		c.field = "interrupt registers"
		s.IntrRegsABI, s.IntrRegs = c.registers(l.regsIntr)
	}
	if f&SamplePhysAddr != 0 {
		c.field = "physical address"
		s.PhysAddr = c.u64()
	}
	if f&SampleCGroup != 0 {
		c.field = "cgroup"
		s.CGroup = c.u64()
	}
	if f&SampleDataPageSize != 0 {
		c.field = "data page size"
		s.DataPageSize = c.u64()
	}
	if f&SampleCodePageSize != 0 {
		c.field = "code page size"
		s.CodePageSize = c.u64()
	}
	if f&SampleAux != 0 {
		c.field = "aux"
		s.Aux = c.bytes(c.u64())
	}
}

// read reads the values of a counter, or of all counters of a group.
func (d *Decoder) read(c *cursor, f ReadFormat) (enabled, running uint64, values []ReadValue) {
	values = d.values[:0]
	if f&ReadGroup == 0 {
		value := c.u64()
		enabled, running = c.times(f)
		v := c.member(f)
		v.Value = value
		d.values = append(values, v)
		return enabled, running, d.values
	}
	n := c.u64()
	enabled, running = c.times(f)
	for ; n > 0 && c.reason == nil; n-- {
		value := c.u64()
		v := c.member(f)
		v.Value = value
		values = append(values, v)
	}
	d.values = values
	return enabled, running, values
}

func (d *Decoder) branches(l *layout, c *cursor, emptyIndex bool) {
	s := &d.records.sample
	s.Branches, s.BranchHWIndex, s.BranchCounters = nil, 0, nil
	n := c.u64()
	if l.hwIndex && (n > 0 || emptyIndex) {
		s.BranchHWIndex = c.u64()
	}
	if n > uint64(len(c.b))/24 {
		c.fail(ErrShort)
		return
	}
	if words := c.words(3 * n); words != nil {
		s.Branches = unsafe.Slice((*Branch)(unsafe.Pointer(&words[0])), n)
	}
	if l.counters {
		s.BranchCounters = c.words(n)
	}
}

// registers reads the n registers that follow unless abi is 0: a kernel
// thread has no user registers.
func (c *cursor) registers(n uint64) (abi uint64, regs []uint64) {
	abi = c.u64()
	if abi == 0 {
		return 0, nil
	}
	return abi, c.words(n)
}

// stack reads the dump of the user stack. It takes the room that was asked
// for; what was really copied is said after it, except if there is no room.
func (c *cursor) stack() []byte {
	size := c.u64()
	if size == 0 {
		return nil
	}
	dump := c.bytes(size)
	used := c.u64()
	if used > uint64(len(dump)) {
		c.fail(ErrMalformed)
		return nil
	}
	return dump[:used:used]
}

func (s *Sample) weigh(w uint64, parts bool) {
	s.Weight = w
	if parts {
		s.WeightVar1 = uint32(w)
		s.WeightVar2 = uint16(w >> 32)
		s.WeightVar3 = uint16(w >> 48)
		s.Weight = uint64(s.WeightVar1)
	}
}
