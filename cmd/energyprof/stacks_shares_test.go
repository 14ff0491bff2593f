package main

import (
	"bytes"
	"cmp"
	"debug/elf"
	"fmt"
	"maps"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// stacks counts samples by stack: functions from the outermost to the innermost, between semicolons. It has what two
// profilers can agree on:
//   - No frames of the kernel. Interrupts come when they will, and what they interrupted is what counts here.
//   - No inlined functions: a frame has the name of the function that the code is part of, as linkers know it.
//   - Of the names of one function the first by alphabet, without versions: libc's have several.
//   - [FILE] where a function has no name, and for __restore_rt: perf looks up what a signal's handler returns to one
//     byte before it, where another function or none is. So does what begins the dynamic linker, which is no function to its symbols.
//   - No .abi0 behind names of Go's assembler: it is not part of them, and not known where symbols were stripped.
//   - No stacks in which a program looks at its clock between two turns: a thread's time is a system call, at whose end more
//     happens on a busy machine.
//   - [plt] for stubs of procedure linkage tables, which perf 6.1 takes for parts of _init where these are lazy.
type stacks map[string]int

func (s stacks) add(frames []string, samples int) {
	for i, name := range frames {
		if i > 0 && strings.Contains(name, "clock_gettime") && strings.Contains(frames[i-1], "turns") {
			return
		}
	}
	if len(frames) > 0 {
		s[strings.Join(frames, ";")] += samples
	}
}

func (s stacks) total() int {
	n := 0
	for _, k := range s {
		n += k
	}
	return n
}

// namer gives functions the names under which stacks are compared.
type namer struct {
	first map[string]map[string]string // by file: of the names of a function's address the first
}

func (n *namer) frame(file, name string) string {
	base := filepath.Base(file)
	if file == "[vdso]" || file == "//anon" || file == "" {
		base = strings.Trim(cmp.Or(file, "unknown"), "/[]")
	}
	name, version, _ := strings.Cut(strings.TrimSuffix(name, ".abi0"), "@") // a version may be behind two of them
	switch {
	case version == "plt" || name == "_init":
		return "[plt]"
	case name == "" || name == "[unknown]" || name == "__restore_rt" || name == "_start" && strings.HasPrefix(base, "ld-"):
		return "[" + base + "]"
	case file == "[vdso]":
		return strings.TrimPrefix(name, "__vdso_")
	case !filepath.IsAbs(file):
		return name
	}
	if n.first == nil {
		n.first = map[string]map[string]string{}
	}
	if n.first[file] == nil {
		n.first[file] = aliases(file)
	}
	return cmp.Or(n.first[file][name], name)
}

// aliases has, for names of functions of a file, the first one by alphabet that the same address has, from its own symbols and
// those of Debian's packages of debug files.
func aliases(file string) map[string]string {
	first := map[string]string{}
	f, err := elf.Open(file)
	if err != nil {
		return first
	}
	defer f.Close()
	all, _ := f.Symbols()
	dynamic, _ := f.DynamicSymbols()
	all = append(all, dynamic...)
	if note := f.Section(".note.gnu.build-id"); note != nil {
		if b, err := note.Data(); err == nil && len(b) > 17 {
			id := fmt.Sprintf("%x", b[16:])
			if d, err := elf.Open("/usr/lib/debug/.build-id/" + id[:2] + "/" + id[2:] + ".debug"); err == nil {
				more, _ := d.Symbols()
				all = append(all, more...)
				d.Close()
			}
		}
	}
	names := map[uint64][]string{}
	places := map[string]uint64{}
	ambiguous := map[string]bool{}
	for _, s := range all {
		if kind := elf.ST_TYPE(s.Info); s.Section == elf.SHN_UNDEF || kind != elf.STT_FUNC && kind != elf.STT_GNU_IFUNC {
			continue
		}
		name, _, _ := strings.Cut(s.Name, "@")
		if at, ok := places[name]; ok && at != s.Value {
			ambiguous[name] = true
		}
		places[name] = s.Value
		names[s.Value] = append(names[s.Value], name)
	}
	for name, at := range places {
		if !ambiguous[name] {
			first[name] = slices.Min(names[at])
		}
	}
	return first
}

// ofProfile are the stacks of a profile.
func (n *namer) ofProfile(p *profile.Profile) stacks {
	s := stacks{}
	for _, sample := range p.Sample {
		var frames []string
		for _, l := range slices.Backward(sample.Location) {
			if l.Address >= 1<<63 {
				break
			}
			file, name := "", ""
			if l.Mapping != nil {
				file = l.Mapping.File
			}
			if len(l.Line) > 0 {
				f := l.Line[len(l.Line)-1].Function // the outermost: into it the others were inlined
				name = cmp.Or(f.SystemName, f.Name)
			}
			frames = append(frames, n.frame(file, name))
		}
		s.add(frames, int(sample.Value[0]))
	}
	return s
}

// perfStacks are those that perf script finds in a file.
func (n *namer) perfStacks(t *testing.T, path string) stacks {
	t.Helper()
	var diag bytes.Buffer
	c := exec.Command("perf", "script", "-i", path, "--no-inline", "--no-demangle", "-F", "ip,sym,dso")
	c.Stderr = &diag
	text, err := c.Output()
	if err != nil {
		t.Fatalf("perf script: %v\n%s", err, &diag)
	}
	s := stacks{}
	for sample := range strings.SplitSeq(string(text), "\n\n") {
		var frames []string
		for line := range strings.Lines(sample) {
			// ADDRESS NAME (FILE): the name may have spaces, and so may the file.
			address, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			at, err := strconv.ParseUint(address, 16, 64)
			open := strings.LastIndex(rest, " (")
			if err != nil || open < 0 || at >= 1<<63 {
				continue
			}
			frames = append(frames, n.frame(strings.TrimSuffix(rest[open+2:], ")"), rest[:open]))
		}
		slices.Reverse(frames)
		s.add(frames, 1)
	}
	return s
}

// folded has one frame for a function that calls itself, however often, and none for the mark of a cut.
func (s stacks) folded() stacks {
	out := stacks{}
	for stack, k := range s {
		frames := slices.Compact(strings.Split(stack, ";"))
		if len(frames) > 1 && frames[0] == "[truncated]" {
			frames = frames[1:]
		}
		out[strings.Join(frames, ";")] += k
	}
	return out
}

// missable is how many samples of a stack one recording may have where another has none: a stack with so many in
// the mean has none once in 3000.
const missable = 7

// compareStacks wants the same stacks in two recordings of a program, with shares within a point. Where stacks are mixed three
// standard errors of the difference are allowed besides.
func compareStacks(t *testing.T, got, want stacks, mixed bool) {
	t.Helper()
	n, m := float64(got.total()), float64(want.total())
	if n == 0 || m == 0 {
		t.Errorf("%v stacks, want those of %v", n, m)
		return
	}
	var differ []string
	all := maps.Clone(got)
	maps.Copy(all, want)
	for _, stack := range slices.Sorted(maps.Keys(all)) {
		a, b := got[stack], want[stack]
		p, q := float64(a)/n, float64(b)/m
		limit := 0.01
		if mixed {
			limit += 3 * math.Sqrt(p*(1-p)/n+q*(1-q)/m)
		}
		if min(a, b) == 0 && max(a, b) > missable || math.Abs(p-q) > limit {
			differ = append(differ, fmt.Sprintf("%.2f %% (%d samples), want %.2f %% (%d): %s", 100*p, a, 100*q, b, stack))
		}
	}
	tellDifferences(t, differ)
}

// tellDifferences tells the first of them.
func tellDifferences(t *testing.T, differ []string) {
	t.Helper()
	const enough = 12
	for _, line := range differ[:min(enough, len(differ))] {
		t.Error(line)
	}
	if len(differ) > enough {
		t.Errorf("and %d more", len(differ)-enough)
	}
}

// sameStacks wants the same stacks of the same samples, but for one in a hundred: where there are no tables (the first and last
// functions of a program, the gap that libc leaves in clone3) or they are wrong (the end of _Unwind_RaiseException) perf guesses, or
// ends, without a word.
func sameStacks(t *testing.T, got, want stacks) {
	t.Helper()
	all := maps.Clone(got)
	maps.Copy(all, want)
	var differ []string
	missing := 0
	for _, stack := range slices.Sorted(maps.Keys(all)) {
		missing += max(0, want[stack]-got[stack])
		if got[stack] != want[stack] {
			differ = append(differ, fmt.Sprintf("%d samples, want %d: %s", got[stack], want[stack], stack))
		}
	}
	if n, m := got.total(), want.total(); n != m || missing > m/100 {
		t.Errorf("%d stacks, %d of them others than those of perf, which has %d", n, missing, m)
		tellDifferences(t, differ)
	}
}

// designStacks wants the stacks that a program has by construction, each as often. A tenth may be of others, each rare: of a runtime
// that starts, and has threads of its own.
func designStacks(t *testing.T, got stacks, design []string) {
	t.Helper()
	known, want := stacks{}, stacks{}
	for _, stack := range design {
		want[stack] = 1000
		known[stack] = got[stack]
	}
	n := got.total()
	for stack, k := range got {
		if _, ok := want[stack]; !ok && k > n/50 {
			t.Errorf("%d of %d samples are of %s", k, n, stack)
		}
	}
	if others := n - known.total(); others > n/10 {
		t.Errorf("%d of %d samples are of other stacks", others, n)
	}
	compareStacks(t, known, want, false)
}

// wantStacks wants each of the program's stacks, by construction, in 3 % of the samples or more.
func wantStacks(t *testing.T, p *profile.Profile, want []string) {
	t.Helper()
	var total int64
	found := map[string]int64{}
	for _, sample := range p.Sample {
		total += sample.Value[0]
		var names []string
		for _, l := range slices.Backward(sample.Location) {
			name := ""
			if l.Address >= 1<<63 {
				continue
			}
			if len(l.Line) > 0 {
				name = l.Line[len(l.Line)-1].Function.Name
			}
			names = append(names, name)
		}
		for _, w := range want {
			if endsIn(names, strings.Split(w, ";")) {
				found[w] += sample.Value[0]
			}
		}
	}
	for _, w := range want {
		if float64(found[w]) < 0.03*float64(total) {
			t.Errorf("%d of %d samples are of %s", found[w], total, w)
		}
	}
}

// endsIn tells whether a stack has these functions in this order, the last one innermost. Parts of names will do, so an empty
// one is any.
func endsIn(stack, functions []string) bool {
	last := len(functions) - 1
	if len(stack) == 0 || !strings.Contains(stack[len(stack)-1], functions[last]) {
		return false
	}
	i := 0
	for _, name := range stack[:len(stack)-1] {
		if i < last && strings.Contains(name, functions[i]) {
			i++
		}
	}
	return i == last
}

// cutStacks wants stacks of a function to be cut at so many frames, and to say so.
func cutStacks(t *testing.T, p *profile.Profile, leaf string, frames int) {
	t.Helper()
	for _, sample := range p.Sample {
		n, names := len(sample.Location), []string{}
		for _, l := range sample.Location {
			name := ""
			if len(l.Line) > 0 {
				name = l.Line[len(l.Line)-1].Function.Name
			}
			names = append(names, name)
		}
		if n == 0 || names[0] != leaf {
			continue
		}
		if names[n-1] != "[truncated]" || n-1 != frames {
			t.Errorf("%d samples are of a stack of %d frames that begins with %s, want %d below [truncated]", sample.Value[0], n, names[n-1], frames)
		}
	}
}
