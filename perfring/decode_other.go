package perfring

import (
	"encoding/binary"
	"unsafe"
)

// identity reads the SampleID at the end of a record.
func (l *layout) identity(b []byte) (id SampleID) {
	f := l.format
	if f&SampleTID != 0 {
		id.PID = binary.NativeEndian.Uint32(b)
		id.TID = binary.NativeEndian.Uint32(b[4:])
		b = b[8:]
	}
	if f&SampleTime != 0 {
		id.Time = binary.NativeEndian.Uint64(b)
		b = b[8:]
	}
	if f&FormatID != 0 {
		id.ID = binary.NativeEndian.Uint64(b)
		b = b[8:]
	}
	if f&SampleStreamID != 0 {
		id.StreamID = binary.NativeEndian.Uint64(b)
		b = b[8:]
	}
	if f&SampleCPU != 0 {
		id.CPU = binary.NativeEndian.Uint32(b)
		b = b[8:]
	}
	if f&SampleIdentifier != 0 {
		id.ID = binary.NativeEndian.Uint64(b)
	}
	return id
}

// other decodes every record but a sample.
func (d *Decoder) other(l *layout, h Header, raw []byte) (Record, error) {
	var id SampleID
	body := raw[headerSize:]
	if l.trailer > 0 && len(body) >= l.trailer {
		end := len(body) - l.trailer
		id = l.identity(body[end:])
		body = body[:end:end]
	} else if l.trailer > 0 && h.Type <= RecordCallchainDeferred {
		return nil, &DecodeError{Type: h.Type, Size: len(raw), Field: "sample id", Reason: ErrShort}
	}
	c := cursor{b: body}
	rec := d.fields(l, h, id, &c)
	if rec == nil {
		d.records.unknown = Unknown{Header: h, SampleID: id, Payload: raw[headerSize:]}
		return &d.records.unknown, nil
	}
	if c.reason != nil {
		return nil, c.error(h)
	}
	return rec, nil
}

// fields reads the fields of a record without its identity. It returns nil
// for a type that it does not know.
func (d *Decoder) fields(l *layout, h Header, id SampleID, c *cursor) Record {
	switch h.Type {
	case RecordMmap:
		r := &d.records.mmap
		*r = Mmap{Header: h, SampleID: id}
		r.PID, r.TID = c.u32(), c.u32()
		r.Addr, r.Len, r.PgOff = c.u64(), c.u64(), c.u64()
		r.Filename = c.text()
		return r
	case RecordMmap2:
		return d.mmap2(l, h, id, c)
	case RecordLost:
		r := &d.records.lost
		*r = Lost{Header: h, SampleID: id, ID: c.u64(), Lost: c.u64()}
		return r
	case RecordComm:
		r := &d.records.comm
		*r = Comm{Header: h, SampleID: id, PID: c.u32(), TID: c.u32(), Name: c.text(), Exec: h.Misc&MiscCommExec != 0}
		return r
	case RecordExit:
		r := &d.records.exit
		*r = Exit{Header: h, SampleID: id, PID: c.u32(), PPID: c.u32(), TID: c.u32(), PTID: c.u32(), Time: c.u64()}
		return r
	case RecordFork:
		r := &d.records.fork
		*r = Fork{Header: h, SampleID: id, PID: c.u32(), PPID: c.u32(), TID: c.u32(), PTID: c.u32(), Time: c.u64()}
		return r
	case RecordThrottle:
		r := &d.records.throttle
		*r = Throttle{Header: h, SampleID: id, Time: c.u64(), ID: c.u64(), StreamID: c.u64()}
		return r
	case RecordUnthrottle:
		r := &d.records.unthrottle
		*r = Unthrottle{Header: h, SampleID: id, Time: c.u64(), ID: c.u64(), StreamID: c.u64()}
		return r
	case RecordRead:
		r := &d.records.read
		*r = Read{Header: h, SampleID: id, PID: c.u32(), TID: c.u32()}
		c.field = "values"
		r.Enabled, r.Running, r.Values = d.read(c, l.read)
		return r
	case RecordSwitch:
		r := &d.records.swtch
		*r = Switch{Header: h, SampleID: id, Out: h.Misc&MiscSwitchOut != 0, Preempt: h.Misc&MiscSwitchOutPreempt != 0}
		return r
	case RecordSwitchCPUWide:
		r := &d.records.switchCPUWide
		*r = SwitchCPUWide{Header: h, SampleID: id, NextPrevPID: c.u32(), NextPrevTID: c.u32(),
			Out: h.Misc&MiscSwitchOut != 0, Preempt: h.Misc&MiscSwitchOutPreempt != 0}
		return r
	}
	return d.rareRecord(h, id, c)
}

func (d *Decoder) mmap2(l *layout, h Header, id SampleID, c *cursor) Record {
	r := &d.records.mmap2
	*r = Mmap2{Header: h, SampleID: id}
	r.PID, r.TID = c.u32(), c.u32()
	r.Addr, r.Len, r.PgOff = c.u64(), c.u64(), c.u64()
	if l.hasBuildID(h) {
		c.field = "build id"
		identity := c.bytes(24)
		if identity != nil {
			// One byte of length, three of padding, then up to 20 of build id.
			if identity[0] > 20 {
				c.fail(ErrMalformed)
			} else {
				r.BuildID = identity[4 : 4+identity[0]]
			}
		}
	} else {
		r.Maj, r.Min, r.Ino, r.InoGeneration = c.u32(), c.u32(), c.u64(), c.u64()
	}
	r.Prot, r.Flags = c.u32(), c.u32()
	r.Filename = c.text()
	return r
}

// rareRecord reads the records that hardware tracing, BPF and containers
// bring.
func (d *Decoder) rareRecord(h Header, id SampleID, c *cursor) Record {
	switch h.Type {
	case RecordAux:
		r := &d.records.aux
		*r = Aux{Header: h, SampleID: id, Offset: c.u64(), Length: c.u64(), Flags: c.u64()}
		return r
	case RecordItraceStart:
		r := &d.records.itraceStart
		*r = ItraceStart{Header: h, SampleID: id, PID: c.u32(), TID: c.u32()}
		return r
	case RecordLostSamples:
		r := &d.records.lostSamples
		*r = LostSamples{Header: h, SampleID: id, Lost: c.u64()}
		return r
	case RecordNamespaces:
		r := &d.records.namespaces
		*r = Namespaces{Header: h, SampleID: id, PID: c.u32(), TID: c.u32()}
		n := c.u64()
		c.field = "links"
		if n > uint64(len(c.b))/16 {
			c.fail(ErrShort)
		} else if words := c.words(2 * n); words != nil {
			r.Links = unsafe.Slice((*NamespaceLink)(unsafe.Pointer(&words[0])), n)
		}
		return r
	case RecordKSymbol:
		r := &d.records.ksymbol
		*r = KSymbol{Header: h, SampleID: id, Addr: c.u64(), Len: c.u32(), SymType: c.u16(), Flags: c.u16()}
		r.Unregister = r.Flags&1 != 0
		r.Name = c.text()
		return r
	case RecordBPFEvent:
		r := &d.records.bpfEvent
		*r = BPFEvent{Header: h, SampleID: id, EventType: c.u16(), Flags: c.u16(), ProgID: c.u32()}
		copy(r.Tag[:], c.bytes(uint64(len(r.Tag))))
		return r
	case RecordCGroup:
		r := &d.records.cgroup
		*r = CGroup{Header: h, SampleID: id, ID: c.u64(), Path: c.text()}
		return r
	case RecordTextPoke:
		r := &d.records.textPoke
		*r = TextPoke{Header: h, SampleID: id, Addr: c.u64()}
		before, after := c.u16(), c.u16()
		c.field = "code"
		r.Old, r.New = c.bytes(uint64(before)), c.bytes(uint64(after))
		return r
	case RecordAuxOutputHWID:
		r := &d.records.auxOutputHWID
		*r = AuxOutputHWID{Header: h, SampleID: id, HWID: c.u64()}
		return r
	case RecordCallchainDeferred:
		r := &d.records.callchainDeferred
		*r = CallchainDeferred{Header: h, SampleID: id, Cookie: c.u64()}
		n := c.u64()
		c.field = "callchain"
		r.Callchain = c.words(n)
		return r
	}
	return nil
}
