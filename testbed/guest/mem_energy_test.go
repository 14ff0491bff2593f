package guest

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/internal/memory"
)

// dramOf sums up the joules of memory of the workload's functions, over levels.
func dramOf(r *memory.Result) map[string]float64 {
	joules := map[string]float64{}
	for _, f := range r.Functions {
		if f.Joules != nil {
			joules[f.Function] += *f.Joules
		}
	}
	return joules
}

// dramAddsUp wants all that is handed out to be the total.
func dramAddsUp(t *testing.T, r *memory.Result) float64 {
	t.Helper()
	if r.Total.Joules == nil {
		t.Fatalf("there are no joules: %q", r.Notes)
	}
	sum := 0.0
	for _, j := range dramOf(r) {
		sum += j
	}
	for _, s := range r.Synthetic {
		sum += s.Joules
	}
	if math.Abs(sum-*r.Total.Joules) > 1e-4 {
		t.Errorf("functions and the rest have %.6f J of %.6f J", sum, *r.Total.Joules)
	}
	return *r.Total.Joules
}

// elsewhere makes what threads access that walk nothing a line of the first level of
// cache.
func elsewhere(t *testing.T) {
	t.Helper()
	param(t, "simpmu", "mem_base", "0x10000000")
	param(t, "simpmu", "mem_size", "64")
}

// walkers are flags and a command: a thread for each of these functions, which is in it for a
// while and then rests, for so long, and the samples of what they load, 500 in a second each.
func walkers(seconds float64, functions string) []string {
	return []string{"-c", "164002", "--user", "-g", "none", "--", "workload", "-each", "-realtime", "-seconds", fmt.Sprint(seconds),
		"-threads", fmt.Sprint(strings.Count(functions, ",") + 1), "-burst", "50ms-300ms", "-nap", "20ms-200ms", "-functions", functions}
}

// What walks draw of the memory, as the profiler has it.
func TestMemEnergy(t *testing.T) {
	only(t, "icx-6.1")
	const static = 2 // watts
	quiet(t)
	param(t, "simrapl", "dram_mw", strconv.Itoa(static*1000))
	elsewhere(t)
	reload(t, "simpmu", "traffic=1")
	record := func(t *testing.T, functions string) (*memory.Result, map[string]account, map[string]float64) {
		t.Helper()
		openBooks(t)
		r := memTables(t, append([]string{"-t", "load", "--ldlat", "3"}, walkers(4, functions)...)...)
		truth := readBooks(t).functions
		near(t, "all", dramAddsUp(t, r), static*r.Seconds+truth["stream"].dram+truth["lookup"].dram+truth["parse"].dram, 0.01)
		is := dramOf(r)
		for _, s := range r.Synthetic {
			is[s.Name] += s.Joules
		}
		if none := is["main.lookup"]; none > 0.01*truth["stream"].dram {
			t.Errorf("main.lookup has %.3f J, it walked a cache", none)
		}
		return r, truth, is
	}

	// Threads walk an array each at the same time, in memory, in memory behind CXL, which costs more, and
	// in cache: the joules of memory are those of the first two alone.
	t.Run("levels", func(t *testing.T) {
		r, truth, is := record(t, "stream=3000:8000:5:0:82001,lookup=3000:0:3,parse=3000:14000:13")
		for name, level := range map[string]string{"stream": "DRAM", "parse": "CXL"} {
			want := truth[name].dram
			t.Logf("%s drew %.3f J and has %.3f J of %.3f J", name, want, is["main."+name], *r.Total.Joules)
			near(t, "main."+name, is["main."+name], want, 0.05)
			ofLevel(t, r, "main."+name, level, want)
		}
	})

	// What a thread loads is its own; what is fetched beyond the loads, for it and for one that loads nothing
	// from memory, is nobody's, and has its joules. A line costs the same whoever has it moved.
	t.Run("prefetch", func(t *testing.T) {
		const (
			loads  = 82_001 // per ms of a thread: the event's rate
			lines  = 123_000
			others = 60_000
			joules = 1e-7 // of a line
		)
		r, truth, is := record(t, fmt.Sprintf("stream=3000:%d:5:0:%d,lookup=3000:%d:3:0:%d", int(lines*joules*1e6), lines, int(others*joules*1e6), others))
		own := truth["stream"].seconds * 1000 * loads * joules
		for name, want := range map[string]float64{"main.stream": own, "[prefetch and write-back]": truth["stream"].dram + truth["lookup"].dram - own} {
			t.Logf("%s has %.3f J, want %.3f J of %.3f J", name, is[name], want, *r.Total.Joules)
			near(t, name, is[name], want, 0.05)
		}
		if t.Failed() {
			t.Logf("%v; notes: %q", r.Synthetic, r.Notes)
		}
	})
}

// ofLevel wants nearly all of these joules in a function's row of a level.
func ofLevel(t *testing.T, r *memory.Result, function, level string, joules float64) {
	t.Helper()
	for _, f := range r.Functions {
		if f.Function == function && f.Level == level {
			near(t, function+" of "+level, *f.Joules, joules, 0.05)
			return
		}
	}
	t.Errorf("%s has no row of %s: %+v", function, level, r.Functions)
}

// A thread of package 0 walks memory of package 1, and another one memory near it: each has
// the joules of the memory that it used, of whichever package.
func TestMemEnergyOfRemoteWalk(t *testing.T) {
	only(t, "icx2s-6.12")
	const static = 2 // watts of each package
	quiet(t)
	param(t, "simrapl", "dram_mw", strconv.Itoa(static*1000))
	elsewhere(t)
	reload(t, "simpmu", "imc=0")
	openBooks(t)
	args := walkers(4, "stream=3000:9000:6:1,lookup=3000:5000:5:0")
	at := slices.Index(args, "--") + 1
	r := memTables(t, slices.Insert(args, at, "taskset", "3")...)
	truth := readBooks(t)
	total, joules := dramAddsUp(t, r), dramOf(r)
	for name, level := range map[string]string{"stream": "remote DRAM", "lookup": "DRAM"} {
		is := truth.functions[name].dram
		t.Logf("%s drew %.3f J and has %.3f J of %.3f J", name, is, joules["main."+name], total)
		near(t, "main."+name, joules["main."+name], is, 0.05)
		ofLevel(t, r, "main."+name, level, is)
	}
	if p := truth.packages[1]; math.Abs(p.dramFunctions-truth.functions["stream"].dram) > 1e-6 {
		t.Errorf("package 1 gave %.3f J of its memory, want what stream drew", p.dramFunctions)
	}
	nodes := map[int]memory.NodeRow{}
	for _, n := range r.Nodes {
		if n.Node != nil {
			nodes[*n.Node] = n
		}
	}
	// What they load is on a node each, that of stream is far.
	near(t, "node 0", *nodes[0].Joules, truth.functions["lookup"].dram, 0.05)
	near(t, "node 1", *nodes[1].Joules, truth.functions["stream"].dram, 0.05)
	if n := nodes[1]; n.CPUs != "2-3" || n.Remote == nil || *n.Remote != n.Loads+n.Stores || n.Loads == 0 {
		t.Errorf("node 1 is %+v, want CPUs 2-3 and all accesses from elsewhere", n)
	}
	near(t, "all", total, 2*static*r.Seconds+truth.functions["stream"].dram+truth.functions["lookup"].dram, 0.01)
}
