package collect

import (
	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report/pprofile"
)

// Past is what a recording learnt from the machine beside its stream. With it the same stream
// gives the same profile on any machine, at any time.
type Past struct {
	// Locations are all places in code in the order in which the stream shows them, with their names.
	Locations []*pprofile.Location
	// Main is the mapping of the program that was recorded, nil without one.
	Main *pprofile.Mapping
	// KernelVisible tells that the kernel showed its symbols: its code has locations, not one frame.
	KernelVisible bool
	// Idle is where CPUs with nothing to do wait in the kernel, as far as it was known.
	Idle     []symbol.Range
	MaxDepth int // as in Options
}

// Past returns what a later conversion of the same stream needs. It is complete after Finish.
func (c *Collector) Past() *Past {
	return &Past{Locations: c.named, Main: c.mainMapping(), KernelVisible: c.kernel.segment != nil, Idle: c.kernel.early, MaxDepth: c.opt.MaxDepth}
}

// location returns the location that the recording had in the place of the i-th one here.
func (p *Past) location(i int, l *location) *pprofile.Location {
	if p == nil || i >= len(p.Locations) {
		return nil
	}
	then := p.Locations[i]
	if then == nil || then.Address != l.addr || (then.Mapping == nil) != (l.segment == nil) ||
		then.Mapping != nil && then.Mapping.File != l.segment.image.file {
		return nil // not the same stream, or other limits
	}
	return then
}

// tell gives what was read of a process in /proc to whoever keeps the stream, as the records that
// would have told it; the file of the program comes first.
func (t *table) tell(rec perfring.Record) {
	if t.found != nil {
		t.found(rec)
	}
}

// record is the mapping as the kernel would have told of it (PROT_READ|PROT_EXEC, MAP_PRIVATE).
func (m *mapping) record(pid uint32) *perfring.Mmap2 {
	i := m.image.Value()
	return &perfring.Mmap2{Header: perfring.Header{Type: perfring.RecordMmap2, Misc: perfring.MiscUser},
		PID: pid, TID: pid, Addr: m.start, Len: m.limit - m.start, PgOff: m.offset,
		Maj: i.major, Min: i.minor, Ino: i.inode, Prot: 5, Flags: 2, Filename: []byte(i.file)}
}

// named enters the name of a thread that was read in /proc.
func (t *table) named(pid, tid uint32, name string) {
	t.comm(pid, tid, name, false)
	t.tell(&perfring.Comm{Header: perfring.Header{Type: perfring.RecordComm}, PID: pid, TID: tid, Name: []byte(name)})
}
