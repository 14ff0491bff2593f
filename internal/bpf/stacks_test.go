package bpf

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/energyprof/energyprof/internal/unwind"
	"pgregory.net/rapid"
)

// unloaded are tables that no program reads.
func unloaded() *Stacks {
	return &Stacks{tables: new(stacksTables), rows: make([]unwind.Row, maxRows), spaces: map[SpaceKey]list{}}
}

// spaceOf is what the program finds of a process.
func (s *Stacks) spaceOf(key SpaceKey) []StackMapping {
	own := hash(key.MM ^ uint64(key.TGID)<<32 ^ uint64(key.Exec))
	for i := range probes {
		e := &s.tables.Space[(own+i)&(len(s.tables.Space)-1)]
		if e.Mm == 0 {
			return nil
		}
		if e.Mm != key.MM || e.Tgid != key.TGID || e.Exec != key.Exec {
			continue
		}
		out := make([]StackMapping, 0)
		for _, m := range s.tables.Mapping[e.List>>16&0xffff:][:e.List&0xffff] {
			out = append(out, StackMapping{m.Start, m.Limit, m.Bias, m.Module, Kind(m.Kind)})
		}
		return out
	}
	return nil
}

// rowsOf is what the program finds of a chunk.
func (s *Stacks) rowsOf(module uint32, chunk uint64) unwind.Chunk {
	slot, there := s.chunkSlot(1 + (uint64(module)<<32 | chunk))
	if !there {
		return nil
	}
	where := s.tables.Chunk[slot].Where
	return s.rows[where>>32:][:uint32(where)]
}

// Whatever is set and dropped, the program finds the mappings that were set last, or none: of all processes as long as nothing had to be
// forgotten, and always of the one set last.
func TestSpaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := unloaded()
		want := map[SpaceKey][]StackMapping{}
		processes := rapid.IntRange(1, 40).Draw(t, "processes")
		largest := rapid.SampledFrom([]int{0, 30, 9000}).Draw(t, "largest")
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			key := SpaceKey{MM: 64 * uint64(rapid.IntRange(1, processes).Draw(t, "process")), TGID: 7}
			if rapid.IntRange(0, 5).Draw(t, "drop") == 0 {
				s.Drop(key)
				delete(want, key)
				continue
			}
			ms := make([]StackMapping, rapid.IntRange(0, largest).Draw(t, "mappings"))
			for j := range ms {
				at := uint64(j+1) << 12
				ms[j] = StackMapping{Start: at, Limit: at + 0x1000, Bias: uint64(i), Module: uint32(j), Kind: Kind(j % 3)}
			}
			if err := s.SetSpace(key, ms); err != nil {
				t.Fatal(err)
			}
			want[key] = ms
			if got := s.spaceOf(key); !slices.Equal(got, ms) {
				t.Fatalf("%d mappings of %+v, want %d", len(got), key, len(ms))
			}
		}
		forgotten := s.forgotten.spaces
		missing := 0
		for key, ms := range want {
			got := s.spaceOf(key)
			if _, known := s.spaces[key]; !known {
				missing++
				ms = nil
			}
			if !slices.Equal(got, ms) {
				t.Fatalf("%d mappings of %+v, want %d", len(got), key, len(ms))
			}
		}
		if missing > forgotten || largest <= 30 && forgotten > 0 {
			t.Fatalf("%d of %d processes are missing, %d were forgotten", missing, len(want), forgotten)
		}
	})
}

// There is room for thousands of processes, and for new ones always.
func TestManySpaces(t *testing.T) {
	s := unloaded()
	key := func(i int) SpaceKey { return SpaceKey{MM: 0xffff_8881_0000_0000 + 1344*uint64(i), TGID: uint32(i)} }
	const n = 5000
	for i := range n {
		if err := s.SetSpace(key(i), []StackMapping{{Start: 1, Limit: 2, Bias: uint64(i)}}); err != nil {
			t.Fatal(err)
		}
		if got := s.spaceOf(key(i)); len(got) != 1 || got[0].Bias != uint64(i) {
			t.Fatalf("process %d has %+v", i, got)
		}
	}
	found := 0
	for i := range n {
		if len(s.spaceOf(key(i))) > 0 {
			found++
		}
	}
	if forgotten := s.forgotten.spaces; found+forgotten != n || found < 1000 {
		t.Errorf("%d of %d processes are known and %d forgotten; want 1000 and more", found, n, forgotten)
	}
}

// Processes that live are known, however many come and go.
func TestLastingSpaces(t *testing.T) {
	s := unloaded()
	key := func(i int) SpaceKey { return SpaceKey{MM: 0xffff_8881_0000_0000 + 1344*uint64(i), TGID: uint32(i)} }
	const lasting = 100
	for i := range 10_000 {
		if err := s.SetSpace(key(i), []StackMapping{{Start: 1, Limit: 2, Bias: uint64(i)}}); err != nil {
			t.Fatal(err)
		}
		if i >= lasting {
			s.Drop(key(i))
		}
	}
	for i := range lasting {
		if got := s.spaceOf(key(i)); len(got) != 1 || got[0].Bias != uint64(i) {
			t.Errorf("process %d has %+v", i, got)
		}
	}
}

// Of too many mappings those of files are told, and of the others those at the lowest addresses.
func TestFewestMappings(t *testing.T) {
	generated := func(at uint64) StackMapping { return StackMapping{Start: at, Limit: at + 1, Kind: FramePointers} }
	all := []StackMapping{{Start: 1, Limit: 2}, generated(3), generated(5), generated(7), {Start: 9, Limit: 10}}
	for most, want := range map[int][]StackMapping{5: all, 4: {all[0], all[1], all[2], all[4]}, 2: {all[0], all[4]}, 1: {all[0]}} {
		if got := fewest(slices.Clone(all), most); !slices.Equal(got, want) {
			t.Errorf("at most %d: %v, want %v", most, got, want)
		}
	}
}

func TestSortedMappings(t *testing.T) {
	got := sorted([]StackMapping{{Start: 30, Limit: 40}, {Start: 10, Limit: 35, Bias: 1}, {Start: 5, Limit: 5}})
	if want := []StackMapping{{Start: 10, Limit: 30, Bias: 1}, {Start: 30, Limit: 40}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Chunks are found with their rows. When no more fit all are forgotten and the next one is there, but not at once after that has been done.
func TestChunks(t *testing.T) { synctest.Test(t, testChunks) }

func testChunks(t *testing.T) {
	s := unloaded()
	if err := s.SetRules(unwind.NewRules().List()); err != nil {
		t.Fatal(err)
	}
	chunk := func(i int) unwind.Chunk {
		rows := make(unwind.Chunk, 1+i*7919%60_000)
		for j := range rows {
			rows[j] = unwind.Row{At: uint16(j), Rule: uint16((i + j) % 3)}
		}
		return rows
	}
	since, refused := 0, 0
	for i := range 100 {
		before := s.forgotten.chunks
		if err := s.Load(uint32(i), 5, chunk(i)); err != nil {
			t.Fatal(err)
		}
		if s.forgotten.chunks != before {
			since = i
		} else if since > 0 && s.rowsOf(uint32(i), 5) == nil {
			time.Sleep(forgetEvery) // of the clock of this test
			if err := s.Load(uint32(i), 5, chunk(i)); err != nil || s.forgotten.chunks != before+1 {
				t.Fatalf("chunk %d did not make room for itself: %v", i, err)
			}
			since, refused = i, refused+1
		}
		for j := since; j <= i; j++ {
			if !slices.Equal(s.rowsOf(uint32(j), 5), chunk(j)) {
				t.Fatalf("after chunk %d: chunk %d has other rows than were loaded", i, j)
			}
		}
		if since > 0 && s.rowsOf(uint32(since-1), 5) != nil {
			t.Fatalf("chunk %d has rows that were forgotten", since-1)
		}
	}
	if refused < 2 {
		t.Errorf("of 100 chunks of 30000 rows %d were too many at once, want some", refused)
	}
	if err := s.Load(1, 6, nil); err != nil || len(s.rowsOf(1, 6)) != 1 {
		t.Errorf("a chunk without rows: %v, %d rows; want one, of no rule", err, len(s.rowsOf(1, 6)))
	}
	for name, bad := range map[string]unwind.Chunk{"a rule that is not known": {{Rule: 3}}, "no row at 0": {{At: 4}}} {
		if err := s.Load(1, 7, bad); err == nil {
			t.Error(fmt.Sprint(name, " was taken"))
		}
	}
	if err := s.SetRules(nil); err == nil {
		t.Error("fewer rules than before were taken")
	}
}
