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

	src      *source
	left     jitAllowance  // what it may still cost,
	together *jitAllowance // and all journals
	records  jitRecords
	timed    bool     // the records' times are of CLOCK_MONOTONIC
	all      []jitOne // read, as they come
	reached  int      // how many of them are, or were, in current
	current  jitPlaces
	latest   map[uint64]*JITFunction // by the number that the runtime gave it
	err      error
	ended    bool // nothing is read any more
}

// jitOne is a function from some time on.
type jitOne struct {
	time     int64
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
	// One may have half of what is left, so that no process takes the names of all others.
	half := jitAllowance{r.journals.records / 2, r.journals.bytes / 2}
	d := &JITDump{Path: p.path, src: &source{f: f, path: p.path}, left: half, together: &r.journals, latest: map[uint64]*JITFunction{}}
	if err := guard(d.open); err != nil {
		d.Close()
		return nil, fmt.Errorf("%s: %w", p.path, err)
	}
	return d, nil
}

// Close closes the file. What has been read stays.
func (d *JITDump) Close() error {
	d.ended = true
	return d.src.close()
}

// Err says what could not be read, nil while all is well.
func (d *JITDump) Err() error { return d.err }

// Timed says whether the journal's times are those of CLOCK_MONOTONIC. Else it is the
// processor's counter, and what has been read is reached at once.
func (d *JITDump) Timed() bool { return d.timed }

// Read reads what has been written since. Advance reaches it.
func (d *JITDump) Read() {
	if d.ended {
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
		d.ended = true
		d.err = fmt.Errorf("%s: %w", d.Path, err)
	}
	if d.ended {
		d.src.close()
	}
}

// Advance brings what is where to a time, in nanoseconds, which must not fall. It gives the
// functions whose place had been another's: what was known of their addresses is over.
func (d *JITDump) Advance(time int64) (replaced []*JITFunction) {
	for ; d.reached < len(d.all) && (!d.timed || d.all[d.reached].time <= time); d.reached++ {
		if f := d.all[d.reached].function; d.current.put(f) {
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
	unknown := 0
	out := make([]*JITFunction, len(queries))
	order := make([]int, len(queries))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(queries[a].Time, queries[b].Time) })
	for _, i := range order {
		then.Advance(queries[i].Time)
		if out[i] = then.Find(queries[i].Addr); out[i] == nil {
			unknown++
		}
	}
	if unknown == 0 {
		return out
	}
	// From the end backwards, what is put last is what came first.
	var first jitPlaces
	for i := len(d.all) - 1; i >= 0; i-- {
		first.put(d.all[i].function)
	}
	for i, f := range out {
		if f == nil {
			out[i] = first.find(queries[i].Addr)
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
func (d *JITDump) Find(addr uint64) *JITFunction { return d.current.find(addr) }

// Frame names an address in the function.
func (f *JITFunction) Frame(addr uint64) Frame {
	out := Frame{Function: printable(readable(f.name, DefaultNameBytes)), SystemName: printable(f.name)}
	i := sort.Search(len(f.lines), func(i int) bool { return f.lines[i].at > addr-f.Start }) - 1
	if i >= 0 {
		out.File, out.Line = f.lines[i].file, f.lines[i].line
	}
	return out
}
