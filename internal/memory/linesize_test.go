package memory

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/energyprof/energyprof/report/pprofile"
)

// TestLineSize: what is a size of lines, and that lines are of it.
func TestLineSize(t *testing.T) {
	for text, want := range map[string]int{"64\n": 64, "128\n": 128, "": 0, "0\n": 0, "96\n": 0, "-64\n": 0, "1048576\n": 0, "many\n": 0} {
		sys := t.TempDir()
		dir := filepath.Join(sys, "devices/system/cpu/cpu0/cache/index0")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "coherency_line_size"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := LineSize(sys); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	if got := LineSize(t.TempDir()); got != 0 {
		t.Errorf("nothing is told: %d", got)
	}
	table := New(Options{Events: loadsOnly, Line: 128})
	for _, addr := range []uint64{0x1000, 0x1047, 0x1080} {
		s := at(addr, 1, 0, 1, load)
		table.Add(&s, 0, 0)
	}
	r := table.Result(Recorded{Data: &pprofile.Profile{Stacks: stacksNamed("f")}})
	if len(r.Lines) != 2 || r.Lines[0].Address != "0x1000" || r.Lines[0].Offsets[1].Offset != 0x47 {
		t.Errorf("lines of 128 bytes are %+v", r.Lines)
	}
}
