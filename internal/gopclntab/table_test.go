package gopclntab

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// runs draws a table of values that covers length.
func runs(t *rapid.T, length uint64, least, most int32) []run {
	var out []run
	last := int32(-1)
	for left := uint32(length); left > 0; {
		n := rapid.Uint32Range(1, left).Draw(t, "length")
		v := rapid.Int32Range(least, most).Filter(func(v int32) bool { return v != last || len(out) == 0 }).Draw(t, "value")
		out, left, last = append(out, run{n, v}), left-n, v
	}
	return out
}

func at(runs []run, quantum, off uint64) int32 {
	for _, r := range runs {
		if n := uint64(r.length) * quantum; off < n {
			return r.value
		} else {
			off -= n
		}
	}
	return -1
}

// TestRoundTrip: what a table of any version was written from is what is read.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		how := linked{
			version:   rapid.SampledFrom([]version{go116, go118, go120}).Draw(t, "version"),
			quantum:   rapid.SampledFrom([]uint64{1, 4}).Draw(t, "quantum"),
			moved:     rapid.Bool().Draw(t, "moved"),
			fileNames: []string{"/src/a.go", "/src/b.go"},
		}
		var funcs []written
		for i := range rapid.IntRange(1, 300).Draw(t, "functions") {
			f := written{
				name:   fmt.Sprintf("main.f%d[...]", i),
				length: rapid.Uint64Range(1, 40).Draw(t, "length"),
				flags:  Flags(rapid.ByteRange(0, 7).Draw(t, "flags")),
				start:  int32(i),
			}
			f.depths = runs(t, f.length, 0, 1<<20)
			f.files = runs(t, f.length, 1, 2)
			f.lines = runs(t, f.length, 1, 1<<20)
			// Calls are inlined into earlier ones, or the function: from a place that belongs to it.
			n := rapid.IntRange(0, 3).Draw(t, "calls")
			if n > 0 && f.length > uint64(n) {
				f.index = []run{{1, -1}}
				for k := range n {
					f.calls = append(f.calls, writtenCall{fmt.Sprintf("main.inlined%d.%d", i, k), int32(100 + k), int32(uint64(k) * how.quantum)})
					f.index = append(f.index, run{1, int32(k)})
				}
			}
			funcs = append(funcs, f)
		}
		tab := mustOpen(writeProgram(how, funcs))
		got, err := collect(tab.Functions(0, ^uint64(0)))
		if err != nil || len(got) != len(funcs) {
			t.Fatalf("%d functions (%v), want %d", len(got), err, len(funcs))
		}
		entry := uint64(textAt)
		for i, w := range funcs {
			f := got[i]
			if f.Entry != entry || f.End != entry+w.length*how.quantum || f.Flags != w.flags {
				t.Fatalf("function %d: %+v, want it at %#x with %+v", i, f, entry, w)
			}
			if i == len(funcs)/2 {
				some, err := collect(tab.Functions(f.End-1, f.End+1))
				if want := got[i:min(i+2, len(got))]; err != nil || !slices.Equal(some, want) {
					t.Fatalf("around %#x: %+v (%v), want %+v", f.End, some, err, want)
				}
			}
			depths, err := collect(tab.Depths(f))
			if err != nil || len(depths) != len(w.depths) {
				t.Fatalf("%s: depths %v (%v), want %v", w.name, depths, err, w.depths)
			}
			for k, d := range w.depths {
				if depths[k].Value != d.value || depths[k].Limit-depths[k].Start != uint64(d.length)*how.quantum {
					t.Fatalf("%s: depths %v, want %v", w.name, depths, w.depths)
				}
			}
			for off := uint64(0); off < w.length*how.quantum; off += how.quantum {
				want := frames(how, w, off)
				if have, err := tab.Frames(entry + off); err != nil || !reflect.DeepEqual(have, want) {
					t.Fatalf("%s+%#x: %+v (%v), want %+v", w.name, off, have, err, want)
				}
			}
			entry = f.End
		}
		for _, outside := range []uint64{textAt - 1, entry} {
			if f, ok, err := tab.Find(outside); ok || err != nil {
				t.Fatalf("%#x is in %+v (%v), want no function", outside, f, err)
			}
		}
	})
}

// frames is what Frames should say.
func frames(how linked, w written, off uint64) (out []Frame) {
	for {
		f := Frame{Function: w.name, StartLine: int(w.start), File: how.fileNames[at(w.files, how.quantum, off)-1], Line: int(at(w.lines, how.quantum, off))}
		call := int32(-1)
		if w.index != nil {
			call = at(w.index, how.quantum, off)
		}
		if call >= 0 {
			f.Function, f.StartLine = w.calls[call].name, int(w.calls[call].start)
		}
		if how.version < go120 {
			f.StartLine = 0
		}
		out = append(out, f)
		if call < 0 {
			return out
		}
		off = uint64(w.calls[call].caller)
	}
}

// one is a small table.
func one() (linked, []written) {
	return linked{version: go120, quantum: 1, fileNames: []string{"a.go"}}, []written{{
		name: "main.main", length: 16,
		depths: []run{{4, 0}, {8, 64}}, files: []run{{16, 1}}, lines: []run{{16, 7}},
		index: []run{{8, -1}, {8, 0}}, calls: []writtenCall{{"main.small", 3, 2}},
	}}
}

// TestHeaderStart: without module data the header tells where the code starts, as
// it did up to Go 1.25; nothing is guessed.
func TestHeaderStart(t *testing.T) {
	how, funcs := one()
	how.noModule, how.textStart = true, textAt
	got, err := mustOpen(writeProgram(how, funcs)).Frames(textAt + 9)
	// Where the inlined calls are is not known.
	if want := []Frame{{"main.main", "a.go", 7, 0}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v (%v), want %+v", got, err, want)
	}
	how.textStart = 0
	if _, err := Open(writeProgram(how, funcs)); !errors.Is(err, ErrFormat) {
		t.Errorf("%v, want %v: where the code starts is not known", err, ErrFormat)
	}
}

// TestDamaged: what is wrong with a table is said, and nothing is made up.
func TestDamaged(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(how *linked, f *written, p *Program)
		want   error
	}{
		{"cut short", func(_ *linked, _ *written, p *Program) { p.Table.Limit -= 0x80 }, ErrFormat},
		{"empty", func(_ *linked, _ *written, p *Program) { p.Table.Limit = p.Table.Start }, ErrFormat},
		{"backwards", func(_ *linked, _ *written, p *Program) { p.Table.Limit = p.Table.Start - 1 }, ErrFormat},
		{"magic", func(_ *linked, _ *written, p *Program) { p.Memory.(memory)[tableAt][0]++ }, ErrFormat},
		{"pointers of 4 bytes", func(_ *linked, _ *written, p *Program) { p.Memory.(memory)[tableAt][7] = 4 }, ErrFormat},
		{"too many functions", func(_ *linked, _ *written, p *Program) { p.Memory.(memory)[tableAt][15] = 1 }, ErrLimit},
		{"more functions than bytes", func(_ *linked, _ *written, p *Program) { p.Memory.(memory)[tableAt][9] = 1 }, ErrFormat},
		{"a disk that fails", func(_ *linked, _ *written, p *Program) { p.Memory = broken{} }, errBroken},
		{"values beyond the function", func(_ *linked, f *written, _ *Program) { f.lines = []run{{17, 7}} }, ErrFormat},
		{"values for no instruction", func(_ *linked, f *written, _ *Program) { f.lines = []run{{4, 7}, {0, 8}} }, ErrFormat},
		{"a call outside of its function", func(_ *linked, f *written, _ *Program) { f.calls[0].caller = 16 }, ErrFormat},
		{"a call inlined into itself", func(_ *linked, f *written, _ *Program) { f.calls[0].caller = 9 }, ErrLimit},
		{"a call that the tree lacks", func(_ *linked, f *written, _ *Program) { f.index[1].value = 1000 }, ErrFormat},
	} {
		how, funcs := one()
		p := writeProgram(how, funcs)
		tt.damage(&how, &funcs[0], &p)
		_, err := Open(p)
		if err == nil {
			_, err = mustOpen(writeProgram(how, funcs)).Frames(textAt + 9)
		}
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestWork: a table all of whose lookups are slow comes to an end, whatever takes the time.
func TestWork(t *testing.T) {
	how, funcs := one()
	all := mustOpen(writeProgram(how, funcs))
	if _, err := all.Frames(textAt + 9); err != nil {
		t.Fatal(err)
	}
	used := maxWork - all.work
	all.work = 0
	for range 10 {
		if _, err := all.Frames(textAt + 9); err != nil {
			t.Fatalf("when a long time has used up all work: %v", err)
		}
	}
	if least := functionWork + len("main.main") + len("main.small") + 2*len("a.go"); used < least {
		t.Errorf("frames took %d, expected %d for what was read besides values", used, least)
	}
	for left := range used {
		tab := mustOpen(writeProgram(how, funcs))
		tab.work = left - lookupWork
		if _, err := tab.Frames(textAt + 9); !errors.Is(err, ErrLimit) {
			t.Errorf("with %d of %d: %v, expected %v", left, used, err, ErrLimit)
		}
	}
}

// TestEmptyFunctions: those without code are no reason to go on for ever.
func TestEmptyFunctions(t *testing.T) {
	how, funcs := one()
	for range 100 {
		funcs = append(funcs, written{name: "main.empty"})
	}
	tab := mustOpen(writeProgram(how, funcs))
	got, err := collect(tab.Functions(textAt, textAt+32))
	if !errors.Is(err, ErrLimit) || len(got) > 33 {
		t.Errorf("%d functions in 32 bytes (%v), expected %v after 33", len(got), err, ErrLimit)
	}
}
