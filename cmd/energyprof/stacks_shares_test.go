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

// compareStacks tells what two recordings of a program differ by: stacks that one of them lacks, shares by more than a point. Where
// stacks are mixed three standard errors of the difference are allowed besides.
func compareStacks(got, want stacks, mixed bool) (differ []string) {
	n, m := float64(got.total()), float64(want.total())
	if n == 0 || m == 0 {
		return []string{fmt.Sprintf("%v stacks, want those of %v", n, m)}
	}
	for _, stack := range slices.Sorted(maps.Keys(both(got, want))) {
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
	return differ
}

func both(a, b stacks) stacks {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// sameStacks tells what two sets of stacks of the same samples differ by, if it is more than one in a hundred: where there are no
// tables (the first and last functions of a program, the gap that libc leaves in clone3) or they are wrong (the end of
// _Unwind_RaiseException) perf guesses, or ends, without a word.
func sameStacks(got, want stacks) (differ []string) {
	missing := 0
	for _, stack := range slices.Sorted(maps.Keys(both(got, want))) {
		missing += max(0, want[stack]-got[stack])
		if got[stack] != want[stack] {
			differ = append(differ, fmt.Sprintf("%d samples, want %d: %s", got[stack], want[stack], stack))
		}
	}
	if n, m := got.total(), want.total(); n != m || missing > m/100 {
		return append([]string{fmt.Sprintf("%d samples, want %d; of %d the stacks are not there", n, m, missing)}, differ...)
	}
	return nil
}

// designStacks wants the stacks that a program has by construction, each as often. A tenth may be of others, each rare: of a runtime
// that starts, and has threads of its own.
func designStacks(got stacks, design []string) (differ []string) {
	known, want := stacks{}, stacks{}
	for _, stack := range design {
		want[stack] = 1000
		known[stack] = got[stack]
	}
	n := got.total()
	for _, stack := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[stack]; !ok && got[stack] > n/50 {
			differ = append(differ, fmt.Sprintf("%d of %d samples are of %s", got[stack], n, stack))
		}
	}
	if others := n - known.total(); others > n/10 {
		differ = append(differ, fmt.Sprintf("%d of %d samples are of other stacks", others, n))
	}
	return append(differ, compareStacks(known, want, false)...)
}

// wantStacks wants each of the program's stacks, by construction, in 3 % of the samples or more.
func wantStacks(p *profile.Profile, want []string) (differ []string) {
	var total int64
	found := map[string]int64{}
	for _, sample := range p.Sample {
		total += sample.Value[0]
		names := functions(sample)
		for _, w := range want {
			if endsIn(names, strings.Split(w, ";")) {
				found[w] += sample.Value[0]
			}
		}
	}
	for _, w := range want {
		if float64(found[w]) < 0.03*float64(total) {
			differ = append(differ, fmt.Sprintf("%d of %d samples are of %s", found[w], total, w))
		}
	}
	return differ
}

// functions are the names of a sample's functions, those of the kernel aside, the innermost one last.
func functions(sample *profile.Sample) (names []string) {
	for _, l := range slices.Backward(sample.Location) {
		switch {
		case l.Address >= 1<<63:
			return names
		case len(l.Line) == 0:
			names = append(names, "")
		default:
			names = append(names, l.Line[len(l.Line)-1].Function.Name)
		}
	}
	return names
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
func cutStacks(p *profile.Profile, leaf string, frames int) (differ []string) {
	for _, sample := range p.Sample {
		names := functions(sample)
		if n := len(names); n > 0 && n == len(sample.Location) && names[n-1] == leaf && (names[0] != "[truncated]" || n-1 != frames) {
			differ = append(differ, fmt.Sprintf("%d samples are of a stack of %d frames that begins with %s, want %d below [truncated]", sample.Value[0], n, names[0], frames))
		}
	}
	return differ
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
