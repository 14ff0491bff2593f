package memory

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report/pprofile"
)

const (
	load   = pebs.OpLoad | pebs.LvlHit | pebs.LvlL1 | pebs.NumL1
	store  = pebs.OpStore | pebs.LvlHit | pebs.LvlL1
	missed = pebs.OpStore | pebs.LvlMiss | pebs.LvlL1
	fought = pebs.OpLoad | pebs.LvlHit | pebs.LvlL3 | pebs.NumL3 | pebs.SnoopHitM
	afar   = pebs.OpLoad | pebs.LvlHit | pebs.LvlRemoteCache1 | pebs.RemoteBit | pebs.SnoopHitM
	dram   = pebs.OpLoad | pebs.LvlHit | pebs.LvlLocalRAM | pebs.NumRAM
)

// at is an access to an address by a thread of process 100 on a CPU, at a time in ns.
func at(addr uint64, tid, cpu uint32, time uint64, d pebs.DataSource) perfring.Sample {
	return perfring.Sample{PID: 100, TID: tid, CPU: cpu, Addr: addr, Time: time, Period: 10, Weight: 50, DataSrc: uint64(d)}
}

// stacksNamed are stacks of one function each.
func stacksNamed(names ...string) (all []pprofile.Stack) {
	for _, name := range names {
		all = append(all, stack("app", 100, name))
	}
	return all
}

// sharingNodes are two nodes of two CPUs.
func sharingNodes() *Nodes {
	return NewNodes([]Node{{ID: 0, CPUs: []int{0, 1}, HasMemory: true}, {ID: 1, CPUs: []int{2, 3}, HasMemory: true}})
}

// sharedLines are samples of a program with a line that is falsely shared, one that is a lock, one of a lone thread and
// one of the kernel; the numbers of their functions go with them.
func sharedLines() (samples []perfring.Sample, stacks []int32) {
	add := func(stack int32, n int, s perfring.Sample) {
		for range n {
			s.Time++
			samples, stacks = append(samples, s), append(stacks, stack)
		}
	}
	const counters, lock, lone, kernel = 0x7f0000001000, 0x7f0000001040, 0x7f0000001080, 0xffff888000001000
	add(0, 6, at(counters, 101, 1, 10, store))
	add(0, 2, at(counters, 101, 1, 20, fought))
	add(1, 3, at(counters+8, 102, 0, 10, fought))
	add(1, 4, at(counters+8, 103, 2, 20, afar))
	add(2, 2, at(lock+4, 101, 1, 10, store|pebs.LockLocked))
	add(2, 1, at(lock+4, 103, 2, 10, missed|pebs.LockLocked))
	add(3, 9, at(lone, 102, 0, 10, dram))
	add(3, 1, at(lone+32, 102, 1, 10, missed))
	k := at(kernel, 102, 0, 10, load)
	add(4, 1, k)
	return samples, stacks
}

func resultOf(opt Options, samples []perfring.Sample, stacks []int32, data *pprofile.Profile) *Result {
	table := New(opt)
	for i := range samples {
		table.Add(&samples[i], 0, stacks[i])
	}
	return table.Result(Recorded{Data: data})
}

var loadsOnly = []Event{{Name: "loads", Memory: true}}

// TestLineText: what is shown of lines.
func TestLineText(t *testing.T) {
	samples, stacks := sharedLines()
	data := &pprofile.Profile{Stacks: stacksNamed("produce", "consume", "lock", "walk", "sys_read")}
	r := resultOf(Options{Events: loadsOnly, Nodes: sharingNodes()}, samples, stacks, data)
	var b bytes.Buffer
	if err := (Text{By: ByLine, Printable: printable}).Write(&b, r); err != nil {
		t.Fatal(err)
	}
	golden(t, "lines.golden", b.Bytes())
}

// TestLineRow: who did what on which CPUs and nodes, at which place of the line.
func TestLineRow(t *testing.T) {
	samples, stacks := sharedLines()
	data := &pprofile.Profile{Stacks: stacksNamed("produce", "consume", "lock", "walk", "sys_read")}
	row := resultOf(Options{Events: loadsOnly, Nodes: sharingNodes()}, samples, stacks, data).Lines[0]
	if row.Sharing != FalselyShared || row.CPUs != "0-2" || row.WrittenOn != "1" || row.ReadOn != "0-2" || row.LocalHitM != 5 || row.RemoteHitM != 4 ||
		row.StoreHits != 6 || row.Samples != 15 || row.Loads != 90 || row.Stores != 60 || row.Levels["L3"] != 5 || row.Levels["remote cache"] != 4 {
		t.Errorf("the line is %+v", row)
	}
	if !slices.Equal(row.Nodes, []int{0, 1}) || !slices.Equal(row.Functions, []string{"produce", "consume"}) || len(row.Offsets) != 2 {
		t.Fatalf("nodes %v, functions %v, %d offsets", row.Nodes, row.Functions, len(row.Offsets))
	}
	o := row.Offsets[1]
	if o.Offset != 8 || o.WrittenOn != "" || o.ReadOn != "0,2" || o.LocalHitM != 3 || o.RemoteHitM != 4 || o.Samples != 7 ||
		!slices.Equal(o.Threads, []Thread{{100, 102}, {100, 103}}) || !slices.Equal(o.Functions, []string{"consume"}) {
		t.Errorf("the second offset is %+v", o)
	}
}

// TestHotLinesStay: a line that is wanted again and again is kept while others pass through.
func TestHotLinesStay(t *testing.T) {
	table := New(Options{Events: loadsOnly, MaxLines: 16})
	const hot, passing = 0x10000, 1000
	for i := range uint64(passing) {
		s := at(hot, 1, uint32(i%2), i, load)
		table.Add(&s, 0, 0)
		s = at(0x20000+64*i, 1, 0, i, load)
		table.Add(&s, 0, 0)
	}
	r := table.Result(Recorded{Data: &pprofile.Profile{Stacks: stacksNamed("f")}})
	if len(r.Lines) > 16 || r.Lines[0].Address != "0x10000" || r.Lines[0].Samples != passing {
		t.Fatalf("%d lines, the first %s of %d samples, want at most 16 and 0x10000 of %d", len(r.Lines), r.Lines[0].Address, r.Lines[0].Samples, passing)
	}
	kept := uint64(len(r.Lines) - 1)
	if r.OtherLines == nil || r.OtherLines.Samples != passing-kept {
		t.Errorf("others are %+v, want %d samples", r.OtherLines, passing-kept)
	}
	if !slices.ContainsFunc(r.Notes, func(s string) bool { return strings.Contains(s, fmt.Sprintf("given up %d times", passing-kept)) }) {
		t.Errorf("notes %q do not tell of the %d lines", r.Notes, passing-kept)
	}
}

// TestSameMemory: lines of two processes that are one in memory are one row, unless one had gone before the other came.
func TestSameMemory(t *testing.T) {
	table := New(Options{Events: loadsOnly})
	add := func(pid uint32, addr, phys, time uint64, cpu uint32, d pebs.DataSource) {
		s := at(addr, pid, cpu, time, d)
		s.PID, s.PhysAddr = pid, phys
		table.Add(&s, 0, 0)
	}
	add(7, 0x1000, 0x90000, 1, 0, store)
	add(8, 0x5000, 0x90000, 5, 1, fought)
	add(7, 0x1000, 0x90000, 9, 0, store)
	add(9, 0x1000, 0x90000, 20, 1, load)             // the memory has been given back meanwhile
	add(9, 0xffff888000090000, 0x90000, 20, 1, load) // the kernel's own address
	add(7, 0x1040, 0, 1, 0, store)
	add(8, 0x1040, 0, 1, 1, load) // nothing says that it is the same
	r := table.Result(Recorded{Data: &pprofile.Profile{Stacks: stacksNamed("f")}})
	var got []string
	for _, l := range r.Lines {
		got = append(got, fmt.Sprintf("%s of %d, also %v, %d samples %q", l.Address, l.PID, l.Also, l.Samples, l.Sharing))
	}
	want := []string{
		`0x1000 of 7, also [{0x5000 app 8}], 3 samples "true"`,
		`0xffff888000090000 of 0, also [{0x1000 app 9}], 2 samples ""`,
		`0x1040 of 7, also [], 1 samples ""`,
		`0x1040 of 8, also [], 1 samples ""`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLinesAddUp: whatever comes, in whatever room: rows and what is in none are all samples and joules, the places
// of a line are the line, and the limits hold.
func TestLinesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const limit = 8
		data := &pprofile.Profile{Columns: []pprofile.Column{{Domain: "dram"}}, Stacks: stacksNamed("f", "g", "h")}
		for i := range data.Stacks {
			data.Stacks[i].Joules = []float64{float64(rapid.IntRange(0, 9).Draw(t, "joules"))}
		}
		table := New(Options{Events: append(loadsOnly, Event{Name: "page-faults"}), MaxLines: limit, Line: 64})
		var samples uint64
		for range rapid.IntRange(0, 300).Draw(t, "samples") {
			s := at(uint64(rapid.IntRange(0, 1500).Draw(t, "address")), uint32(rapid.IntRange(1, 3).Draw(t, "thread")),
				uint32(rapid.IntRange(0, 2).Draw(t, "CPU")), 1, rapid.SampledFrom([]pebs.DataSource{load, store, missed, fought, afar, dram}).Draw(t, "access"))
			s.PhysAddr = uint64(rapid.IntRange(0, 4).Draw(t, "physical")) << 6
			table.Add(&s, rapid.IntRange(0, 1).Draw(t, "event"), int32(rapid.IntRange(-1, 2).Draw(t, "stack")))
			samples++
			if len(table.lines.of) > limit || table.lines.uses > usesOfLines*limit {
				t.Fatalf("%d lines, %d uses", len(table.lines.of), table.lines.uses)
			}
		}
		r := table.Result(Recorded{Data: data})
		var all Sum
		for i := range r.Lines {
			row := &r.Lines[i]
			all.merge(&row.Sum)
			var places Sum
			var coherence Coherence
			for j := range row.Offsets {
				places.merge(&row.Offsets[j].Sum)
				coherence.merge(&row.Offsets[j].Coherence)
			}
			if places.Samples+row.Crowd != row.Samples || coherence != row.Coherence || places.Loads != row.Loads || places.Stores != row.Stores {
				t.Fatalf("offsets are %+v, the line is %+v", places, row)
			}
			if math.Abs(*places.Joules-*row.Joules) > 1e-9 {
				t.Fatalf("offsets have %v J, the line %v", *places.Joules, *row.Joules)
			}
		}
		if r.OtherLines != nil {
			all.merge(&r.OtherLines.Sum)
		}
		if all.Samples != samples || all.Loads != r.Total.Loads || all.Stores != r.Total.Stores || all.Counts["page-faults"] != r.Total.Counts["page-faults"] {
			t.Fatalf("lines and others are %+v, the total %+v", all, r.Total)
		}
		if all.Joules != nil && math.Abs(*all.Joules-*r.Total.Joules) > 1e-9 {
			t.Fatalf("lines and others have %v J, all have %v", *all.Joules, *r.Total.Joules)
		}
	})
}

// TestCrowd: a line that too many threads use is counted whole, and says how much of it is at no place.
func TestCrowd(t *testing.T) {
	table := New(Options{Events: loadsOnly})
	const threads = usesOfLine + 44
	for i := range uint32(threads) {
		s := at(0x1000, i, i%4, 1, store)
		table.Add(&s, 0, 0)
	}
	l := table.Result(Recorded{Data: &pprofile.Profile{Stacks: stacksNamed("f")}}).Lines[0]
	if l.Samples != threads || l.Crowd != threads-usesOfLine || l.Offsets[0].Samples != usesOfLine || l.StoreHits != threads {
		t.Errorf("%d samples, %d of them in no place and %d at the first, %d hits; want %d, %d, %d, %d", l.Samples, l.Crowd, l.Offsets[0].Samples, l.StoreHits,
			threads, threads-usesOfLine, usesOfLine, threads)
	}
}

// TestCrowdOfStacks: without frame pointers nearly every sample has a stack of its own. Who shares the line is told all the same,
// and by how much; of functions and joules, as many as there is room for.
func TestCrowdOfStacks(t *testing.T) {
	const stacks = 2*callersOfLine + 100
	data := &pprofile.Profile{Columns: []pprofile.Column{{Domain: "dram"}}}
	table := New(Options{Events: loadsOnly})
	for i := range uint32(stacks) {
		data.Stacks = append(data.Stacks, stack("app", 100, fmt.Sprint("f", i%2), 1))
		s := at(0x1000+8*uint64(i%2), 101+i%2, i%2, uint64(i+1), dram|store)
		table.Add(&s, 0, int32(i))
	}
	r := table.Result(Recorded{Data: data})
	l := r.Lines[0]
	if l.Sharing != FalselyShared || l.meetings != stacks/2 || l.Crowd != 0 || l.Samples != stacks || l.WrittenOn != "0-1" ||
		len(l.Offsets) != 2 || l.Offsets[1].Samples != stacks/2 || !slices.Equal(l.Offsets[1].Functions, []string{"f1"}) {
		t.Errorf("the line is %+v", l)
	}
	kept := *l.Joules
	if kept < callersOfLine/2 || kept > callersOfLine || *l.Offsets[0].Joules+*l.Offsets[1].Joules != kept || *r.OtherLines.Joules != stacks-kept {
		t.Errorf("%v J are of the line, %v and %v of its places and %v of others", kept, *l.Offsets[0].Joules, *l.Offsets[1].Joules, *r.OtherLines.Joules)
	}
	if !slices.ContainsFunc(r.Notes, func(n string) bool {
		return strings.HasPrefix(n, fmt.Sprint(10*(stacks-int(kept)), " accesses of cache lines"))
	}) {
		t.Errorf("the notes are %q", r.Notes)
	}
	// A stack that comes late and often is kept, whatever comes after it.
	data.Stacks = append(data.Stacks, stack("app", 100, "late", 1))
	for i := range int32(stacks + 200) {
		s := at(0x1000, 101, 0, stacks, dram)
		table.Add(&s, 0, max(stacks-i, 0))
		table.Add(&s, 0, stacks)
	}
	if got := table.Result(Recorded{Data: data}).Lines[0].Offsets[0].Functions; got[0] != "late" {
		t.Errorf("the functions are %q, want the one of the stack that came most often first", got)
	}
}

// TestBreakpointsShare: breakpoints on the writes to two variables tell that they share a line.
func TestBreakpointsShare(t *testing.T) {
	table := New(Options{Events: []Event{{Name: "mem:0x1000/8:w", Writes: true}, {Name: "mem:0x1008/8:w", Writes: true}, {Name: "mem:0x1010/8:rw"}}})
	for i := range uint32(3) {
		s := perfring.Sample{PID: 100, TID: 101 + i, CPU: i, Addr: 0x1000 + 8*uint64(i), Period: 1}
		table.Add(&s, int(i), 0)
	}
	row := table.Result(Recorded{Data: &pprofile.Profile{Stacks: stacksNamed("f")}}).Lines[0]
	if row.Sharing != FalselyShared || row.WrittenOn != "0-1" || row.ReadOn != "" || row.CPUs != "0-2" || row.Stores != 0 ||
		row.Counts["mem:0x1008/8:w"] != 1 || row.Offsets[1].WrittenOn != "1" || row.Offsets[2].WrittenOn != "" {
		t.Errorf("the line is %+v", row)
	}
}
