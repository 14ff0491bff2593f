package symbol

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/energyprof/energyprof/internal/gopclntab"
)

// Binary is where names come from: an ELF file, the vdso, the kernel or a perf
// map. Nothing but headers is read before the first Resolve. A Binary is not
// safe for concurrent use; different ones may be resolved at the same time.
type Binary struct {
	Path    string // as the first mapping had it, "[kernel.kallsyms]" for the kernel
	BuildID string // lower-case hex, "" when it has none
	// Unverified is set when a mapping was taken for this file on its path
	// alone: no build id, and no inode that the file system shows as it is.
	Unverified bool

	lim         Limits
	together    *allowance // of all binaries; nil for what is in memory
	image       *image
	file        *source // nil for what is in memory
	search      debugSearch
	debug       *source // separate debug file, nil without
	debugImage  *image
	supplement  *source // what that shares with others (dwz), nil without
	loaded      bool
	absolute    bool // Resolve takes addresses, not file offsets
	table       *table
	idleSection Range            // of the kernel
	lines       *debugInfo       // nil without line information
	released    bool             // it had been read, and is again when it is needed
	golang      *gopclntab.Table // nil if it is no Go program
	goFault     bool             // it has been told that the table is damaged
	readable    map[int]string
	err         error
}

// Range is a half-open range of addresses.
type Range struct{ Start, Limit uint64 }

// Err says what could not be read of the binary, nil while all is well. It is
// final once Resolve has been called; names that are not affected are there.
func (b *Binary) Err() error { return b.err }

// Resolve names the functions at file offsets (address - Mapping.Start +
// Mapping.Offset); for the kernel and perf maps, at addresses. The answer has
// the frames of each, the innermost inlined function first, none where no function is known. Many addresses in one
// call cost far less than one by one.
func (b *Binary) Resolve(addrs []uint64) [][]Frame {
	out := make([][]Frame, len(addrs))
	if err := guard(func() error { return b.resolve(addrs, out) }); err != nil {
		b.note(err)
	}
	return out
}

func (b *Binary) note(err error) {
	if err == nil || b.err != nil && b.err.Error() == err.Error() {
		return
	}
	b.err = errors.Join(b.err, fmt.Errorf("%s: %w", b.Path, err))
}

// recoverPanics is false in fuzz tests: a panic is a bug, though it must not
// end somebody's recording.
var recoverPanics = true

func guard(f func() error) (err error) {
	if recoverPanics {
		defer func() {
			if p := recover(); p != nil {
				err = formatError("damaged beyond what was foreseen: %v", p)
			}
		}()
	}
	return f()
}

// target is an address asked for.
type target struct {
	vaddr uint64
	index int // in the caller's slice
}

func (b *Binary) resolve(addrs []uint64, out [][]Frame) error {
	b.load()
	defer b.release()
	defer b.file.rest()
	defer b.debug.rest()
	defer b.supplement.rest()
	targets := make([]target, 0, len(addrs))
	for i, a := range addrs {
		if !b.absolute {
			var ok bool
			if a, ok = b.image.vaddr(a); !ok {
				continue
			}
		}
		if out[i] = b.goFrames(a); len(out[i]) > 0 {
			continue
		}
		targets = append(targets, target{a, i})
	}
	slices.SortFunc(targets, func(x, y target) int {
		if x.vaddr != y.vaddr {
			if x.vaddr < y.vaddr {
				return -1
			}
			return 1
		}
		return x.index - y.index
	})
	unique := make([]uint64, 0, len(targets))
	for _, t := range targets {
		if n := len(unique); n == 0 || unique[n-1] != t.vaddr {
			unique = append(unique, t.vaddr)
		}
	}
	frames, err := b.frames(unique)
	at := 0
	for _, t := range targets {
		if unique[at] != t.vaddr {
			at++
		}
		out[t.index] = frames[at]
	}
	return err
}

// frames gives the functions at addresses, which rise; none where none is known.
func (b *Binary) frames(vaddrs []uint64) ([][]Frame, error) {
	out := make([][]Frame, len(vaddrs))
	entries := make([]uint64, len(vaddrs)) // of the functions
	for i, v := range vaddrs {
		entries[i] = v
		if s, ok := b.table.find(v); ok {
			if f := b.frame(s); f.Function != "" {
				out[i], entries[i] = []Frame{f}, b.table.symbols[s].addr
			}
		}
	}
	if b.released && len(vaddrs) > 0 {
		_ = b.loadLines() // what it cannot read it has told the first time
	}
	if b.lines == nil {
		return out, nil
	}
	asked := slices.Concat(vaddrs, entries)
	slices.Sort(asked)
	asked = slices.Compact(asked)
	var lines []sourceLine
	err := b.searching(b.lines, func() (err error) {
		lines, err = b.lines.lines(asked)
		return err
	})
	line := func(v uint64) sourceLine {
		i, _ := slices.BinarySearch(asked, v)
		return lines[i]
	}
	var inlines [][]Frame
	inlinesErr := b.searching(b.lines, func() (err error) {
		inlines, err = b.lines.inlines(vaddrs)
		return err
	})
	for i := range out {
		out[i] = complete(out[i], inlines[i], line(vaddrs[i]), line(entries[i]))
	}
	return out, errors.Join(err, inlinesErr)
}

// complete puts together what the symbol table, the entries of debug information
// and the line table know of an address: the latter at the address and where its function begins.
func complete(symbol, inlined []Frame, here, entry sourceLine) []Frame {
	frames := inlined
	switch {
	case len(inlined) == 0 && len(symbol) == 0:
		return nil
	case len(inlined) == 0, len(symbol) > 0 && strayed(symbol[0].SystemName, inlined[len(inlined)-1].SystemName):
		frames = symbol
	case len(symbol) > 0:
		// The symbol tells clones and cold parts of a function apart; of functions that
		// share their code, debug information says which one the lines are of.
		last := &frames[len(frames)-1]
		if !mangled(last.SystemName) || !mangled(symbol[0].SystemName) || strings.Contains(symbol[0].SystemName, ".") {
			last.Function, last.SystemName = symbol[0].Function, symbol[0].SystemName
		}
	case frames[len(frames)-1].Function == "":
		return nil
	}
	outer := &frames[len(frames)-1]
	if outer.File == "" {
		outer.File = cmp.Or(entry.start, here.file)
	}
	if outer.StartLine == 0 && outer.File == entry.start {
		outer.StartLine = entry.startLine
	}
	inner := &frames[0]
	inner.File = cmp.Or(inner.File, here.file)
	// A function has one file: lines of what is included into its body are none of it.
	if inner.File == here.file {
		inner.Line = here.line
	}
	return frames
}

// strayed says whether debug information has told of another function than that of the symbol. gcc has no entries for
// thunks (_ZTh, _ZTv, _ZTc: Itanium C++ ABI, 5.1.4.4), which lie behind their functions; units that had a longer instance of such a function, which
// the linker dropped, claim them.
func strayed(symbol, told string) bool {
	return len(symbol) > 3 && strings.HasPrefix(symbol, "_ZT") && strings.IndexByte("hvc", symbol[3]) >= 0 && mangled(told) && told != symbol
}

// mangled says whether a name is a C++ or Rust compiler's, which tells the whole function.
func mangled(name string) bool { return strings.HasPrefix(name, "_Z") || strings.HasPrefix(name, "_R") }

// frame names the symbol of index i.
func (b *Binary) frame(i int) Frame {
	raw := b.table.name(i)
	name, ok := b.readable[i]
	if !ok {
		name = printable(readable(raw, b.lim.NameBytes))
		b.readable[i] = name
	}
	return Frame{Function: name, SystemName: printable(raw)}
}

// load reads the tables, once. What fails is noted and leaves a table without it.
func (b *Binary) load() {
	if b.loaded {
		return
	}
	b.loaded = true
	b.readable = map[int]string{}
	if b.table != nil { // the kernel and perf maps come with theirs
		return
	}
	b.table = &table{}
	b.loadGo()
	b.debugImage = b.openDebugFile()
	err := guard(func() (err error) {
		b.table, err = b.image.loadSymbols(b.debugImage, b.tableLimits())
		if b.together != nil {
			b.together.tables.Add(-b.table.memory())
		}
		b.worked(xzWork * b.image.unpacked)
		return err
	})
	b.note(err)
	b.note(b.loadLines())
}

// loadLines opens debug information and finds what is where in it.
func (b *Binary) loadLines() error {
	b.released = false
	return guard(func() error {
		lim := b.limits()
		from, path := b.image, b.Path
		d, err := openDebugInfo(b.image, from, lim, true, "")
		if d == nil && err == nil && b.debugImage != nil {
			from, path = b.debugImage, b.debug.path
			d, err = openDebugInfo(b.image, from, lim, true, "")
		}
		if d == nil {
			return err
		}
		b.lines, d.openSplit = d, b.openSplit
		err = b.searching(d, d.index)
		var sharedErr error
		d.shared, sharedErr = b.openSupplementary(from, path)
		if d.shared != nil {
			b.worked(d.shared.worked() + d.shared.decompressed())
		}
		b.worked(d.decompressed())
		return errors.Join(err, sharedErr)
	})
}

// close frees the tables and the file. The Binary has no names afterwards.
func (b *Binary) close() error {
	b.table, b.lines, b.golang, b.readable, b.loaded, b.released = &table{}, nil, nil, map[int]string{}, true, false
	return errors.Join(b.file.close(), b.debug.close(), b.supplement.close())
}
