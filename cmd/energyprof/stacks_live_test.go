package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/energyprof/energyprof/report"
)

// stackRate is the samples per second: a thousand of a program, at no whole fraction of the times in it.
const stackRate = "2497"

// wholeStacks is the share of samples whose stacks lead down to an entry point.
const wholeStacks = 0.99

// recordStacks records a command and returns its profile, and what became of its stacks.
func recordStacks(t *testing.T, method string, command []string) (*profile.Profile, *report.Stacks) {
	t.Helper()
	dir := t.TempDir()
	out, summary := filepath.Join(dir, "out.pb.gz"), filepath.Join(dir, "out.json")
	energyprof(t, 0, append([]string{"record", "-q", "--energy", "none", "-F", stackRate, "-g", method, "-o", out, "--summary", summary, "--"}, command...)...)
	books := readSummary(t, summary).Stacks
	if books == nil {
		t.Fatalf("-g %s: the summary says nothing of stacks", method)
	}
	return readProfile(t, out), books
}

// perfDwarf records a command with perf, which copies the stacks, and returns the file.
func perfDwarf(t *testing.T, dir string, command []string) string {
	t.Helper()
	data := filepath.Join(dir, "perf.data")
	// With build ids in the records of mappings: without, perf crashes where another recording asks for them (perfRecord).
	perfRecord(t, append([]string{"--no-bpf-event", "-m", "2048", "-F", stackRate, "-e", "cpu-clock", "--call-graph", "dwarf", "-o", data, "--"}, command...)...)
	return data
}

// TestStacks records programs whose stacks are known, and holds them against those of perf on a run of the same
// program; what perf recorded is converted, and then has to have the same stacks to the sample. On a busy machine shares can be
// off by more than a point now and then: what does not hold is recorded again, twice.
func TestStacks(t *testing.T) {
	needPerf(t)
	dir := t.TempDir()
	for _, p := range stackPrograms {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			home := filepath.Join(dir, p.name)
			if err := os.Mkdir(home, 0o755); err != nil {
				t.Fatal(err)
			}
			command := p.command(t, home)
			var names namer
			var known stacks
			data := ""
			perf := func() {
				if p.design == nil && !p.apart {
					data = perfDwarf(t, home, command)
					known = p.folded(names.perfStacks(t, data))
				}
			}
			perf()
			if data != "" {
				t.Run("convert", func(t *testing.T) {
					out := filepath.Join(home, "convert.pb.gz")
					energyprof(t, 0, "convert", "-q", "-o", out, data)
					tellDifferences(t, sameStacks(p.folded(names.ofProfile(readProfile(t, out))), known))
				})
			}
			for _, method := range []string{"auto", "dwarf"} {
				t.Run(method, func(t *testing.T) {
					differ := p.check(t, method, command, &names, known)
					for attempt := 2; len(differ) > 0 && attempt <= 3; attempt++ {
						t.Logf("once more: %s", differ[0])
						perf()
						differ = p.check(t, method, command, &names, known)
					}
					tellDifferences(t, differ)
				})
			}
		})
	}
}

// check records a program and tells what is not as it should be.
func (p *stackProgram) check(t *testing.T, method string, command []string, names *namer, known stacks) (differ []string) {
	profile, books := recordStacks(t, method, command)
	differ = p.whole(books)
	if p.apart && books.Method == "dwarf" {
		return differ
	}
	got := p.folded(names.ofProfile(profile))
	switch {
	case p.design != nil:
		differ = append(differ, designStacks(got, p.design)...)
	case known != nil:
		differ = append(differ, compareStacks(got, known, p.mixed)...)
	}
	differ = append(differ, wantStacks(profile, p.want)...)
	if p.cut {
		differ = append(differ, cutStacks(profile, "bottom", maxStack(t))...)
	}
	return differ
}

// maxStack is the number of frames that the kernel keeps of a stack.
func maxStack(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/kernel/perf_event_max_stack")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// folded makes stacks of different depth the same where they are deeper than they may be.
func (p *stackProgram) folded(s stacks) stacks {
	if p.cut {
		return s.folded()
	}
	return s
}

// whole wants stacks that lead to an entry point, but for those that are known to be cut. Of stacks that do not lie in one piece BPF
// sees all as soon as it has the tables; until then, for some hundredths of a second, it copies what may not be all of them.
func (p *stackProgram) whole(books *report.Stacks) []string {
	whole := books.Complete
	if p.cut || p.apart {
		whole += books.Truncated
	}
	if books.Samples < 700 || float64(whole) < wholeStacks*float64(books.Samples) || p.apart && books.Method == "bpf" && books.Truncated > books.Samples/5 {
		return []string{fmt.Sprintf("%d of %d stacks are as they should be, want a thousand or so, and 99 %%: %+v", whole, books.Samples, *books)}
	}
	return nil
}
