package bpf

import (
	"cmp"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/energyprof/energyprof/internal/unwind"
	"golang.org/x/sys/unix"
)

// The tables of stacks_tables.bpf.h. They are written here, in memory that the program shares, without a call of the kernel:
//
//	space    {mm, process, execs} --> mappings ----> module, kind
//	mapping  sorted by address
//	chunk    {module, address>>16} -> rows --------> rule
//	row      sorted by address
//
// What the program can find is whole: a list is written before the word that names it, and neither lists nor rows are overwritten
// before all walks have ended that could have found them (quiesce).
const (
	blockShift = 18
	blockRows  = 1 << blockShift
	maxRows    = 4 * blockRows
	probes     = 16 // an entry's slot is its own, or one of the next
	maxFrames  = 1024
	maxCopy    = 24 << 10
	sure       = 1 << 31 // SURE
)

// SpaceKey names an address space as the kernel has it, so that neither exec nor a process id that is used again can
// mix two. It is what a Walked says; nobody else can make one.
type SpaceKey struct {
	MM   uint64 // the address of its mm_struct
	TGID uint32 // the process, in the first PID namespace
	Exec uint32 // how many times it, and those that it descends from, have executed a program
}

// Kind is how the code of a mapping is walked.
type Kind uint32

const (
	Tables        Kind = iota // by the rows of its module
	FramePointers             // code without a file, which is taken to keep frame pointers
	NoTables                  // its file cannot be read
)

// StackMapping is one mapping of code of a process. Its addresses are Bias higher than in its module's own numbering.
type StackMapping struct {
	Start, Limit, Bias uint64
	Module             uint32
	Kind               Kind
}

// list is where the mappings of a process are.
type list struct {
	slot, first, count int
	serial             uint32
	whole              bool // none were left out
	sure               bool
}

// hash is that of stacks_tables.bpf.h.
func hash(key uint64) int { return int(uint32(key * 0x9e3779b97f4a7c15 >> 32)) }

// SetRules tells the program the rules: all those that there are, of which it takes those that have been added since.
// It is called before rows that name them are loaded.
func (s *Stacks) SetRules(rules []unwind.Rule) error {
	all := unsafe.Slice((*unwind.Rule)(unsafe.Pointer(&s.tables.Rule[0])), len(s.tables.Rule))
	if len(rules) > len(all) || len(rules) < s.rules {
		return fmt.Errorf("%d rules of stacks, there were %d and there can be %d", len(rules), s.rules, len(all))
	}
	copy(all[s.rules:], rules[s.rules:])
	s.rules = len(rules)
	return nil
}

// forgetEvery is how often all chunks may be forgotten at the most. What runs through more code than there is room for would else make
// the reader wait for walks to end (quiesce) all the time: until then such code is left to it.
const forgetEvery = 250 * time.Millisecond

// Load tells the program the rows of one chunk of a module, unless it has them. If there is no room left, all chunks are forgotten first: what is
// sampled again will be missed again. Soon after that has been done nothing is told: the chunk stays missing.
func (s *Stacks) Load(module uint32, chunk uint64, rows unwind.Chunk) error {
	if chunk>>32 != 0 {
		return nil // the program has no name for it, and leaves such addresses to its reader
	}
	if len(rows) == 0 {
		rows = unwind.Chunk{{}}
	}
	if len(rows) > 1<<unwind.ChunkShift || rows[0].At != 0 {
		return fmt.Errorf("chunk %#x of module %d: %d rows, the first at %#x", chunk, module, len(rows), rows[0].At)
	}
	for _, r := range rows {
		if int(r.Rule) >= s.rules {
			return fmt.Errorf("chunk %#x of module %d: rule %d, of %d that the program has", chunk, module, r.Rule, s.rules)
		}
	}
	key := 1 + (uint64(module)<<32 | chunk)
	slot, there := s.chunkSlot(key)
	if there {
		return nil
	}
	first := s.row
	if first&(blockRows-1)+len(rows) > blockRows {
		first = (first | (blockRows - 1)) + 1
	}
	if slot < 0 || first+len(rows) > maxRows {
		if time.Since(s.forgot) < forgetEvery {
			return nil
		}
		s.forgetChunks()
		slot, _ = s.chunkSlot(key)
		first = 0
	}
	copy(s.rows[first:], rows)
	s.row = first + len(rows)
	c := &s.tables.Chunk[slot]
	atomic.StoreUint64(&c.Key, key)
	atomic.StoreUint64(&c.Where, uint64(first)<<32|uint64(len(rows)))
	return nil
}

// chunkSlot says where a chunk is, or else where it can be; less than 0: nowhere.
func (s *Stacks) chunkSlot(key uint64) (slot int, there bool) {
	for i := range probes {
		slot = (hash(key) + i) & (len(s.tables.Chunk) - 1)
		switch s.tables.Chunk[slot].Key {
		case key:
			return slot, true
		case 0:
			return slot, false
		}
	}
	return -1, false
}

func (s *Stacks) forgetChunks() {
	for i := range s.tables.Chunk {
		atomic.StoreUint64(&s.tables.Chunk[i].Where, 0)
	}
	quiesce()
	for i := range s.tables.Chunk {
		atomic.StoreUint64(&s.tables.Chunk[i].Key, 0)
	}
	s.row, s.forgot = 0, time.Now()
	s.forgotten.chunks++
}

// SetSpace tells the program what is mapped in a process, in any order, in place of what it knew of it. Of more than 16384 mappings some are left
// to the program's reader: first those at higher addresses of code without a file, as nearly all stacks go through some with one.
func (s *Stacks) SetSpace(key SpaceKey, ms []StackMapping) error {
	if key.MM == 0 {
		return fmt.Errorf("process %d has no address space", key.TGID)
	}
	ms = sorted(ms)
	all := len(ms)
	ms = fewest(ms, len(s.tables.Mapping)/2)
	if s.mapping+len(ms) > len(s.tables.Mapping) {
		s.rebuild(len(s.tables.Mapping)/2, len(s.tables.Space)/2)
	}
	slot := s.spaceSlot(key)
	for keep := len(s.tables.Space) / 2; slot < 0; keep = min(keep, len(s.spaces)) / 2 {
		s.rebuild(len(s.tables.Mapping)/2, keep) // most of what is in the way are those that were dropped
		slot = s.spaceSlot(key)
	}
	s.serial = max(s.serial+1, 1)
	l := list{slot: slot, first: s.mapping, count: len(ms), serial: s.serial, whole: len(ms) == all}
	for i, m := range ms {
		to := &s.tables.Mapping[l.first+i]
		to.Start, to.Limit, to.Bias, to.Module, to.Kind = m.Start, m.Limit, m.Bias, m.Module, uint32(m.Kind)
	}
	s.mapping += len(ms)
	s.spaces[key] = l
	s.publish(key, l)
	return nil
}

// Sure says that a process has no code but that of its mappings as they were told last, until they are told again: a walk that comes to
// another address has gone astray, and ends there without a copy of the stack.
func (s *Stacks) Sure(key SpaceKey) {
	if l, ok := s.spaces[key]; ok && l.whole {
		l.sure = true
		s.spaces[key] = l
		s.publish(key, l)
	}
}

// Drop forgets a process.
func (s *Stacks) Drop(key SpaceKey) {
	if l, ok := s.spaces[key]; ok {
		atomic.StoreUint64(&s.tables.Space[l.slot].List, 0)
		delete(s.spaces, key)
	}
}

// publish lets the program find a list. The slot is empty or the process's own.
func (s *Stacks) publish(key SpaceKey, l list) {
	to := &s.tables.Space[l.slot]
	if to.Mm == 0 {
		to.Tgid, to.Exec = key.TGID, key.Exec
		atomic.StoreUint64(&to.Mm, key.MM)
	}
	word := uint64(l.serial)<<32 | uint64(l.first)<<16 | uint64(l.count)
	if l.sure {
		word |= sure
	}
	atomic.StoreUint64(&to.List, word)
}

// spaceSlot says where a process is or can be; less than 0: nowhere.
func (s *Stacks) spaceSlot(key SpaceKey) int {
	own := hash(key.MM ^ uint64(key.TGID)<<32 ^ uint64(key.Exec))
	for i := range probes {
		slot := (own + i) & (len(s.tables.Space) - 1)
		t := &s.tables.Space[slot]
		if t.Mm == 0 || t.Mm == key.MM && t.Tgid == key.TGID && t.Exec == key.Exec {
			return slot
		}
	}
	return -1
}

// rebuild makes room for mappings and processes, of which it keeps those told of last, at most so many.
func (s *Stacks) rebuild(mappings, spaces int) {
	for i := range s.tables.Space {
		atomic.StoreUint64(&s.tables.Space[i].List, 0)
	}
	quiesce()
	for i := range s.tables.Space {
		atomic.StoreUint64(&s.tables.Space[i].Mm, 0)
	}
	old := slices.Clone(s.tables.Mapping[:])
	type entry struct {
		SpaceKey
		list
	}
	var all []entry
	for k, l := range s.spaces {
		all = append(all, entry{k, l})
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(b.serial, a.serial) })
	s.mapping = 0
	clear(s.spaces)
	for _, e := range all {
		slot := s.spaceSlot(e.SpaceKey)
		if slot < 0 || s.mapping+e.count > mappings || len(s.spaces) >= spaces {
			s.forgotten.spaces++
			continue
		}
		copy(s.tables.Mapping[s.mapping:], old[e.first:e.first+e.count])
		l := e.list
		l.slot, l.first = slot, s.mapping
		s.mapping += e.count
		s.spaces[e.SpaceKey] = l
		s.publish(e.SpaceKey, l)
	}
}

// sorted are those of the mappings that are not empty, in order of address. Where two overlap each ends where the next one begins, as in
// unwind.NewSpace.
func sorted(ms []StackMapping) []StackMapping {
	ms = slices.DeleteFunc(slices.Clone(ms), StackMapping.empty)
	slices.SortStableFunc(ms, func(a, b StackMapping) int { return cmp.Compare(a.Start, b.Start) })
	for i := 1; i < len(ms); i++ {
		ms[i-1].Limit = min(ms[i-1].Limit, ms[i].Start)
	}
	return ms
}

// fewest leaves at most so many of the mappings.
func fewest(ms []StackMapping, most int) []StackMapping {
	over := len(ms) - most
	for i := len(ms) - 1; i >= 0 && over > 0; i-- {
		if ms[i].Kind == FramePointers {
			ms[i].Limit = ms[i].Start
			over--
		}
	}
	ms = slices.DeleteFunc(ms, StackMapping.empty)
	return ms[:min(len(ms), most)]
}

func (m StackMapping) empty() bool { return m.Start >= m.Limit }

// quiesce returns when all walks have ended that had begun before. They run in RCU read-side sections, which this
// command waits for (kernel/sched/membarrier.c), except where some CPUs have no ticks; a walk takes microseconds.
func quiesce() {
	const global = 1 // MEMBARRIER_CMD_GLOBAL
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, global, 0, 0); errno != 0 {
		time.Sleep(20 * time.Millisecond)
	}
}
