package perfdata

import (
	"fmt"
	"math"

	"github.com/energyprof/energyprof/perfring"
)

// userRecord takes a record that perf itself wrote, from tools/perf/util/session.c
// and header.c. An error means that the rest of the file cannot be found. What
// puts records in order, and compressed ones, are not for here.
func (f *File) userRecord(kind perfring.RecordType, rec []byte, offset int64) error {
	c := fields{b: rec[recordHeader:], order: f.order}
	switch kind {
	case recHeaderAttr:
		return f.attrRecord(rec[recordHeader:])
	case recHeaderEventType:
		id := c.u64()
		if name := cString(c.b); name != "" {
			f.nameTracepoint(id, name)
		}
	case recHeaderTracingData:
		return f.src.skip((uint64(c.u32()) + 7) &^ 7)
	case recHeaderBuildID:
		f.buildID(rec, false)
	case recIDIndex:
		f.idIndex(&c)
	case recAuxtrace:
		f.Info.Trace = true
		size := c.u64()
		if c.bad {
			return fmt.Errorf("a record of hardware trace has %d bytes: %w", len(rec), ErrDamaged)
		}
		f.result.Aux += size
		return f.src.skip(size)
	case recEventUpdate:
		f.eventUpdate(&c)
	case recHeaderFeature:
		if bit := c.u64(); !c.bad && bit < featCount {
			f.feature(feature(bit), c.b)
		}
	case recAuxtraceError:
		f.notes.add("perf could not read a part of the hardware trace")
	}
	return nil
}

// nameTracepoint keeps the name of a tracepoint by its id.
func (f *File) nameTracepoint(id uint64, name string) {
	if f.tracepoints == nil {
		f.tracepoints = make(map[uint64]string)
	}
	if len(f.tracepoints) < maxEvents {
		f.tracepoints[id] = name
	}
}

// attrRecord takes HEADER_ATTR: an attribute as long as itself says, and ids.
func (f *File) attrRecord(b []byte) error {
	c := fields{b: b, order: f.order}
	c.u32()
	size := uint64(c.u32())
	if size == 0 {
		size = minAttr
	}
	if size < minAttr || size > uint64(len(b)) {
		return fmt.Errorf("event %d has an attribute of %d bytes: %w", len(f.Events), size, ErrDamaged)
	}
	return f.addEvent(b[:size], b[size:])
}

// idIndex takes ID_INDEX: on which CPU and thread the event of each id was opened. perf before 6.0
// writes it only beside hardware trace.
func (f *File) idIndex(c *fields) {
	for n := c.u64(); n > 0 && !c.bad && len(c.b) >= 32; n-- {
		id, _, cpu, tid := c.u64(), c.u64(), int64(c.u64()), int64(c.u64())
		f.ofThread[id] = tid >= 0
		if cpu >= 0 && cpu < maxCPU {
			f.cpuOfID[id] = int(cpu)
		}
	}
}

// eventUpdate takes EVENT_UPDATE: unit, scale, name or CPUs of an event.
func (f *File) eventUpdate(c *fields) {
	what, id := c.u64(), c.u64()
	i, ok := f.events.byID[id]
	if c.bad || !ok {
		return
	}
	e := &f.Events[i]
	switch what {
	case updateUnit:
		e.Unit = cString(c.b)
	case updateScale:
		if v := math.Float64frombits(c.u64()); v > 0 && !math.IsInf(v, 0) {
			e.Scale = v
		}
	case updateName:
		if name := cString(c.b); name != "" {
			e.Name = name
			f.named[i] = true
		}
	case updateCPUs:
		e.CPUs = cpuMap(c)
	}
}

// The forms of struct perf_record_cpu_map_data.
const (
	cpuMapList = iota
	cpuMapMask
	cpuMapRange
)

// cpuMap reads a set of CPUs; nil if it is empty or cannot be read.
func cpuMap(c *fields) (cpus []int) {
	switch c.u16() {
	case cpuMapList:
		for n := c.u16(); n > 0 && !c.bad; n-- {
			if cpu := c.u16(); !c.bad && cpu != math.MaxUint16 {
				cpus = append(cpus, int(cpu))
			}
		}
	case cpuMapMask:
		words, size := int(c.u16()), int(c.u16())
		if size == 8 {
			c.take(4)
		}
		for word := 0; word < words && !c.bad; word++ {
			bits := uint64(0)
			switch size {
			case 4:
				bits = uint64(c.u32())
			case 8:
				bits = c.u64()
			default:
				return nil
			}
			for bit := 0; bit < 8*size; bit++ {
				if bits>>bit&1 != 0 {
					cpus = append(cpus, 8*size*word+bit)
				}
			}
		}
	case cpuMapRange:
		c.take(2) // whether any CPU will do; padding
		first, last := int(c.u16()), int(c.u16())
		for cpu := first; cpu <= last && !c.bad; cpu++ {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}
