package symbol

import (
	"os"
	"path/filepath"
	"testing"
)

// TestSplit: of split debug information that is gone, or of another compilation, there are functions and lines.
func TestSplit(t *testing.T) {
	need(t, "gcc", "nm")
	dir := t.TempDir()
	src := write(t, filepath.Join(dir, "outer.c"), inlinedSource)
	write(t, filepath.Join(dir, "hot.h"), "static volatile int g;\nstatic inline __attribute__((always_inline)) int hot(int x) { return g += 3 * x; }\n")
	build := func(name string, flags ...string) string {
		bin := filepath.Join(dir, name)
		run(t, append([]string{"env", "-C", dir, "gcc", "-g", "-gsplit-dwarf", "-O2", "-no-pie", "-o", bin, src}, flags...)...)
		return bin
	}
	bin := build("prog")
	split, err := filepath.Glob(filepath.Join(dir, "prog*.dwo"))
	if err != nil || len(split) != 1 {
		t.Fatalf("files %v, %v; want one of split information", split, err)
	}
	at := offsetOf(t, bin, "outer_at_once")
	calls := func() (n int) {
		t.Helper()
		b := open(t, bin)
		for _, frames := range b.Resolve([]uint64{at, at + 1, at + 2, at + 3, at + 4, at + 5, at + 6}) {
			if len(frames) == 0 || frames[len(frames)-1].Function != "outer_at_once" || frames[len(frames)-1].File != src {
				t.Fatalf("frames %+v, want outer_at_once of %s", frames, src)
			}
			if len(frames) == 2 && frames[0].Function == "hot" {
				n++
			}
		}
		if err := b.Err(); err != nil {
			t.Error(err)
		}
		return n
	}
	if calls() == 0 {
		t.Error("no call of hot with the split information there")
	}
	build("other", "-DOTHER", "-O1")
	others, err := filepath.Glob(filepath.Join(dir, "other*.dwo"))
	if err != nil || len(others) != 1 {
		t.Fatalf("files %v, %v; want one of split information", others, err)
	}
	if err := os.Rename(others[0], split[0]); err != nil {
		t.Fatal(err)
	}
	if n := calls(); n != 0 {
		t.Errorf("%d calls of hot from another compilation's information", n)
	}
	if err := os.Remove(split[0]); err != nil {
		t.Fatal(err)
	}
	if n := calls(); n != 0 {
		t.Errorf("%d calls of hot without the split information", n)
	}
}
