package collect

import (
	"slices"
	"sort"
	"strings"
	"unique"

	"github.com/energyprof/energyprof/internal/unwind"
)

// maxMappings bounds the mappings of one process. The kernel's own limit, vm.max_map_count, is 65530 by
// default; but munmap leaves no record, so that what is known can exceed what is there.
const maxMappings = 1 << 17

// image identifies what is mapped: a file as its path, build id and inode tell, or memory
// without a file.
type image struct {
	file         string
	buildID      string // lower-case hex, "" if the record had none
	major, minor uint32
	inode        uint64
}

// anonymous is the kernel's name in records for memory without a file; /proc/PID/maps has none.
const anonymous = "//anon"

// hasFile tells whether a path can name a file: code elsewhere is made by the process itself, or
// by the kernel.
func (i *image) hasFile() bool {
	for _, prefix := range []string{"//", "/memfd:", "/dev/zero", "/anon_hugepage", "/SYSV"} {
		if strings.HasPrefix(i.file, prefix) {
			return false
		}
	}
	return strings.HasPrefix(i.file, "/")
}

// same tells whether two identities are of one thing: a record has a build id where /proc has an inode.
func (i *image) same(o *image) bool {
	return i.file == o.file &&
		(i.buildID == "" || o.buildID == "" || i.buildID == o.buildID) &&
		(i.inode == 0 || o.inode == 0 || i.inode == o.inode && i.major == o.major && i.minor == o.minor)
}

// intern keeps equal identities once, as long as something refers to them.
func intern(i image) unique.Handle[image] {
	if i.file == "" {
		i.file = anonymous
	}
	return unique.Make(i)
}

// mapping is a stretch of an address space, [start, limit). It is never changed, so that a
// forked process can share it.
type mapping struct {
	start, limit, offset uint64
	image                unique.Handle[image]
	owner                *process // who mapped it: the perf map of its code is theirs
	segment              *segment // nil until the first sample in it
	code                 *code    // nil until a stack is unwound in its process
}

// within tells whether m is a part of o, at the same place of the same file.
func (m *mapping) within(o *mapping) bool {
	if m.start < o.start || m.limit > o.limit {
		return false
	}
	a, b := m.image.Value(), o.image.Value()
	if m.image != o.image && !a.same(&b) {
		return false
	}
	return !a.hasFile() || m.offset-o.offset == m.start-o.start
}

// part returns the piece of m that is [start, limit).
func (m *mapping) part(start, limit uint64) *mapping {
	p := &mapping{start: start, limit: limit, offset: m.offset + (start - m.start), image: m.image, owner: m.owner, code: m.code}
	if m.segment != nil && m.segment.owner != nil {
		p.segment = m.segment // what a process compiled stays where it is, whatever becomes of its neighbours
	}
	return p
}

// space is the address space of a process: disjoint mappings in order of address.
type space struct {
	mappings   []*mapping
	shared     bool          // with the space of a forked process: copy before a change
	generation uint64        // changes with every change, unique among all spaces
	walk       *unwind.Space // of the mappings as they are, nil until a stack is unwound in it
}

// find returns the mapping that holds addr, or nil.
func (s *space) find(addr uint64) *mapping {
	i := sort.Search(len(s.mappings), func(i int) bool { return s.mappings[i].limit > addr })
	if i < len(s.mappings) && s.mappings[i].start <= addr {
		return s.mappings[i]
	}
	return nil
}

// insert puts m over whatever was there. It reports whether anything changed, and whether m was
// dropped because there are too many mappings.
func (s *space) insert(m *mapping) (changed, dropped bool) {
	if m.limit <= m.start {
		return false, false
	}
	from := sort.Search(len(s.mappings), func(i int) bool { return s.mappings[i].limit > m.start })
	to := from
	for to < len(s.mappings) && s.mappings[to].start < m.limit {
		to++
	}
	if to-from == 1 && m.within(s.mappings[from]) {
		return false, false
	}
	replacement := make([]*mapping, 0, 3)
	if to > from {
		if first := s.mappings[from]; first.start < m.start {
			replacement = append(replacement, first.part(first.start, m.start))
		}
	}
	replacement = append(replacement, m)
	if to > from {
		if last := s.mappings[to-1]; last.limit > m.limit {
			replacement = append(replacement, last.part(m.limit, last.limit))
		}
	}
	if len(s.mappings)+len(replacement)-(to-from) > maxMappings {
		return false, true
	}
	if s.shared {
		s.mappings, s.shared = slices.Clone(s.mappings), false
	}
	s.mappings, s.walk = slices.Replace(s.mappings, from, to, replacement...), nil
	return true, false
}

// fork returns a copy, which costs nothing until one of the two changes.
func (s *space) fork() *space {
	s.shared = true
	return &space{mappings: s.mappings, shared: true, walk: s.walk}
}
