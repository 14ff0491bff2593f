package collect

import (
	"hash/maphash"
	"slices"
	"unsafe"
)

// labels say whose a stack is.
type labels struct {
	pid, tid        uint32
	process, thread string
}

// whose tells stacks of equal frames apart.
type whose struct {
	labels int32 // index in stacks.labels, none for the one of everybody
	access int32 // index in accesses.list, none unless it is of memory accesses
}

// stack is one call stack of one thread, and what was counted there.
type stack struct {
	whose
	next    int32 // stack of the same hash, or none
	frames  uint32
	depth   uint16
	folded  bool
	samples int64
	ns      int64
}

// stacks keeps each stack once, up to a limit. A cache in front remembers by raw callchain, so that a
// known one costs a hash and a comparison.
type stacks struct {
	max       int // different whole stacks; a quarter more are shortened ones
	extras    int
	list      []stack
	events    []int64 // extras for each stack
	frames    []int32 // of all stacks, leaf first
	index     map[uint64]int32
	labels    []labels
	labelID   map[labels]int32
	locations locations
	everybody int32 // the stack of what was folded last, or none
	seed      maphash.Seed
	cache     []cached
}

// cached is a callchain as it came, and what it turned out to be. It holds only as long as the
// thread has the same labels and the address space the same mappings.
type cached struct {
	generation uint64 // of the address space; 0 is none
	whose
	id    int32
	fate  fate
	leaf  mode
	chain []uint64
}

const (
	cacheSize = 1 << 14 // a power of two
	// Stacks of this many frames on average use up the limit too, so that memory is bounded in bytes.
	meanDepth = 64
)

func newStacks(limit, extras int, seed maphash.Seed) stacks {
	return stacks{max: limit, extras: extras, index: map[uint64]int32{}, labelID: map[labels]int32{},
		locations: newLocations(), everybody: none, seed: seed, cache: make([]cached, cacheSize)}
}

// label returns the number of a thread's labels.
func (s *stacks) label(th *thread) int32 {
	p := th.process
	if th.label != none && th.names == p.names {
		return th.label
	}
	l := labels{pid: p.pid, tid: th.tid, process: p.name, thread: th.name}
	id, ok := s.labelID[l]
	if !ok {
		if s.full(2) {
			return none // no stack will ever need it
		}
		id = int32(len(s.labels))
		s.labels = append(s.labels, l)
		s.labelID[l] = id
	}
	th.label, th.names = id, p.names
	return id
}

// full tells whether the first limit (whole stacks) or the second (shortened ones) is reached.
func (s *stacks) full(which int) bool {
	limit := s.max
	if which == 2 {
		limit += s.max / 4
	}
	return len(s.list) >= limit || len(s.frames) >= limit*meanDepth
}

// slot returns the place of a callchain in the cache.
func (s *stacks) slot(generation uint64, of whose, chain []uint64) *cached {
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(chain))), len(chain)*8)
	h := maphash.Bytes(s.seed, b) + generation*0x9e3779b97f4a7c15 + of.hash()
	return &s.cache[(h^h>>32)&uint64(len(s.cache)-1)]
}

// hash spreads what is told apart by numbers.
func (w whose) hash() uint64 {
	return uint64(uint32(w.labels))*0xd6e8feb86659fd93 + uint64(uint32(w.access))*0xa0761d6478bd642f
}

func (e *cached) is(generation uint64, of whose, leaf mode, chain []uint64) bool {
	return e.generation == generation && e.whose == of && e.leaf == leaf && slices.Equal(e.chain, chain)
}

// put remembers what a callchain is.
func (e *cached) put(generation uint64, of whose, leaf mode, chain []uint64, id int32, how fate) {
	e.generation, e.whose, e.leaf, e.id, e.fate = generation, of, leaf, id, how
	e.chain = append(e.chain[:0], chain...)
}

// intern returns the number of a stack, given its frames leaf first. Beyond the limit a new stack
// becomes its leaf under [folded], and beyond the second, [folded] of nobody in particular.
func (s *stacks) intern(of whose, frames []int32) int32 {
	h := s.hash(of, frames)
	if id, ok := s.find(h, of, frames); ok {
		return id
	}
	if !s.full(1) && of.labels != none {
		return s.add(h, of, frames, false)
	}
	folded := s.locations.frame(frameFolded)
	if len(frames) > 0 && frames[0] != none && of.labels != none {
		short := [2]int32{frames[0], folded}
		h = s.hash(of, short[:])
		if id, ok := s.find(h, of, short[:]); ok {
			return id
		}
		if !s.full(2) {
			return s.add(h, of, short[:], true)
		}
	}
	if s.everybody == none {
		last, nobody := [1]int32{folded}, whose{none, none}
		s.everybody = s.add(s.hash(nobody, last[:]), nobody, last[:], true)
	}
	return s.everybody
}

func (s *stacks) hash(of whose, frames []int32) uint64 {
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(frames))), len(frames)*4)
	return maphash.Bytes(s.seed, b) + of.hash()
}

func (s *stacks) framesOf(st *stack) []int32 {
	return s.frames[st.frames : st.frames+uint32(st.depth)]
}

// release frees what only new samples need.
func (s *stacks) release() {
	s.cache, s.index, s.frames, s.locations.index = nil, nil, nil, nil
}

func (s *stacks) find(h uint64, of whose, frames []int32) (int32, bool) {
	id, ok := s.index[h]
	for ok && id != none {
		st := &s.list[id]
		if st.whose == of && slices.Equal(s.framesOf(st), frames) {
			return id, true
		}
		id = st.next
	}
	return none, false
}

func (s *stacks) add(h uint64, of whose, frames []int32, folded bool) int32 {
	next, ok := s.index[h]
	if !ok {
		next = none
	}
	id := int32(len(s.list))
	s.list = append(s.list, stack{whose: of, next: next, frames: uint32(len(s.frames)),
		depth: uint16(len(frames)), folded: folded})
	s.frames = append(s.frames, frames...)
	for range s.extras {
		s.events = append(s.events, 0)
	}
	s.index[h] = id
	return id
}
