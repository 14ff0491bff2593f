package session

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/internal/symbol"
)

// lonely is a program that needs no library, spins for ever, and has some functions.
const lonely = `
volatile int sink;
__attribute__((noinline)) int inner(int n) { for (volatile int i = 0; i < n; i++) sink += i; return sink; }
__attribute__((noinline)) int outer(int n) { int a[100]; for (int i = 0; i < 100; i++) a[i] = inner(n + i); return a[inner(n) % 100 & 63]; }
__attribute__((noinline)) int more(int n) { int sum = 0; for (int i = 0; i < n; i++) sum += outer(i) * outer(i + 1); return sum + outer(n); }
void _start(void) { for (;;) sink = more(3); }
`

// build compiles the lonely program.
func build(t *testing.T, name string, flags ...string) string {
	t.Helper()
	cc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skipf("no gcc: %v", err)
	}
	source, program := filepath.Join(t.TempDir(), "lonely.c"), filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(source, []byte(lonely), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-O2", "-static", "-nostdlib", "-fasynchronous-unwind-tables", "-o", program}, flags...)
	if out, err := exec.Command(cc, append(args, source)...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return program
}

func TestChooseStacks(t *testing.T) {
	framed := build(t, "framed", "-fno-omit-frame-pointer")
	frameless := build(t, "frameless", "-fomit-frame-pointer")
	silent := build(t, "silent", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables")
	dir := t.TempDir()
	script := func(name, head string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(head+"\nexit\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	running := func(path string) []int {
		c := exec.Command(path)
		started(t, c)
		return []int{c.Process.Pid}
	}
	no := errors.New("no BPF in this test")
	for _, c := range []struct {
		name  string
		opt   Options
		noBPF error
		want  StackMethod
		why   string
	}{
		{"programs may be loaded", Options{Command: []string{framed}}, nil, StacksBPF, ""},
		{"frame pointers", Options{Command: []string{framed}}, no, StacksFP, "the 1 binaries"},
		{"no frame pointers", Options{Command: []string{frameless, "-x"}}, no, StacksDWARF, frameless + " keeps no"},
		{"nothing is told", Options{Command: []string{silent}}, no, StacksDWARF, "no binary tells"},
		{"missing", Options{Command: []string{"/no/such/program"}}, no, StacksDWARF, "no binary tells"},
		{"script", Options{Command: []string{script("a", "#!"+framed+" -e")}}, no, StacksFP, "keep"},
		{"script by env", Options{Command: []string{script("b", "#!/usr/bin/env -S A=1 "+frameless)}}, no, StacksDWARF, frameless},
		{"script of a script", Options{Command: []string{script("c", "#! "+filepath.Join(dir, "a"))}}, no, StacksFP, "keep"},
		{"process with frame pointers", Options{PIDs: running(framed)}, no, StacksFP, "keep"},
		{"process without", Options{PIDs: append(running(framed), running(frameless)...)}, no, StacksDWARF, frameless},
		{"process that is gone", Options{PIDs: []int{1 << 30}}, no, StacksDWARF, "no binary tells"},
	} {
		c.opt.Proc = "/proc"
		got := ChooseStacks(&c.opt, c.noBPF)
		if got.Method != c.want || !strings.Contains(got.Why, c.why) || c.noBPF != nil && !strings.HasSuffix(got.Why, no.Error()) {
			t.Errorf("%s: %+v, want %s with %q", c.name, got, c.want, c.why)
		}
	}
}

// All CPUs are all processes.
func TestChooseStacksOfAll(t *testing.T) {
	frameless := build(t, "frameless", "-fomit-frame-pointer")
	c := exec.Command(frameless)
	started(t, c)
	proc := t.TempDir()
	if err := os.Symlink(fmt.Sprint("/proc/", c.Process.Pid), filepath.Join(proc, fmt.Sprint(c.Process.Pid))); err != nil {
		t.Fatal(err)
	}
	got := ChooseStacks(&Options{All: true, Proc: proc}, errors.New("none"))
	if got.Method != StacksDWARF || !strings.Contains(got.Why, frameless) {
		t.Errorf("%+v, want %s for %s", got, StacksDWARF, frameless)
	}
}

// The files of a program are those that the dynamic linker would load.
func TestNeeded(t *testing.T) {
	ldd, err := exec.LookPath("ldd")
	if err != nil {
		t.Skipf("no ldd: %v", err)
	}
	t.Setenv("LD_LIBRARY_PATH", "")
	found := false
	for _, name := range []string{"sh", "bash", "gcc", "perf", "gdb", "python3"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		text, err := exec.Command(ldd, path).Output()
		if err != nil {
			continue // it is a script, or needs none
		}
		want := []string{real(t, path)}
		for _, m := range regexp.MustCompile(`(?m)(/\S+) \(0x`).FindAllStringSubmatch(string(text), -1) {
			want = append(want, real(t, m[1]))
		}
		var got []string
		for n := newNeeded(path, ""); ; {
			file, ok := n.next()
			if !ok {
				break
			}
			got = append(got, real(t, file))
		}
		slices.Sort(want)
		slices.Sort(got)
		if got, want = slices.Compact(got), slices.Compact(want); !slices.Equal(got, want) {
			t.Errorf("%s needs\n%s\nldd says\n%s", path, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		found = true
	}
	if !found {
		t.Skip("no program that needs libraries")
	}
}

func real(t *testing.T, path string) string {
	t.Helper()
	r, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSystemDirs(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"ld.so.conf":      "# what\n/first\ninclude conf.d/*.conf\n/last # of this\n",
		"conf.d/one.conf": "/one\n\n",
		"conf.d/two.conf": "relative\n/two\ninclude " + filepath.Join(dir, "ld.so.conf") + "\n", // and round again
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := systemDirs(filepath.Join(dir, "ld.so.conf"))
	if want := []string{"/first", "/last", "/one", "/two"}; !slices.Equal(got[:4], want) || !slices.Contains(got, "/usr/lib") {
		t.Errorf("%q, want %q and those of the system", got, want)
	}
}

func TestExecutableMapping(t *testing.T) {
	for _, c := range []struct {
		line string
		want symbol.Mapping
		ok   bool
	}{
		{"7f00-7f20 r-xp 00001000 fe:10 42                     /usr/lib/a b.so (deleted)",
			symbol.Mapping{PID: 7, Start: 0x7f00, Limit: 0x7f20, Offset: 0x1000, File: "/usr/lib/a b.so (deleted)", Major: 0xfe, Minor: 0x10, Inode: 42}, true},
		{"7f00-7f20 rw-p 00001000 fe:10 42 /usr/lib/a.so", symbol.Mapping{}, false},
		{"7f00-7f20 r-xp 00000000 00:00 0 [vdso]", symbol.Mapping{}, false},
		{"7f00-7f20 r-xp 00000000 00:00 0 ", symbol.Mapping{}, false},
		{"", symbol.Mapping{}, false},
	} {
		got, ok := executableMapping(7, c.line)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%q: %+v, %v, want %+v, %v", c.line, got, ok, c.want, c.ok)
		}
	}
}
