package perfring

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unsafe"
)

// presenter writes decoded records as perf script (tools/perf/util/event.c
// and session.c of the kernel) does, up to white space.
type presenter struct {
	attrs  []Attr
	events []string
	byID   map[uint64]int
	values map[uint64]uint64 // last value of each counter of a group
}

func newPresenter(c *capture, events []string) *presenter {
	p := &presenter{c.attrs, events, make(map[uint64]int), make(map[uint64]uint64)}
	for i, ids := range c.ids {
		for _, id := range ids {
			p.byID[id] = i
		}
	}
	return p
}

// event is the index of the event with an id; a capture of one event needs none.
func (p *presenter) event(id uint64) int {
	if id == 0 && len(p.attrs) == 1 {
		return 0
	}
	if i, ok := p.byID[id]; ok {
		return i
	}
	return -1
}

// hex is C's %#lx, which writes 0 without a prefix.
func hex(v uint64) string {
	if v == 0 {
		return "0"
	}
	return fmt.Sprintf("%#x", v)
}

// dump is a record as perf script -D has it.
func (p *presenter) dump(rec Record, raw []byte, offset uint64) string {
	cpu, ns := uint32(0), uint64(0)
	text := ""
	if s, ok := rec.(*Sample); ok {
		cpu, ns, text = s.CPU, s.Time, p.sample(s, raw)
	} else {
		id := identityOf(rec)
		cpu, ns, text = id.CPU, id.Time, p.other(rec)
		switch r := rec.(type) {
		case *Lost:
			text = fmt.Sprintf("LOST: id:%d: lost:%d", r.ID, r.Lost)
		case *LostSamples:
			text = fmt.Sprintf("LOST_SAMPLES: id:%d: lost samples :%d", id.ID, r.Lost)
		}
	}
	return fmt.Sprintf("%d %d %#x [%#x]: PERF_RECORD_%s", cpu, ns, offset, rec.Head().Size, text)
}

// fields are the lines that perf script -F has for a record. A sample with
// the values of a group becomes one of each member that counted on.
func (p *presenter) fields(rec Record) (lines []string) {
	line := func(pid, tid, cpu uint32, ns uint64, text string) {
		lines = append(lines, squeeze(fmt.Sprintf("%d/%d [%03d] %d.%09d: %s", int32(pid), int32(tid), cpu, ns/1e9, ns%1e9, text)))
	}
	s, ok := rec.(*Sample)
	if !ok {
		switch rec.(type) {
		case *Comm, *Fork, *Exit, *Mmap, *Mmap2, *Lost, *Switch, *SwitchCPUWide, *Namespaces, *CGroup:
			id := identityOf(rec)
			line(id.PID, id.TID, id.CPU, id.Time, "PERF_RECORD_"+p.other(rec))
		}
		return lines
	}
	sampled := func(event int, period uint64) {
		trace := ""
		if p.attrs[event].SampleFormat&SampleRaw != 0 {
			// raw_syscalls:sys_enter: common fields, number, six arguments.
			word := func(i int) uint64 { return binary.NativeEndian.Uint64(s.RawData[8*i:]) }
			trace = fmt.Sprintf("NR %d (%x, %x, %x, %x, %x, %x)", int64(word(1)), word(2), word(3), word(4), word(5), word(6), word(7))
		}
		line(s.PID, s.TID, s.CPU, s.Time, fmt.Sprintf("%d %s: %s %x %x", period, p.events[event], trace, s.Addr, s.IP))
	}
	event := p.event(s.ID)
	if p.attrs[event].SampleFormat&SampleRead == 0 {
		sampled(event, p.period(s))
		return lines
	}
	for _, v := range s.Read {
		period := v.Value - p.values[v.ID]
		p.values[v.ID] = v.Value
		if period != 0 {
			sampled(p.event(v.ID), period)
		}
	}
	return lines
}

// period is the sample's, or else the one that was asked for.
func (p *presenter) period(s *Sample) uint64 {
	a := &p.attrs[p.event(s.ID)]
	if a.SampleFormat&SamplePeriod != 0 {
		return s.Period
	}
	return a.Sample
}

func (p *presenter) sample(s *Sample, raw []byte) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	a := &p.attrs[p.event(s.ID)]
	has := func(f SampleFormat) bool { return a.SampleFormat&f != 0 }
	line("SAMPLE(IP, %s): %d/%d: %s period: %d addr: %s", hex(uint64(s.Misc)), int32(s.PID), int32(s.TID), hex(s.IP), p.period(s), hex(s.Addr))
	if has(SampleCallchain) {
		line("... FP chain: nr:%d", len(s.Callchain))
		for i, ip := range s.Callchain {
			line("..... %2d: %016x", i, ip)
		}
	}
	registers := func(whose string, mask, abi uint64, regs []uint64) {
		if abi == 0 {
			return
		}
		line("... %s regs: mask %s ABI %s", whose, hex(mask), [...]string{"none", "32-bit", "64-bit"}[abi])
		for _, v := range regs {
			line(".... 0x%016x", v)
		}
	}
	registers("user", a.RegsUser, s.UserRegsABI, s.UserRegs)
	if has(SampleStackUser) {
		fmt.Fprintf(&b, "... ustack: size %d", len(s.UserStack))
		if len(s.UserStack) > 0 { // perf's place is that of the size before it
			at := uintptr(unsafe.Pointer(&s.UserStack[0])) - uintptr(unsafe.Pointer(&raw[0])) - 8
			fmt.Fprintf(&b, ", offset %s", hex(uint64(at)))
		}
		b.WriteString("\n")
	}
	registers("intr", a.RegsIntr, s.IntrRegsABI, s.IntrRegs)
	if has(SampleWeightStruct) {
		line("... weight: %d,0x%x,0x%x", s.Weight, s.WeightVar2, s.WeightVar3)
	} else if has(SampleWeight) {
		line("... weight: %d", s.Weight)
	}
	if has(SampleDataSrc) {
		line(" . data_src: 0x%x", s.DataSrc)
	}
	if has(SamplePhysAddr) {
		line(" .. phys_addr: 0x%x", s.PhysAddr)
	}
	if has(SampleDataPageSize) {
		line(" .. data page size: %s", pageSize(s.DataPageSize))
	}
	if has(SampleCodePageSize) {
		line(" .. code page size: %s", pageSize(s.CodePageSize))
	}
	if has(SampleTransaction) {
		line("... transaction: %x", s.Transaction)
	}
	if has(SampleRead) {
		line("... sample_read:")
		if a.ReadFormat&ReadTotalTimeEnabled != 0 {
			line("...... time enabled %016x", s.Enabled)
		}
		if a.ReadFormat&ReadTotalTimeRunning != 0 {
			line("...... time running %016x", s.Running)
		}
		if a.ReadFormat&ReadGroup != 0 {
			line(".... group nr %d", len(s.Read))
		}
		for _, v := range s.Read {
			line("..... id %016x, value %016x%s", v.ID, v.Value, lostOf(a, v, ", lost %d"))
		}
	}
	return b.String()
}

func lostOf(a *Attr, v ReadValue, format string) string {
	if a.ReadFormat&ReadLost == 0 {
		return ""
	}
	return fmt.Sprintf(format, v.Lost)
}

func pageSize(n uint64) string {
	if n == 0 {
		return "N/A"
	}
	unit := 0
	for n/1024 > 1 && unit < 3 {
		n /= 1024
		unit++
	}
	return fmt.Sprintf("%d%c", n, "BKMG"[unit])
}

// other is a record that is no sample.
func (p *presenter) other(rec Record) string {
	switch r := rec.(type) {
	case *Mmap:
		kind := 'x'
		if r.Misc&MiscMmapData != 0 {
			kind = 'r'
		}
		return fmt.Sprintf("MMAP %d/%d: [%s(%s) @ %s]: %c %s", int32(r.PID), int32(r.TID), hex(r.Addr), hex(r.Len), hex(r.PgOff), kind, r.Filename)
	case *Mmap2:
		file := fmt.Sprintf("%02x:%02x %d %d", r.Maj, r.Min, r.Ino, r.InoGeneration)
		if r.BuildID != nil {
			file = fmt.Sprintf("<%x>", r.BuildID)
		}
		prot := []byte("---p")
		for i, c := range []byte("rwx") {
			if r.Prot>>i&1 != 0 {
				prot[i] = c
			}
		}
		if r.Flags&1 != 0 { // MAP_SHARED
			prot[3] = 's'
		}
		return fmt.Sprintf("MMAP2 %d/%d: [%s(%s) @ %s %s]: %s %s", int32(r.PID), int32(r.TID), hex(r.Addr), hex(r.Len), hex(r.PgOff), file, prot, r.Filename)
	case *Comm:
		exec := ""
		if r.Exec {
			exec = " exec"
		}
		return fmt.Sprintf("COMM%s: %s:%d/%d", exec, r.Name, r.PID, r.TID)
	case *Fork:
		return fmt.Sprintf("FORK(%d:%d):(%d:%d)", r.PID, r.TID, r.PPID, r.PTID)
	case *Exit:
		return fmt.Sprintf("EXIT(%d:%d):(%d:%d)", r.PID, r.TID, r.PPID, r.PTID)
	case *Lost:
		return fmt.Sprintf("LOST lost %d", r.Lost)
	case *Switch:
		return "SWITCH " + direction(r.Out, r.Preempt)
	case *SwitchCPUWide:
		other := "prev"
		if r.Out {
			other = "next"
		}
		return fmt.Sprintf("SWITCH_CPU_WIDE %s %s pid/tid: %d/%d", direction(r.Out, r.Preempt), other, r.NextPrevPID, r.NextPrevTID)
	case *Namespaces:
		names := []string{"net", "uts", "ipc", "pid", "user", "mnt", "cgroup"}
		links := make([]string, len(r.Links))
		for i, l := range r.Links {
			links[i] = fmt.Sprintf("%d/%s: %d/%s", i, names[i], l.Dev, hex(l.Ino))
		}
		return fmt.Sprintf("NAMESPACES %d/%d - nr_namespaces: %d [%s]", r.PID, r.TID, len(links), strings.Join(links, ", "))
	case *CGroup:
		return fmt.Sprintf("CGROUP cgroup: %d %s", r.ID, r.Path)
	case *Read:
		event := p.event(r.SampleID.ID)
		a, v := &p.attrs[event], r.Values[0]
		return fmt.Sprintf("READ: %d %d %s %d ... time enabled : %d ... time running : %d ... id : %d %s",
			r.PID, r.TID, p.events[event], v.Value, r.Enabled, r.Running, v.ID, lostOf(a, v, "... lost : %d"))
	case *KSymbol:
		return fmt.Sprintf("KSYMBOL addr %x len %d type %d flags 0x%x name %s", r.Addr, r.Len, r.SymType, r.Flags, r.Name)
	case *Throttle:
		return "THROTTLE"
	case *Unthrottle:
		return "UNTHROTTLE"
	}
	return fmt.Sprintf("%v is not compared", rec.Head().Type)
}

func direction(out, preempt bool) string {
	switch {
	case preempt:
		return "OUT preempt"
	case out:
		return "OUT"
	}
	return "IN"
}

func identityOf(rec Record) SampleID {
	switch r := rec.(type) {
	case *Mmap:
		return r.SampleID
	case *Mmap2:
		return r.SampleID
	case *Comm:
		return r.SampleID
	case *Fork:
		return r.SampleID
	case *Exit:
		return r.SampleID
	case *Lost:
		return r.SampleID
	case *LostSamples:
		return r.SampleID
	case *Switch:
		return r.SampleID
	case *SwitchCPUWide:
		return r.SampleID
	case *Namespaces:
		return r.SampleID
	case *CGroup:
		return r.SampleID
	case *Read:
		return r.SampleID
	case *KSymbol:
		return r.SampleID
	case *Throttle:
		return r.SampleID
	case *Unthrottle:
		return r.SampleID
	}
	return SampleID{}
}
