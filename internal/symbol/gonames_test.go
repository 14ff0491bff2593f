package symbol

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const strippedGo = `package main

import "os"

func inner(n int) int { return n*n + len(os.Args) } // line 5

func middle(n int) int {
	return inner(n) + 1 // line 8
}

//go:noinline
func outer(n int) int {
	return middle(n) * 3 // line 13
}

func main() { os.Exit(outer(len(os.Args)) & 1) }
`

// TestStrippedGo: a Go program without symbols has the names of its functions,
// those that were inlined with the lines of their calls.
func TestStrippedGo(t *testing.T) {
	need(t, "go")
	for _, flags := range [][]string{{"-ldflags=-s -w"}, {"-ldflags=-s -w", "-buildmode=pie"}} {
		dir := t.TempDir()
		source, bin := write(t, filepath.Join(dir, "main.go"), strippedGo), filepath.Join(dir, "program")
		cmd := exec.Command("go", append(append([]string{"build", "-trimpath", "-o", bin}, flags...), source)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
		b := open(t, bin)
		table, err := b.GoTable()
		if err != nil || table == nil {
			t.Fatalf("%v: table %v (%v), want that of a Go program", flags, table, err)
		}
		var got []Frame
		for f, err := range table.Functions(0, ^uint64(0)) {
			if err != nil {
				t.Fatal(err)
			}
			if name, err := table.Name(f); err != nil || name != "main.outer" {
				continue
			}
			for v := f.Entry; v < f.End && len(got) < 3; v++ {
				got = b.Resolve([]uint64{fileOffset(t, b, v)})[0]
			}
		}
		if b.Err() != nil {
			t.Fatal(b.Err())
		}
		want := []Frame{
			{"main.inner", "main.inner", "main.go", 5, 5},
			{"main.middle", "main.middle", "main.go", 8, 7},
			{"main.outer", "main.outer", "main.go", 13, 12},
		}
		if len(got) != len(want) {
			t.Fatalf("%v: %+v, want %+v", flags, got, want)
		}
		for i := range got {
			got[i].File = got[i].File[strings.LastIndexByte(got[i].File, '/')+1:]
			if got[i] != want[i] {
				t.Errorf("%v: frame %d is %+v, want %+v", flags, i, got[i], want[i])
			}
		}
	}
}

// fileOffset is where the byte at an address is in the file.
func fileOffset(t *testing.T, b *Binary, vaddr uint64) uint64 {
	t.Helper()
	s := b.image.loadedAt(vaddr)
	if s == nil {
		t.Fatalf("%#x is in no segment", vaddr)
	}
	return vaddr - s.vaddr + s.off
}
