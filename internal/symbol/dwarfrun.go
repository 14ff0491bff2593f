package symbol

import (
	"cmp"
	"slices"
	"sort"

	"github.com/energyprof/energyprof/internal/cursor"
)

// lineHit is the line found for an address.
type lineHit struct {
	file, line uint64
	ok         bool
}

// known: line 0 is code that comes from no line.
func (h lineHit) known() bool { return h.ok && h.line != 0 && h.line <= 1<<31-1 }

// lineMachine runs a line program and notes the rows that cover the targets,
// addresses in rising order. The first sequence that covers one wins.
type lineMachine struct {
	targets []uint64
	hits    []lineHit
	// starts are the first rows that start at just the target. Of a function that
	// is its own line, even if code that was inlined into it comes at once.
	starts []lineHit
	next   int // first target not below the sequence's position

	addr, file, line uint64
	prev             struct {
		addr, file, line uint64
		ok               bool
	}
	dropped bool // sequence of code that the linker dropped
}

func (m *lineMachine) reset() {
	m.addr, m.file, m.line = 0, 1, 1
	m.prev.ok, m.dropped = false, false
}

// row begins a row at the current address.
func (m *lineMachine) row() {
	m.end()
	if m.next < len(m.targets) && m.targets[m.next] == m.addr && !m.dropped {
		if s := &m.starts[m.next]; !s.ok {
			*s = lineHit{m.file, m.line, true}
		}
	}
}

// end ends the previous row at the current address.
func (m *lineMachine) end() {
	p := &m.prev
	switch {
	case !p.ok:
		m.dropped = m.addr <= 1
		m.seek()
	case m.addr < p.addr:
		m.seek()
	case m.addr > p.addr && !m.dropped:
		for m.next < len(m.targets) && m.targets[m.next] < m.addr {
			if h := &m.hits[m.next]; !h.ok {
				*h = lineHit{p.file, p.line, true}
			}
			m.next++
		}
	}
	p.addr, p.file, p.line, p.ok = m.addr, m.file, m.line, true
}

func (m *lineMachine) seek() {
	m.next = sort.Search(len(m.targets), func(i int) bool { return m.targets[i] >= m.addr })
}

// run executes the program to its end or to what cannot be decoded.
func (m *lineMachine) run(p *lineProgram) {
	m.reset()
	c := cursor.Cursor{Bytes: p.code}
	minInst := uint64(p.minInst)
	constAdd := uint64((255-p.opcodeBase)/p.lineRange) * minInst
	for !c.Bad && c.Left() > 0 {
		op := c.U8()
		if op >= p.opcodeBase {
			adj := op - p.opcodeBase
			m.addr += uint64(adj/p.lineRange) * minInst
			m.line += uint64(int64(p.lineBase) + int64(adj%p.lineRange))
			m.row()
			continue
		}
		switch op {
		case 0:
			m.extended(&c, p)
		case 1: // copy
			m.row()
		case 2: // advance_pc
			m.addr += c.ULEB() * minInst
		case 3: // advance_line
			m.line += uint64(c.SLEB())
		case 4: // set_file
			m.file = c.ULEB()
		case 5, 12: // set_column, set_isa
			c.ULEB()
		case 6, 7, 10, 11: // negate_stmt, basic_block, prologue_end, epilogue_begin
		case 8: // const_add_pc
			m.addr += constAdd
		case 9: // fixed_advance_pc
			m.addr += uint64(c.U16())
		default:
			for range p.opLens[op-1] {
				c.ULEB()
			}
		}
	}
}

func (m *lineMachine) extended(c *cursor.Cursor, p *lineProgram) {
	arg := cursor.Cursor{Bytes: c.Take(c.ULEB())}
	switch arg.U8() {
	case 1: // end_sequence
		m.end()
		m.reset()
	case 2: // set_address
		if a := arg.Sized(uint8(min(arg.Left(), 255))); !arg.Bad {
			m.addr = a
		}
	case 3: // define_file
		if f, ok := readFileV2(&arg); ok && len(p.files) < maxFiles {
			p.files = append(p.files, f)
		}
	}
}

// sourceLine is the source of an address.
type sourceLine struct {
	file string
	line int
	// start and startLine are where a function that begins at the address is;
	// "" if no row of the program begins there.
	start     string
	startLine int
}

// lines finds the source lines of addresses, which rise. Only the programs of
// units that hold an address are run, each once for all its addresses.
func (d *debugInfo) lines(addrs []uint64) ([]sourceLine, error) {
	d.work = d.lim.DebugWork
	out := make([]sourceLine, len(addrs))
	var firstErr error
	// A second round asks the units around those that had no line for it.
	var units []uint64
	for round := range maxOverlap {
		byUnit := map[uint64][]int{}
		for i, a := range addrs {
			if out[i].line != 0 {
				continue
			}
			if units = d.unitsAt(a, units[:0]); round < len(units) {
				byUnit[units[round]] = append(byUnit[units[round]], i)
			}
		}
		if len(byUnit) == 0 {
			break
		}
		if err := d.runUnits(byUnit, addrs, out); firstErr == nil {
			firstErr = err
		}
	}
	return out, firstErr
}

// job is a line program with the addresses that units look for in it.
type job struct {
	off   uint64
	unit  unitHeader
	entry unitEntry
	comp  string
	at    []int // indexes of addresses
}

// runUnits runs the programs of the units, in the order of the file.
func (d *debugInfo) runUnits(byUnit map[uint64][]int, addrs []uint64, out []sourceLine) error {
	jobs := map[uint64]*job{}
	offs := make([]uint64, 0, len(byUnit))
	for off := range byUnit {
		offs = append(offs, off)
	}
	slices.Sort(offs)
	var firstErr error
	for _, off := range offs {
		u, err := d.readUnitHeader(off)
		if err != nil {
			firstErr = cmp.Or(firstErr, err)
			continue
		}
		e, err := d.readUnitEntry(u)
		if err != nil {
			firstErr = cmp.Or(firstErr, err)
			continue
		}
		// Units that share a program share the run.
		j := jobs[e.stmtList.n]
		if j == nil {
			j = &job{off: e.stmtList.n, unit: u, entry: e, comp: d.text(e.compDir, &e, u.encoding)}
			jobs[j.off] = j
		}
		j.at = append(j.at, byUnit[off]...)
	}
	order := make([]*job, 0, len(jobs))
	for _, j := range jobs {
		order = append(order, j)
	}
	slices.SortFunc(order, func(a, b *job) int { return cmp.Compare(a.off, b.off) })
	for _, j := range order {
		if err := d.runJob(j, addrs, out); err != nil {
			firstErr = cmp.Or(firstErr, err)
		}
	}
	return firstErr
}

func (d *debugInfo) runJob(j *job, addrs []uint64, out []sourceLine) error {
	p, err := d.readLineProgram(j.off, j.unit.addrSize, true)
	if err != nil {
		return err
	}
	slices.Sort(j.at)
	m := lineMachine{targets: make([]uint64, len(j.at)), hits: make([]lineHit, len(j.at)), starts: make([]lineHit, len(j.at))}
	for i, at := range j.at {
		m.targets[i] = addrs[at]
	}
	m.run(p)
	names := map[uint64]string{}
	name := func(file uint64) string {
		n, ok := names[file]
		if !ok {
			n = d.fileName(p, file, &j.entry, j.comp)
			names[file] = n
		}
		return n
	}
	for i, at := range j.at {
		if h := m.hits[i]; h.known() {
			out[at].file, out[at].line = name(h.file), int(h.line)
		}
		if h := m.starts[i]; h.known() {
			out[at].start, out[at].startLine = name(h.file), int(h.line)
		}
	}
	return nil
}
