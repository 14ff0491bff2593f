package symbol

import (
	"bytes"
	"debug/elf"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// need skips where a tool is missing; in CI it must be there.
func need(t testing.TB, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("CI lacks %s: %v", tool, err)
			}
			t.Skipf("needs %s: %v", tool, err)
		}
	}
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: other users' processes and mount namespaces")
	}
}

// run executes a command and gives its output.
func run(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, stderr.Bytes())
	}
	return string(out)
}

func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// mapped is the mapping of a file that no process has: identity by inode.
func mapped(t testing.TB, path string) Mapping {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return Mapping{File: path, Inode: st.Ino, Major: unix.Major(uint64(st.Dev)), Minor: unix.Minor(uint64(st.Dev))}
}

func open(t testing.TB, path string) *Binary {
	t.Helper()
	r := New(Options{})
	t.Cleanup(func() { r.Close() })
	b, err := r.Open(mapped(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// textOffsets picks n file offsets in .text, with their addresses.
func textOffsets(t testing.TB, path string, n int) (offs, vaddrs []uint64) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text := f.Section(".text")
	rng := rand.New(rand.NewPCG(1, 2))
	for range n {
		at := rng.Uint64N(text.Size)
		offs = append(offs, text.Offset+at)
		vaddrs = append(vaddrs, text.Addr+at)
	}
	return offs, vaddrs
}

// offsetOf is the file offset of a symbol.
func offsetOf(t testing.TB, path, name string) uint64 {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	syms, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range syms {
		if s.Name == name && int(s.Section) < len(f.Sections) {
			sec := f.Sections[s.Section]
			return s.Value - sec.Addr + sec.Offset
		}
	}
	t.Fatalf("%s: no symbol %s", path, name)
	return 0
}

// one resolves one offset to its one frame.
func one(t testing.TB, b *Binary, off uint64) Frame {
	t.Helper()
	frames := b.Resolve([]uint64{off})[0]
	if len(frames) != 1 {
		t.Fatalf("%s+%#x: frames %v, want one (%v)", b.Path, off, frames, b.Err())
	}
	return frames[0]
}
