package symbol

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// jitted sets up a captured /proc with process 70, which knows itself as 7.
func jitted(t *testing.T) (opt Options, inner, outer string) {
	t.Helper()
	dir := t.TempDir()
	opt = Options{Proc: filepath.Join(dir, "proc"), Root: filepath.Join(dir, "host")}
	write(t, filepath.Join(opt.Proc, "70/status"), "Name:\tjava\nNSpid:\t70\t7\n")
	inner = filepath.Join(opt.Proc, "70/root/tmp/perf-7.map")
	outer = filepath.Join(opt.Root, "tmp/perf-70.map")
	for _, p := range []string{inner, outer} {
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return opt, inner, outer
}

const perfMapText = "7f0000001000 80 LazyCompile:~a file.js:1\n0x7f0000002000 0x10 b\nnot an entry\n7f0000001040 10 newer\n7f0000003000 1"

func TestPerfMap(t *testing.T) {
	uid := uint32(os.Geteuid())
	for _, place := range []string{"inner", "outer"} {
		opt, inner, outer := jitted(t)
		write(t, map[string]string{"inner": inner, "outer": outer}[place], perfMapText)
		b, err := New(opt).PerfMap(70, uid)
		if err != nil {
			t.Fatalf("%s: %v", place, err)
		}
		addrs := []uint64{0x7f0000001000, 0x7f000000103f, 0x7f0000001040, 0x7f0000001050, 0x7f0000001080, 0x7f000000200f, 0x7f0000003000}
		want := []string{"LazyCompile:~a file.js:1", "LazyCompile:~a file.js:1", "newer", "LazyCompile:~a file.js:1", "", "b", ""}
		for i, frames := range b.Resolve(addrs) {
			got := ""
			if len(frames) > 0 {
				got = frames[0].Function
			}
			if got != want[i] {
				t.Errorf("%s: %#x: %q, want %q", place, addrs[i], got, want[i])
			}
		}
		// The last line is being written and is no mistake.
		if err := b.Err(); err == nil || !strings.Contains(err.Error(), "1 lines are no entries, the first is line 3") {
			t.Errorf("%s: Err() = %v", place, err)
		}
	}
}

func TestPerfMapRefused(t *testing.T) {
	uid := uint32(os.Geteuid())
	for _, tt := range []struct {
		name string
		make func(t *testing.T, path string)
		uid  uint32
		want error
	}{
		{"absent", func(*testing.T, string) {}, uid, fs.ErrNotExist},
		{"of another user", func(t *testing.T, path string) { write(t, path, "1000 10 x\n") }, uid + 1, ErrOwner},
		{"symbolic link", func(t *testing.T, path string) {
			if err := os.Symlink(write(t, filepath.Join(t.TempDir(), "x"), "1000 10 x\n"), path); err != nil {
				t.Fatal(err)
			}
		}, uid, ErrNoFile},
		{"fifo", func(t *testing.T, path string) {
			if err := unix.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
		}, uid, ErrNoFile},
		{"directory", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, uid, ErrNoFile},
	} {
		opt, inner, _ := jitted(t)
		tt.make(t, inner)
		if _, err := New(opt).PerfMap(70, tt.uid); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestPerfMapTail: of a map beyond the limit the end counts, and it is said.
func TestPerfMapTail(t *testing.T) {
	opt, inner, _ := jitted(t)
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "%x 10 function_%d\n", 0x1000+i*16, i)
	}
	write(t, inner, text.String())
	opt.Limits.PerfMapBytes = 4 << 10
	b, err := New(opt).PerfMap(70, uint32(os.Geteuid()))
	if err != nil {
		t.Fatal(err)
	}
	if got := one(t, b, 0x1000+999*16+3).Function; got != "function_999" {
		t.Errorf("last function: %q", got)
	}
	if !errors.Is(b.Err(), ErrLimit) {
		t.Errorf("Err() = %v, want %v", b.Err(), ErrLimit)
	}
}

// TestPerfMapNewest: reused memory written a million times stays fast.
func TestPerfMapNewest(t *testing.T) {
	var text strings.Builder
	for i := range 200000 {
		fmt.Fprintf(&text, "%x %x f%d\n", 0x1000+(i%50)*8, 0x1000-(i%7), i)
	}
	start := time.Now()
	tab, err := parsePerfMap([]byte(text.String()), DefaultSymbols)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d pieces in %v", len(tab.symbols), time.Since(start))
	if i, ok := tab.find(0x1000 + 49*8); !ok || tab.name(i) != "f199999" {
		t.Errorf("not the newest: %v %v", i, ok)
	}
}
