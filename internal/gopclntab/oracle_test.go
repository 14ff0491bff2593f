package gopclntab

import (
	"debug/elf"
	"debug/gosym"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/go-delve/delve/pkg/dwarf/frame"
)

// segments is the memory of an ELF file.
type segments struct{ f *elf.File }

func (s segments) ReadAt(p []byte, addr int64) (int, error) {
	for _, seg := range s.f.Progs {
		if at := uint64(addr) - seg.Vaddr; seg.Type == elf.PT_LOAD && uint64(addr) >= seg.Vaddr && at < seg.Filesz {
			return seg.ReadAt(p, int64(at))
		}
	}
	return 0, io.EOF
}

func openFile(t testing.TB, path string) (*Table, *elf.File) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	ranges := func(names ...string) (out []Range) {
		for _, name := range names {
			if s := f.Section(name); s != nil {
				out = append(out, Range{s.Addr, s.Addr + s.Size})
			}
		}
		return out
	}
	tab, err := Open(Program{
		Memory:      segments{f},
		Table:       ranges(".gopclntab")[0],
		Module:      ranges(".go.module", ".noptrdata", ".data", ".data.rel.ro"),
		Relocations: ranges(".rela.dyn", ".rela"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return tab, f
}

// TestRuntime: the runtime names addresses of this program as the table does. It
// tells the innermost function alone, of return addresses.
func TestRuntime(t *testing.T) {
	t.Parallel()
	tab, text := openSelf(t)
	rng := rand.New(rand.NewPCG(1, 2))
	compared := 0
	for range 20000 {
		addr := text.Start + rng.Uint64N(text.size())
		got, err := tab.Frames(addr)
		if err != nil {
			t.Fatalf("%#x: %v", addr, err)
		}
		want := runtimeFrame(addr)
		// It has none for wrappers and padding.
		if want.Function == "" || len(got) == 0 || got[0].Line == 0 {
			continue
		}
		got[0].StartLine = 0
		// It shortens the types of instances.
		if open, end := strings.IndexByte(got[0].Function, '['), strings.LastIndexByte(got[0].Function, ']'); open > 0 && end > open {
			got[0].Function = got[0].Function[:open] + "[...]" + got[0].Function[end+1:]
		}
		if compared++; got[0] != want {
			t.Fatalf("%#x: %+v, want %+v", addr, got[0], want)
		}
	}
	if compared < 10000 {
		t.Errorf("%d of 20000 addresses compared, want most", compared)
	}
}

// TestRuntimeInlined: in a stack, the runtime gives a return address to each
// function that was inlined into its caller, too.
func TestRuntimeInlined(t *testing.T) {
	tab, _ := openSelf(t)
	pcs := inlinedOuter()
	got, err := tab.Frames(uint64(pcs[1] - 1))
	if err != nil || len(got) != 3 {
		t.Fatalf("%+v (%v), want three frames", got, err)
	}
	for i, f := range got {
		f.StartLine = 0
		if want := runtimeFrame(uint64(pcs[1+i] - 1)); f != want {
			t.Errorf("frame %d: %+v, want %+v", i, f, want)
		}
	}
}

//go:noinline
func inlinedOuter() []uintptr { return inlinedMiddle() }

func inlinedMiddle() []uintptr { return inlinedInner() }

func inlinedInner() []uintptr { return callers() }

//go:noinline
func callers() []uintptr {
	pcs := make([]uintptr, 8)
	return pcs[:runtime.Callers(1, pcs)]
}

// runtimeFrame has no StartLine: the runtime keeps it to itself.
func runtimeFrame(addr uint64) Frame {
	f, _ := runtime.CallersFrames([]uintptr{uintptr(addr + 1)}).Next()
	return Frame{Function: f.Function, File: f.File, Line: f.Line}
}

func openSelf(t *testing.T) (*Table, Range) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tab, f := openFile(t, self)
	if f.Type != elf.ET_EXEC {
		t.Skip("this program is loaded where the linker did not put it: built with -buildmode=pie or -race?")
	}
	text := f.Section(".text")
	return tab, Range{text.Addr, text.Addr + text.Size}
}

// programs are those that TestPrograms links in several ways.
var programs = map[string]string{
	"plain": `package main
import "fmt"
func main() { fmt.Println("x") }
`,
	"cgo": `package main
// int more(int x) { return x + 1; }
import "C"
import "fmt"
func main() { fmt.Println(C.more(1)) }
`}

// TestPrograms: stripped programs of all ways of linking have the functions that
// debug/gosym finds, and the depths of the stack that .debug_frame tells.
func TestPrograms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		program string
		flags   []string
		tools   []string
	}{
		{"plain", nil, nil},
		{"plain", []string{"-buildmode=pie"}, nil},
		{"cgo", nil, []string{"gcc"}},
		{"cgo", []string{"-buildmode=pie"}, []string{"gcc"}},
	} {
		name := tt.program
		if tt.flags != nil {
			name += "-pie"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, tool := range append(tt.tools, "go") {
				if _, err := exec.LookPath(tool); err != nil {
					if os.Getenv("CI") == "true" {
						t.Fatalf("CI lacks %s: %v", tool, err)
					}
					t.Skipf("needs %s: %v", tool, err)
				}
			}
			dir := t.TempDir()
			source := filepath.Join(dir, "main.go")
			if err := os.WriteFile(source, []byte(programs[tt.program]), 0o644); err != nil {
				t.Fatal(err)
			}
			build := func(ld string) string {
				out := filepath.Join(dir, "program"+ld)
				args := append(append([]string{"build", "-o", out, "-ldflags=" + ld}, tt.flags...), source)
				cmd := exec.Command("go", args...)
				cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "GOFLAGS=")
				if b, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("go %v: %v\n%s", args, err, b)
				}
				return out
			}
			stripped, _ := openFile(t, build("-s"))
			tab, f := openFile(t, build(""))
			compareFunctions(t, tab, f, stripped)
			compareDepths(t, tab, f)
		})
	}
}

func compareFunctions(t *testing.T, tab *Table, f *elf.File, stripped *Table) {
	data, err := f.Section(".gopclntab").Data()
	if err != nil {
		t.Fatal(err)
	}
	syms, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	text := slices.IndexFunc(syms, func(s elf.Symbol) bool { return s.Name == "runtime.text" })
	want, err := gosym.NewTable(nil, gosym.NewLineTable(data, syms[text].Value))
	if err != nil {
		t.Fatal(err)
	}
	got, err := collect(tab.Functions(0, ^uint64(0)))
	if err != nil || len(got) != len(want.Funcs) || len(got) < 1000 {
		t.Fatalf("%d functions (%v), want %d", len(got), err, len(want.Funcs))
	}
	bare, err := collect(stripped.Functions(0, ^uint64(0)))
	if err != nil || len(bare) != len(got) {
		t.Fatalf("%d functions when stripped (%v), want %d", len(bare), err, len(got))
	}
	for i, w := range want.Funcs {
		g := got[i]
		name, err := tab.Name(g)
		if err != nil || name != w.Name || g.Entry != w.Entry || g.End != w.End {
			t.Fatalf("%s %#x-%#x (%v), want %s %#x-%#x", name, g.Entry, g.End, err, w.Name, w.Entry, w.End)
		}
		if bareName, err := stripped.Name(bare[i]); err != nil || bareName != name {
			t.Fatalf("%s when stripped (%v), want %s", bareName, err, name)
		}
		addr := (g.Entry + g.End) / 2
		frames, err := tab.Frames(addr)
		if err != nil {
			t.Fatal(err)
		}
		file, line, _ := want.PCToLine(addr)
		line = max(line, 0) // -1: nothing of the address
		if frames[0].File != file || frames[0].Line != line {
			t.Fatalf("%s+%#x: %s:%d, want %s:%d", name, addr-g.Entry, frames[0].File, frames[0].Line, file, line)
		}
	}
}

// compareDepths compares with the canonical frame addresses of .debug_frame, which
// the linker writes from the same table, for all but padding.
func compareDepths(t *testing.T, tab *Table, f *elf.File) {
	d, err := f.DWARF()
	if err != nil || d == nil {
		t.Fatal(err)
	}
	section := f.Section(".debug_frame")
	if section == nil {
		section = f.Section(".zdebug_frame")
	}
	data, err := section.Data()
	if err != nil {
		t.Fatal(err)
	}
	fdes, err := frame.Parse(data, f.ByteOrder, 0, 8, 0)
	if err != nil {
		t.Fatal(err)
	}
	pushed := int64(8) // the return address
	if f.Machine == elf.EM_AARCH64 {
		pushed = 0
	}
	compared := 0
	for fn, err := range tab.Functions(0, ^uint64(0)) {
		if err != nil {
			t.Fatal(err)
		}
		fde, err := fdes.FDEForPC(fn.Entry)
		if err != nil { // those that the linker made
			continue
		}
		for s, err := range tab.Depths(fn) {
			if err != nil {
				t.Fatal(err)
			}
			want, err := fde.EstablishFrame(s.Start)
			if err != nil {
				t.Fatal(err)
			}
			if want.CFA.Offset != int64(s.Value)+pushed {
				t.Fatalf("%#x: stack of %d bytes, .debug_frame has %d", s.Start, int64(s.Value)+pushed, want.CFA.Offset)
			}
			compared++
		}
	}
	if compared < 2000 {
		t.Errorf("%d depths compared, want those of the runtime at least", compared)
	}
}
