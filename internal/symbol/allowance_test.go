package symbol

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// alike builds a program with compressed debug information, and copies of it that are files of their own. at is where its function is.
func alike(t *testing.T) (bins [2]string, at uint64) {
	t.Helper()
	need(t, "gcc")
	dir := t.TempDir()
	source := write(t, filepath.Join(dir, "prog.c"), debugSource)
	first := filepath.Join(dir, "prog0")
	run(t, "gcc", "-g", "-gz", "-O1", "-Wl,--build-id=none", "-o", first, source)
	data, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	return [2]string{first, write(t, filepath.Join(dir, "prog1"), string(data))}, offsetOf(t, first, "hidden")
}

// TestTogether: what all binaries cost is bounded, too. The names of functions stay when lines have cost too much.
func TestTogether(t *testing.T) {
	bins, at := alike(t)
	resolve := func(r *Resolver, bin string) (Frame, *Binary) {
		b, err := r.Open(mapped(t, bin))
		if err != nil {
			t.Fatal(err)
		}
		if frames := b.Resolve([]uint64{at})[0]; len(frames) > 0 {
			return frames[0], b
		}
		return Frame{}, b
	}
	check := func(what, bin string, r *Resolver, name string, line int, want error) *Binary {
		t.Helper()
		f, b := resolve(r, bin)
		if f.Function != name || f.Line != line || !errors.Is(b.Err(), want) || (want == nil) != (b.Err() == nil) {
			t.Errorf("%s: %q line %d (%v), want %q line %d and %v", what, f.Function, f.Line, b.Err(), name, line, want)
		}
		return b
	}
	with := func(set func(*allowance)) *Resolver {
		r := New(Options{})
		t.Cleanup(func() { r.Close() })
		if set != nil {
			set(r.together)
		}
		return r
	}
	r := with(nil)
	check("alone", bins[0], r, "hidden", 2, nil)
	work := allWork*r.opt.Limits.DebugWork - r.together.work.Load()
	tables := allTables*r.opt.Limits.TableBytes - r.together.tables.Load()
	if work <= 0 || tables <= 0 || r.together.kept.Load() >= allKept*r.opt.Limits.Decompressed {
		t.Fatalf("work %d, tables %d, kept %d: want them to be counted", work, tables, r.together.kept.Load())
	}

	r = with(func(a *allowance) { a.work.Store(work + work/2) })
	check("the first of two", bins[0], r, "hidden", 2, nil)
	check("the second of two", bins[1], r, "hidden", 0, ErrLimit)

	r = with(func(a *allowance) { a.tables.Store(1) })
	check("symbols", bins[0], r, "hidden", 2, ErrLimit) // which debug information knows

	r = with(func(a *allowance) { a.kept.Store(0) })
	for range 2 {
		if b := check("nothing is kept", bins[0], r, "hidden", 2, nil); b.lines != nil || r.together.kept.Load() != 0 {
			t.Errorf("%v, %d: want debug information to be forgotten", b.lines, r.together.kept.Load())
		}
	}
}
