package symbol

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

// scope is a function, or a call that was inlined into it, that covers an address asked for.
type scope struct {
	parent int32 // the scope around an inlined call, noScope for a function
	shared bool  // the function's entry is in the supplementary file
	// function is the entry that names the function: its own, that of the inlined one for a call.
	function           uint64
	callFile, callLine uint64 // where the call is, of an inlined one
}

const noScope = -1

// fit is the narrowest scope found for an address.
type fit struct {
	size  uint64 // of the range around the address
	scope int32
}

const (
	maxScopes  = 1 << 20  // of the addresses of one unit
	maxDepth   = 4096     // of entries
	maxInlined = 256      // calls around an address; compilers stop far below
	maxText    = 64 << 20 // of the names of all functions, which are nameless beyond
	maxFrames  = 1 << 20  // of all addresses together; beyond, the functions alone are told
)

// inliner finds the scopes of addresses in the entries of a unit.
type inliner struct {
	d       *debugInfo
	u       *unit
	base    uint64   // lowest address of the unit
	targets []uint64 // rising
	fits    []fit    // of each target
	scopes  []scope
	nesting []int32 // scopes around the entry that is read
	// tops are the entries right below the unit's that have others below them, as far as they are kept.
	tops []uint64
}

// inlines finds the functions at addresses, which rise: the frames of each, the innermost inlined one first, the
// function of the symbol table last. Of the first frame the line is not told, of the others
// it is that of the call. Without frames is an address that no function of the debug information covers.
func (d *debugInfo) inlines(addrs []uint64) ([][]Frame, error) {
	d.work = d.lim.DebugWork
	if d.shared != nil {
		d.shared.work = d.lim.DebugWork
	}
	d.textLeft = maxText
	out := make([][]Frame, len(addrs))
	total := 0
	var firstErr error
	var units []uint64
	// A second round asks the units around those that have no function for it.
	for round := range maxOverlap {
		byUnit := map[uint64][]int{}
		for i, a := range addrs {
			if out[i] != nil {
				continue
			}
			if units = d.unitsAt(a, units[:0]); round < len(units) {
				byUnit[units[round]] = append(byUnit[units[round]], i)
			}
		}
		if len(byUnit) == 0 {
			break
		}
		offs := make([]uint64, 0, len(byUnit))
		for off := range byUnit {
			offs = append(offs, off)
		}
		slices.Sort(offs)
		for _, off := range offs {
			if d.work <= 0 {
				return out, d.spent()
			}
			if err := d.inlinesOf(off, byUnit[off], addrs, out, &total); firstErr == nil {
				firstErr = err
			}
		}
	}
	return out, firstErr
}

// inlinesOf finds the frames of the addresses at, indexes of addrs, in one unit.
func (d *debugInfo) inlinesOf(off uint64, at []int, addrs []uint64, out [][]Frame, total *int) error {
	u, err := d.unit(off)
	if err != nil {
		return err
	}
	base, _ := d.address(u.entry.low, &u.entry, u.encoding)
	if s := d.split(u); s != nil {
		defer s.done(d)
		d, u = s.info, s.unit
	}
	w := inliner{d: d, u: u, base: base, targets: make([]uint64, len(at)), fits: make([]fit, len(at))}
	for i, k := range at {
		w.targets[i], w.fits[i] = addrs[k], fit{scope: noScope}
	}
	err = w.walk(false)
	d.keepTops(u.off, w.tops)
	if err == nil && slices.ContainsFunc(w.fits, func(f fit) bool { return f.scope == noScope }) {
		err = w.walk(true)
	}
	frames := map[int32][]Frame{} // many addresses have the same
	for i, k := range at {
		s := w.fits[i].scope
		if s == noScope {
			continue
		}
		f, ok := frames[s]
		if !ok {
			f = w.frames(s, *total < maxFrames)
			frames[s] = f
		}
		*total += len(f)
		out[k] = slices.Clone(f)
	}
	return err
}

// walk reads the entries of the unit once. What lies below those that cover no target is passed over
// where they say where the next one is, as gcc's do; of functions and classes only unless deep is set:
// nested functions (in GNU C, Fortran, Ada) and methods of a class inside a function are below others.
func (w *inliner) walk(deep bool) error {
	r, err := w.d.entries(w.u.off, w.u.unitHeader)
	if err != nil {
		return err
	}
	w.nesting = w.nesting[:0]
	inside := 0 // nesting in which the outermost function is, 0 outside of any
	var e entry
	for {
		if more, err := r.next(&e); err != nil || !more {
			return err
		}
		around := int32(noScope)
		if n := len(w.nesting); n > 0 {
			around = w.nesting[n-1]
		}
		here, pass := around, false
		switch {
		case e.shape == nil:
			if n := len(w.nesting); n > 0 {
				w.nesting = w.nesting[:n-1]
			}
			if len(w.nesting) <= inside {
				inside = 0
			}
		case e.shape.kind == kindFunction:
			here, err = w.match(&e, noScope)
			pass = here == noScope && !deep
		case e.shape.kind == kindInlined:
			here = noScope
			if around != noScope {
				here, err = w.match(&e, around)
			}
			pass = here == noScope
		case e.shape.kind == kindType:
			pass = !deep || inside == 0
		case e.shape.kind == kindOther:
			pass = true
		}
		if err != nil {
			return err
		}
		if e.shape != nil && e.shape.children {
			if len(w.nesting) == 1 && !deep && len(w.tops) < maxTops {
				w.tops = append(w.tops, e.off)
			}
			if next, ok := e.sibling(w.u.off, r.pos(), w.u.end); ok && pass {
				r.seek(next)
			} else {
				if e.shape.kind == kindFunction && inside == 0 {
					inside = len(w.nesting)
				}
				if w.nesting = append(w.nesting, here); len(w.nesting) > maxDepth {
					return fmt.Errorf("%w: entries are nested deeper than %d", ErrLimit, maxDepth)
				}
			}
		}
		if len(w.nesting) == 0 {
			return nil
		}
	}
}

// match gives the targets that the entry covers its scope, which it returns: noScope if there are none, and none can be below it.
func (w *inliner) match(e *entry, around int32) (int32, error) {
	val := func(f field) value {
		a, ok := e.get(f)
		if !ok {
			return value{}
		}
		return value{form: a.form, n: a.n}
	}
	found := int32(noScope)
	var err error
	add := func() {
		if len(w.scopes) >= maxScopes {
			err = fmt.Errorf("%w: more than %d functions around the addresses of a unit", ErrLimit, maxScopes)
			return
		}
		found = int32(len(w.scopes))
		w.scopes = append(w.scopes, w.scope(e, around))
	}
	w.d.eachRange(val(fieldLow), val(fieldHigh), val(fieldRanges), w.base, &w.u.entry, w.u.unitHeader, func(lo, hi uint64) {
		if hi <= lo || hi <= w.targets[0] || lo > w.targets[len(w.targets)-1] || err != nil {
			return
		}
		i := sort.Search(len(w.targets), func(i int) bool { return w.targets[i] >= lo })
		for ; i < len(w.targets) && w.targets[i] < hi; i++ {
			if w.d.work -= entryWork; found == noScope {
				if add(); err != nil {
					return
				}
			}
			// The later one of two is inside the other, or as good.
			if f := &w.fits[i]; f.scope == noScope || hi-lo <= f.size {
				*f = fit{hi - lo, found}
			}
		}
	})
	// A call in pieces that has no list of its ranges tells of the first alone, or of none; calls inside of it are in the others.
	if found == noScope && around != noScope && e.shape.children && err == nil && lacksRanges(w.u.unitHeader, e.has&(1<<fieldRanges) != 0) {
		add()
	}
	return found, err
}

func (w *inliner) scope(e *entry, around int32) scope {
	s := scope{parent: around, function: e.off, callFile: e.number(fieldCallFile), callLine: e.number(fieldCallLine)}
	if around != noScope {
		if a, ok := e.get(fieldOrigin); ok {
			if off, shared, ok := a.reference(w.u.off); ok {
				s.function, s.shared = off, shared
			}
		}
	}
	return s
}

// frames are the functions from scope s outwards, with calls or without.
func (w *inliner) frames(s int32, calls bool) []Frame {
	var out []Frame
	var callFile string
	callLine := 0
	for n := 0; s != noScope; s = w.scopes[s].parent {
		sc := &w.scopes[s]
		n++
		if sc.parent != noScope && (!calls || n > maxInlined) {
			continue
		}
		f := w.d.function(sc.function, sc.shared)
		fr := Frame{Function: f.name, SystemName: f.system, File: cmp.Or(f.file, callFile), StartLine: f.line}
		if callFile == fr.File {
			fr.Line = callLine
		}
		if f.name != "" || sc.parent == noScope {
			out = append(out, fr)
			callFile, callLine = w.d.unitFile(w.u, sc.callFile), lineNumber(sc.callLine)
		}
	}
	return out
}

// lineNumber is 0 for what can be none.
func lineNumber(n uint64) int {
	if n > 1<<31-1 {
		return 0
	}
	return int(n)
}
