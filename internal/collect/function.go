package collect

import (
	"cmp"

	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/pprofile"
)

// functions numbers what stacks spend their own time in: the function of the leaf, whichever process
// runs it, and the binary that it is in.
type functions struct {
	ids   map[functionKey]int32
	pools map[poolKey]int32
	of    []spent // by location
}

// spent is the numbers of a function and its binary, plus one; 0 is not known yet.
type spent struct{ function, pool int32 }

// poolKey is a binary, or the code that one process made; only a name for a frame that is no place.
type poolKey struct {
	file, buildID string
	owner         *process
	frame         string
}

type functionKey struct {
	pool int32
	name string
}

func newFunctions() functions {
	return functions{ids: map[functionKey]int32{}, pools: map[poolKey]int32{}}
}

// function is what attribution asks for a stack: what its own time is spent in. Names are looked up for it
// if the recording is not over: where attribution can wait for the end, it does.
func (c *Collector) function(key attribution.Key) (function, pool int32) {
	leaf := int32(none)
	if frames := c.stacks.framesOf(&c.stacks.list[key]); len(frames) > 0 {
		leaf = frames[0]
	}
	f := &c.functions
	if leaf < 0 {
		return f.number(poolKey{frame: frameUnknown}, "")
	}
	for int(leaf) >= len(f.of) {
		f.of = append(f.of, spent{})
	}
	if f.of[leaf].function == 0 {
		function, pool := c.numberOf(leaf)
		f.of[leaf] = spent{function + 1, pool + 1}
	}
	return f.of[leaf].function - 1, f.of[leaf].pool - 1
}

// numberOf numbers the function at a location.
func (c *Collector) numberOf(leaf int32) (function, pool int32) {
	l := &c.stacks.locations.list[leaf]
	if l.segment == nil {
		return c.functions.number(poolKey{frame: l.name}, "")
	}
	at := c.located(leaf)
	key := poolKey{owner: l.segment.owner}
	if at.Mapping != nil {
		key.file, key.buildID = at.Mapping.File, at.Mapping.BuildID
	}
	name := ""
	if len(at.Lines) > 0 {
		name = cmp.Or(at.Lines[0].Function, at.Lines[0].SystemName)
	}
	return c.functions.number(key, name)
}

func (f *functions) number(in poolKey, name string) (function, pool int32) {
	pool, ok := f.pools[in]
	if !ok {
		pool = int32(len(f.pools))
		f.pools[in] = pool
	}
	key := functionKey{pool, name}
	function, ok = f.ids[key]
	if !ok {
		function = int32(len(f.ids))
		f.ids[key] = function
	}
	return function, pool
}

// located is a location with its name: of the finished profile, or looked up now, together with all others
// of its binary that have come since that was last asked.
func (c *Collector) located(i int32) *pprofile.Location {
	if int(i) < len(c.named) {
		return c.named[i]
	}
	l := &c.stacks.locations.list[i]
	if then := c.opt.Past.location(int(i), l); then != nil {
		return then
	}
	s := l.segment
	if s.owner != nil {
		c.refreshPerfMap(s.owner)
	}
	if s == c.kernel.segment {
		c.kernel.load(c.opt.Resolver)
	}
	if b := s.names(); b != nil {
		c.lookUp(func(other *symbol.Binary) bool { return other == b })
	}
	return &pprofile.Location{Address: l.addr, Mapping: s.profile(), Lines: c.lines(i)}
}
