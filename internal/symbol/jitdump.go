package symbol

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"golang.org/x/sys/unix"
)

// JITDump is the journal of the code that a runtime compiles, jit-PID.dump: which
// functions are where from which moment on, with their lines
// (tools/perf/Documentation/jitdump-specification.txt). The runtime maps the file
// once, so that who observes it learns of it by an mmap record.
//
// Code is loaded, moves, and gives its place to other code. [JITDump.Advance] follows
// that in time; what is at an address is then a [JITFunction], which stays
// what it is. A JITDump is not safe for concurrent use.
type JITDump struct {
	Path string

	src     *source
	lim     Limits
	records jitRecords
	timed   bool     // the records' times are of CLOCK_MONOTONIC
	all     []jitOne // read, as they come
	reached int      // how many of them are, or were, in current
	current []jitPiece
	latest  map[uint64]*JITFunction // by the number that the runtime gave it
	count   int
	bytes   int64 // of names and lines that are kept
	err     error
	fault   bool // nothing is read any more
}

// jitOne is a function from some time on.
type jitOne struct {
	time     int64
	function *JITFunction
}

// jitPiece is where a function, or what is left of it, is now.
type jitPiece struct {
	Range
	function *JITFunction
}

// JITFunction is a piece of compiled code at a place.
type JITFunction struct {
	Range
	name  string
	index uint64
	lines []jitLine
}

// jitLine is the place in the source from an offset into the code on.
type jitLine struct {
	at   uint64
	line int
	file string
}

// IsJITDump says whether a file that was mapped is named as a journal of compiled code is.
func IsJITDump(file string) bool {
	name, ok := strings.CutPrefix(filepath.Base(file), "jit-")
	if !ok {
		return false
	}
	pid, ok := strings.CutSuffix(name, ".dump")
	return ok && pid != "" && strings.Trim(pid, "0123456789") == ""
}

// OpenJITDump opens the journal that a process has mapped, if it belongs to uid, the owner of
// the process ([ErrOwner]). Nothing of it is read yet. Other errors are those of [Resolver.Open].
func (r *Resolver) OpenJITDump(m Mapping, uid uint32) (*JITDump, error) {
	if !strings.HasPrefix(m.File, "/") || strings.HasPrefix(m.File, "//") {
		return nil, fmt.Errorf("%q: %w", m.File, ErrNoFile)
	}
	var worst error
	for _, p := range r.places(m) {
		d, err := r.tryJITDump(m, p, uid)
		if err == nil {
			return d, nil
		}
		if worst == nil || telling(err) > telling(worst) {
			worst = err
		}
	}
	return nil, worst
}

func (r *Resolver) tryJITDump(m Mapping, p place, uid uint32) (*JITDump, error) {
	fd, st, err := p.open()
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if _, err := p.check(m, fd, &st); err != nil {
		return nil, err
	}
	if st.Uid != uid {
		return nil, fmt.Errorf("%s: %w: %d, not %d", p.path, ErrOwner, st.Uid, uid)
	}
	f, err := openForReading(fd, p.path)
	if err != nil {
		return nil, err
	}
	d := &JITDump{Path: p.path, src: &source{f: f, path: p.path}, lim: r.opt.Limits, latest: map[uint64]*JITFunction{}}
	if err := guard(d.open); err != nil {
		d.Close()
		return nil, fmt.Errorf("%s: %w", p.path, err)
	}
	return d, nil
}

// Close closes the file. What has been read stays.
func (d *JITDump) Close() error {
	d.fault = true
	return d.src.close()
}

// Err says what could not be read, nil while all is well.
func (d *JITDump) Err() error { return d.err }

// Timed says whether the journal's times are those of CLOCK_MONOTONIC. Else it is the
// processor's counter, and what has been read is reached at once.
func (d *JITDump) Timed() bool { return d.timed }

// Read reads what has been written since. Advance reaches it.
func (d *JITDump) Read() {
	if d.fault {
		return
	}
	err := guard(func() error {
		st, err := d.src.f.Stat()
		if err != nil {
			return err
		}
		return d.read(st.Size())
	})
	if err != nil {
		// What follows a record that makes no sense makes none.
		d.fault = true
		d.err = fmt.Errorf("%s: %w", d.Path, err)
	}
}

// Advance brings what is where to a time, in nanoseconds, which must not fall. It gives the
// functions whose place had been another's: what was known of their addresses is over.
func (d *JITDump) Advance(time int64) (replaced []*JITFunction) {
	for ; d.reached < len(d.all) && (!d.timed || d.all[d.reached].time <= time); d.reached++ {
		if f := d.all[d.reached].function; d.put(f) {
			replaced = append(replaced, f)
		}
	}
	return replaced
}

// JITQuery asks what was at an address at a time.
type JITQuery struct {
	Addr uint64
	Time int64
}

// Past answers queries from all that has been read: a runtime that buffers what it writes
// tells of code long after it ran. Where nothing is known of the time, what came next is
// taken; nil where there never was anything. What is where now does not change.
func (d *JITDump) Past(queries []JITQuery) []*JITFunction {
	then := JITDump{all: d.all, timed: d.timed}
	out := make([]*JITFunction, len(queries))
	order := make([]int, len(queries))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(queries[a].Time, queries[b].Time) })
	for _, i := range order {
		then.Advance(queries[i].Time)
		out[i] = then.Find(queries[i].Addr)
	}
	// From the end backwards, what is put last is what came first.
	first := JITDump{}
	for i := len(d.all) - 1; i >= 0; i-- {
		first.put(d.all[i].function)
	}
	for i, f := range out {
		if f == nil {
			out[i] = first.Find(queries[i].Addr)
		}
	}
	return out
}

// AdvanceAll brings what is where to the end of what has been read.
func (d *JITDump) AdvanceAll() (replaced []*JITFunction) {
	timed := d.timed
	d.timed = false
	defer func() { d.timed = timed }()
	return d.Advance(0)
}

// Find gives the function that is at an address now, nil where none is.
func (d *JITDump) Find(addr uint64) *JITFunction {
	i := sort.Search(len(d.current), func(i int) bool { return d.current[i].Limit > addr })
	if i < len(d.current) && d.current[i].Start <= addr {
		return d.current[i].function
	}
	return nil
}

// Frame names an address in the function.
func (f *JITFunction) Frame(addr uint64) Frame {
	out := Frame{Function: printable(readable(f.name, DefaultNameBytes)), SystemName: printable(f.name)}
	i := sort.Search(len(f.lines), func(i int) bool { return f.lines[i].at > addr-f.Start }) - 1
	if i >= 0 {
		out.File, out.Line = f.lines[i].file, f.lines[i].line
	}
	return out
}

// put makes a function what is at its place, and says whether that had been another's.
func (d *JITDump) put(f *JITFunction) bool {
	from := sort.Search(len(d.current), func(i int) bool { return d.current[i].Limit > f.Start })
	to := from
	for to < len(d.current) && d.current[to].Start < f.Limit {
		to++
	}
	pieces := make([]jitPiece, 0, 3)
	if from < to {
		if first := d.current[from]; first.Start < f.Start {
			pieces = append(pieces, jitPiece{Range{first.Start, f.Start}, first.function})
		}
	}
	pieces = append(pieces, jitPiece{f.Range, f})
	if from < to {
		if last := d.current[to-1]; last.Limit > f.Limit {
			pieces = append(pieces, jitPiece{Range{f.Limit, last.Limit}, last.function})
		}
	}
	d.current = slices.Replace(d.current, from, to, pieces...)
	return from < to
}

// errLimit ends the reading of a journal that never ends.
func (d *JITDump) errLimit(what string) error {
	return fmt.Errorf("%w: too many %s of compiled code", ErrLimit, what)
}
