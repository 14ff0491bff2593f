package collect

import (
	"fmt"

	"github.com/energyprof/energyprof/internal/symbol"
)

// journal is what a process tells of the code that it compiles, with times (jitdump). What is at an address can
// change any time: each sample's addresses are those of the functions that were there then.
type journal struct {
	mapping  *mapping // the process maps the file once to tell of it; nil without one
	dump     *symbol.JITDump
	refused  bool // it could not be opened
	read     int64
	now      int64 // the sample that is being looked at
	replaced int
}

// maxReplaced bounds the functions of a process whose places are told apart from what was there before. Code that
// comes later counts as what it took the place of.
const maxReplaced = 1 << 14

// follow brings what is known of the code that a process compiled to the time of a sample, of which nothing has been
// looked up yet.
func (c *Collector) follow(p *process, t int64) {
	j := &p.jit.journal
	if j.mapping == nil || j.refused || c.opt.Resolver == nil {
		return
	}
	if j.dump == nil && !c.openJournal(p) {
		j.refused = true
		return
	}
	j.now = t
	if c.opt.Proc == "" {
		return // the clock of the samples need not be that of the journal
	}
	// Whatever was written before now has been read; a sample is of code that was written of before it.
	if t > j.read {
		j.read = monotonic()
		j.dump.Read()
	}
	for _, f := range j.dump.Advance(t) {
		c.replaced(p, f)
	}
}

func (c *Collector) openJournal(p *process) bool {
	j := &p.jit.journal
	m, i := j.mapping, j.mapping.image.Value()
	of := symbol.Mapping{PID: int(p.pid), Start: m.start, Limit: m.limit, Offset: m.offset, File: i.file,
		Major: i.major, Minor: i.minor, Inode: i.inode}
	var uid uint32
	if c.opt.Proc == "" {
		if c.opt.PerfMapsOf == nil {
			return false
		}
		of.PID, uid = 0, *c.opt.PerfMapsOf
	} else if now, err := readUID(c.opt.Proc, p.pid); err == nil {
		uid = now
	} else {
		return false // whose journal it would have to be is unknown
	}
	dump, err := c.opt.Resolver.OpenJITDump(of, uid)
	if err != nil {
		return false
	}
	j.dump = dump
	if c.opt.Proc == "" {
		dump.Read()
		dump.AdvanceAll()
		dump.Close()
	}
	return true
}

// replaced makes another mapping of the place of a function that was another's before: locations there are new ones
// from now on. Whoever keeps the stream keeps it, too.
func (c *Collector) replaced(p *process, f *symbol.JITFunction) {
	m := p.space.find(f.Start)
	if m == nil || p.jit.journal.replaced >= maxReplaced {
		return
	}
	if i := m.image.Value(); i.hasFile() {
		return // code that was compiled with the program, and told of all the same
	}
	p.jit.journal.replaced++
	m = &mapping{start: f.Start, limit: min(f.Limit, m.limit), image: intern(image{file: fmt.Sprintf("%s/%d", anonymous, p.jit.journal.replaced)})}
	c.table.insert(p, m)
	c.table.tell(m.record(p.pid))
}

// compiled is the function that a process has at an address now, as far as its journal tells; nil else.
func (p *process) compiled(addr uint64) *symbol.JITFunction {
	if p == nil || p.jit.journal.dump == nil {
		return nil
	}
	return p.jit.journal.dump.Find(addr)
}

// lookUpCompiled names what was not yet in a process's journal when it was sampled: runtimes buffer what they write.
func (c *Collector) lookUpCompiled() {
	list := c.stacks.locations.list
	late := map[*symbol.JITDump][]int{}
	for i, l := range list {
		if l.segment == nil || l.segment.owner == nil || l.compiled != nil || c.opt.Past.location(i, &l) != nil {
			continue
		}
		if dump := l.segment.owner.jit.journal.dump; dump != nil {
			late[dump] = append(late[dump], i)
		}
	}
	for dump, which := range late {
		dump.Read()
		queries := make([]symbol.JITQuery, len(which))
		for k, i := range which {
			queries[k] = symbol.JITQuery{Addr: list[i].addr, Time: list[i].seen}
		}
		for k, f := range dump.Past(queries) {
			list[which[k]].compiled = f
		}
	}
}

// close reads what is left of the journal: the process has ended, runs another program or keeps another journal.
func (j *journal) close() {
	if j.dump != nil {
		j.dump.Read()
		j.dump.AdvanceAll()
		j.dump.Close()
	}
}
