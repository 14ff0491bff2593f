package memory

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/energyprof/energyprof/internal/pmu"
)

// LineRow is a cache line of a process, or of several that share its memory.
type LineRow struct {
	Address         string        `json:"address"`                    // hexadecimal, of its first byte
	PhysicalAddress string        `json:"physical_address,omitempty"` // as of its last sample that had one
	Process         string        `json:"process"`
	PID             int           `json:"pid"`            // 0: the kernel's, in all processes; -1: of one that had ended
	Also            []LineAddress `json:"also,omitempty"` // the other addresses of the same physical line
	Node            *int          `json:"node"`           // of the memory, as of its last sample
	Sharing         Sharing       `json:"sharing"`
	// CPUs that accessed it, in the kernel's list form, those of loads and of stores; page faults are neither,
	// breakpoints on writes alone are stores.
	CPUs      string            `json:"cpus"`
	ReadOn    string            `json:"read_on"`
	WrittenOn string            `json:"written_on"`
	Nodes     []int             `json:"nodes"`       // that these CPUs are on
	Levels    map[string]uint64 `json:"load_levels"` // sampled loads by level
	Functions []string          `json:"functions"`   // that accessed it most, at most three
	Offsets   []OffsetRow       `json:"offsets"`
	// Crowd is samples that are in no offset because there were too many threads.
	Crowd uint64 `json:"crowd,omitempty"`
	Coherence
	Sum

	meetings uint64 // of threads, by which it is ranked where the processor tells of no HITM
}

// LineAddress is a line under another address.
type LineAddress struct {
	Address string `json:"address"`
	Process string `json:"process"`
	PID     int    `json:"pid"`
}

// OffsetRow is what happened at one place of a line.
type OffsetRow struct {
	Offset    int      `json:"offset"` // in bytes from the beginning of the line
	CPUs      string   `json:"cpus"`
	ReadOn    string   `json:"read_on"`
	WrittenOn string   `json:"written_on"`
	Threads   []Thread `json:"threads"`
	Functions []string `json:"functions"` // that accessed it most, at most three
	Coherence
	Sum
}

// Thread is a thread of a process.
type Thread struct {
	PID int `json:"pid"`
	TID int `json:"tid"`
}

// lineRows are the lines, those that are fought for first, and what is in none.
func (b *builder) lineRows() ([]LineRow, *Rest) {
	l := &b.t.lines
	rest := Rest{Sum: b.sum(&l.out)}
	b.addJoules(&rest.Sum, b.measured())
	rows := []LineRow{}
	for _, same := range l.physical() {
		row := b.lineRow(same)
		if row.Joules != nil {
			b.addJoules(&rest.Sum, -*row.Joules)
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b LineRow) int {
		return cmp.Or(cmp.Compare(b.LocalHitM+b.RemoteHitM, a.LocalHitM+a.RemoteHitM), cmp.Compare(b.meetings, a.meetings),
			byCost(&a.Sum, &b.Sum), cmp.Compare(a.PID, b.PID), cmp.Compare(len(a.Address), len(b.Address)), cmp.Compare(a.Address, b.Address))
	})
	return rows, b.left(&rest)
}

// physical puts lines together that are the same in physical memory: of processes that share it, and of the kernel,
// which has all memory at an address of its own. Memory that one process gives back goes to another, so
// only lines that were accessed in overlapping stretches of time are the same.
func (l *lines) physical() [][]*line {
	all := make([]*line, 0, len(l.of))
	for _, of := range l.of {
		all = append(all, of)
	}
	slices.SortFunc(all, func(a, b *line) int {
		return cmp.Or(cmp.Compare(a.phys, b.phys), cmp.Compare(a.first, b.first), cmp.Compare(a.pid, b.pid), cmp.Compare(a.addr, b.addr))
	})
	var groups [][]*line
	var last uint64 // time of the last access of the last group
	for i, of := range all {
		if i > 0 && of.phys != 0 && of.phys == all[i-1].phys && of.first <= last {
			groups[len(groups)-1] = append(groups[len(groups)-1], of)
			last = max(last, of.last)
			continue
		}
		groups = append(groups, []*line{of})
		last = of.last
	}
	return groups
}

// lineRow makes a row of what is one line in memory.
func (b *builder) lineRow(same []*line) LineRow {
	main := slices.MaxFunc(same, func(x, y *line) int {
		return cmp.Or(cmp.Compare(x.samples, y.samples), cmp.Compare(y.pid, x.pid), cmp.Compare(y.addr, x.addr))
	})
	row := LineRow{Levels: map[string]uint64{}, Nodes: []int{}, Offsets: []OffsetRow{}}
	here := b.lineAddress(main)
	row.Address, row.Process, row.PID = here.Address, here.Process, here.PID
	if main.phys != 0 {
		row.PhysicalAddress = fmt.Sprintf("%#x", main.phys)
	}
	if node := int(main.node); node != unknownNode {
		row.Node = &node
	}
	var all tally
	var uses []use
	var callers []caller
	for _, of := range same {
		if of != main {
			row.Also = append(row.Also, b.lineAddress(of))
		}
		all.merge(&of.tally)
		row.Coherence.merge(&of.Coherence)
		row.Crowd += of.crowd
		for _, n := range of.levels {
			row.Levels[n.level.String()] += n.samples
		}
		uses, callers = append(uses, of.uses...), append(callers, of.callers...)
	}
	row.Sum = b.sum(&all)
	row.Sharing, row.meetings = sharing(uses)
	on := cpusOf(uses)
	row.CPUs, row.ReadOn, row.WrittenOn = on.lists()
	by := b.callersOf(callers)
	row.Functions = by.mostOften()
	b.addJoules(&row.Sum, by.joules)
	for _, cpu := range on.all {
		if node := b.nodes.ofCPU(cpu); node != unknownNode && !slices.Contains(row.Nodes, node) {
			row.Nodes = append(row.Nodes, node)
		}
	}
	slices.Sort(row.Nodes)
	row.Offsets = b.offsetRows(uses, callers)
	return row
}

func (b *builder) lineAddress(of *line) LineAddress {
	at := LineAddress{Address: fmt.Sprintf("%#x", of.addr), PID: int(int32(of.pid))}
	if of.pid != 0 {
		at.Process, _ = b.names.process(of.stack)
	}
	return at
}

// offsetRows are the places of a line, in their order.
func (b *builder) offsetRows(uses []use, callers []caller) []OffsetRow {
	rows := []OffsetRow{}
	slices.SortStableFunc(uses, func(x, y use) int { return cmp.Compare(x.offset, y.offset) })
	slices.SortStableFunc(callers, func(x, y caller) int { return cmp.Compare(x.offset, y.offset) })
	for len(uses) > 0 {
		offset := uses[0].offset
		n := 0
		for n < len(uses) && uses[n].offset == offset {
			n++
		}
		first, _ := slices.BinarySearchFunc(callers, offset, func(c caller, offset uint32) int { return cmp.Compare(c.offset, offset) })
		last, _ := slices.BinarySearchFunc(callers, uint64(offset)+1, func(c caller, next uint64) int { return cmp.Compare(uint64(c.offset), next) })
		rows = append(rows, b.offsetRow(uses[:n], callers[first:last]))
		uses = uses[n:]
	}
	return rows
}

func (b *builder) offsetRow(uses []use, callers []caller) OffsetRow {
	row := OffsetRow{Offset: int(uses[0].offset), Threads: []Thread{}}
	var all tally
	for i := range uses {
		u := &uses[i]
		all.merge(&u.tally)
		row.Coherence.merge(&u.Coherence)
		row.Threads = append(row.Threads, Thread{int(int32(u.pid)), int(int32(u.tid))})
	}
	slices.SortFunc(row.Threads, func(x, y Thread) int { return cmp.Or(cmp.Compare(x.PID, y.PID), cmp.Compare(x.TID, y.TID)) })
	row.Threads = slices.Compact(row.Threads)
	row.Sum = b.sum(&all)
	on := cpusOf(uses)
	row.CPUs, row.ReadOn, row.WrittenOn = on.lists()
	by := b.callersOf(callers)
	row.Functions = by.mostOften()
	b.addJoules(&row.Sum, by.joules)
	return row
}

// cpusOfUses is on which CPUs something was used, read and written.
type cpusOfUses struct{ all, readers, writers []int }

func cpusOf(uses []use) (on cpusOfUses) {
	for i := range uses {
		u := &uses[i]
		cpu := int(u.cpu)
		on.all = append(on.all, cpu)
		if u.read {
			on.readers = append(on.readers, cpu)
		}
		if u.written {
			on.writers = append(on.writers, cpu)
		}
	}
	return on
}

// lists are the CPUs in the kernel's list form.
func (on *cpusOfUses) lists() (all, readers, writers string) {
	return pmu.FormatCPUList(on.all), pmu.FormatCPUList(on.readers), pmu.FormatCPUList(on.writers)
}

// callersOf is the functions and joules of a line or of a place in it.
func (b *builder) callersOf(callers []caller) (at place) {
	accesses := map[string]uint64{}
	for _, c := range callers {
		name := b.names.function(c.stack)
		accesses[name] = plus(accesses[name], c.accesses)
		if c.stack >= 0 && c.bytes > 0 {
			at.joules += b.joules[c.stack] * float64(c.bytes) / float64(b.served[c.stack])
		}
	}
	for name, n := range accesses {
		at.parts = append(at.parts, part{name, n})
	}
	return at
}
