package symbol

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// startTarget runs a program of ours until the test ends and gives its PID.
func startTarget(t *testing.T, bin string, prefix ...string) int {
	t.Helper()
	args := append(prefix, bin)
	cmd := exec.Command(args[0], args[1:]...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); cmd.Wait() })
	// The program says its PID when it runs: behind a prefix it is not ours.
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	var pid int
	if _, err := fmt.Sscan(line, &pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

const waitSource = `
#include <stdio.h>
#include <unistd.h>
int wait_here(void) { char c; printf("%d\n", getpid()); fflush(stdout); return read(0, &c, 1); }
int main(void) { return wait_here() < 0; }
`

func buildWait(t *testing.T, flags ...string) string {
	t.Helper()
	need(t, "gcc")
	dir := t.TempDir()
	bin := filepath.Join(dir, "waiter")
	args := append([]string{"gcc", "-g", "-o", bin, write(t, filepath.Join(dir, "wait.c"), waitSource)}, flags...)
	run(t, args...)
	return bin
}

// textMapping is the executable mapping of a process whose path holds name.
func textMapping(t *testing.T, pid int, name string) Mapping {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		line = strings.TrimSpace(line)
		if !strings.Contains(line, " r-xp ") || !strings.Contains(line, name) {
			continue
		}
		m := Mapping{PID: pid}
		var perm string
		if _, err := fmt.Sscanf(line, "%x-%x %s %x %x:%x %d", &m.Start, &m.Limit, &perm, &m.Offset, &m.Major, &m.Minor, &m.Inode); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if i := strings.IndexAny(line, "/["); i >= 0 {
			m.File = line[i:]
		}
		return m
	}
	t.Fatalf("process %d maps no %s:\n%s", pid, name, maps)
	return Mapping{}
}

func TestLiveProcess(t *testing.T) {
	bin := buildWait(t)
	pid := startTarget(t, bin)
	r := New(Options{})
	defer r.Close()
	m := textMapping(t, pid, "waiter")
	b, err := r.Open(m)
	if err != nil {
		t.Fatal(err)
	}
	if got := one(t, b, offsetOf(t, bin, "wait_here")); got.Function != "wait_here" || !strings.HasSuffix(got.File, "wait.c") || got.Line != 4 {
		t.Errorf("frame %+v", got)
	}
	if b.Unverified {
		t.Error("unverified, though device and inode agree")
	}
	libc, err := r.Open(textMapping(t, pid, "libc"))
	if err != nil {
		t.Fatal(err)
	}
	again := textMapping(t, os.Getpid(), "symbol.test")
	if self, err := r.Open(again); err != nil || self == b || self == libc {
		t.Errorf("our own binary: %v %v", self, err)
	}
	if same, err := r.Open(m); err != nil || same != b {
		t.Errorf("opened again: %p, %v, want %p", same, err, b)
	}
	v, err := r.Open(textMapping(t, pid, "[vdso]"))
	if err != nil {
		t.Fatal(err)
	}
	if frames := v.Resolve([]uint64{vdsoFunction(t, v)})[0]; len(frames) != 1 || !strings.Contains(frames[0].Function, "clock_gettime") {
		t.Errorf("vdso frames %v", frames)
	}
}

func vdsoFunction(t *testing.T, v *Binary) uint64 {
	t.Helper()
	v.Resolve(nil)
	for i, s := range v.table.symbols {
		if strings.Contains(v.table.name(i), "clock_gettime") {
			return s.addr
		}
	}
	t.Fatal("the vdso has no clock_gettime")
	return 0
}

// TestDeleted: a file that is gone is read through the process, and one that
// took its place is not.
func TestDeleted(t *testing.T) {
	bin := buildWait(t, "-Wl,--build-id=0x1234567890abcdef")
	off := offsetOf(t, bin, "wait_here")
	pid := startTarget(t, bin)
	before := textMapping(t, pid, "waiter")
	if err := os.Remove(bin); err != nil {
		t.Fatal(err)
	}
	after := textMapping(t, pid, "waiter")
	if !strings.HasSuffix(after.File, deletedSuffix) {
		t.Fatalf("mapping %+v is not of a deleted file", after)
	}
	for _, m := range []Mapping{before, after, {PID: pid, File: before.File, BuildID: "1234567890abcdef"}} {
		b, err := New(Options{}).Open(m)
		if err != nil {
			t.Errorf("%+v: %v", m, err)
			continue
		}
		if got := one(t, b, off).Function; got != "wait_here" {
			t.Errorf("%+v: %q", m, got)
		}
	}
	// Another program at the path; without map_files and exe it is all there is.
	write(t, filepath.Join(filepath.Dir(bin), "other.c"), "int other(void) { return 1; } int main(void) { return other(); }")
	run(t, "gcc", "-o", bin, filepath.Join(filepath.Dir(bin), "other.c"))
	gone := before
	gone.PID = 0
	if b, err := New(Options{}).Open(gone); !errors.Is(err, ErrReplaced) {
		t.Errorf("replaced file by inode: %v, %v", b, err)
	}
	gone.Inode, gone.BuildID = 0, "1234567890abcdef"
	if b, err := New(Options{}).Open(gone); !errors.Is(err, ErrReplaced) {
		t.Errorf("replaced file by build id: %v, %v", b, err)
	}
	after.PID, after.Inode = 0, 0
	if b, err := New(Options{}).Open(after); !errors.Is(err, ErrReplaced) {
		t.Errorf("deleted file by path: %v, %v", b, err)
	}
	gone.BuildID = ""
	if b, err := New(Options{}).Open(gone); err != nil || !b.Unverified {
		t.Errorf("no evidence at all: %v, %v, want an unverified binary", b, err)
	}
}

// TestAfterExit: what was opened while the process lived stays usable.
func TestAfterExit(t *testing.T) {
	bin := buildWait(t)
	off := offsetOf(t, bin, "wait_here")
	for _, limit := range []int{0, -1} { // -1: no file is kept open
		r := New(Options{Limits: Limits{OpenFiles: limit}})
		b, err := r.Open(mapped(t, bin))
		if err != nil {
			t.Fatal(err)
		}
		if limit == 0 {
			if err := os.Rename(bin, bin+".moved"); err != nil {
				t.Fatal(err)
			}
		}
		if got := one(t, b, off).Function; got != "wait_here" {
			t.Errorf("limit %d: %q", limit, got)
		}
		if limit == 0 {
			if err := os.Rename(bin+".moved", bin); err != nil {
				t.Fatal(err)
			}
		} else if b.file.f != nil {
			t.Error("the file is still open, beyond the limit")
		}
		r.Close()
	}
}

// TestMountNamespace: a process sees a file of its own at a path where we have
// none, and behind a symbolic link that is absolute.
func TestMountNamespace(t *testing.T) {
	needRoot(t)
	need(t, "unshare", "mount")
	bin := buildWait(t, "-static")
	hidden := filepath.Join(t.TempDir(), "there")
	if err := os.Mkdir(hidden, 0o755); err != nil {
		t.Fatal(err)
	}
	script := `mount -t tmpfs none "$1" && cp "$0" "$1/waiter" && exec "$1/waiter"`
	if out, err := exec.Command("unshare", "-m", "true").CombinedOutput(); err != nil {
		t.Skipf("no mount namespaces: %v %s", err, out)
	}
	pid := startTarget(t, hidden, "unshare", "-m", "--propagation", "private", "sh", "-c", script, bin)
	m := textMapping(t, pid, "waiter")
	if _, err := os.Stat(m.File); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is visible here: %v", m.File, err)
	}
	m.Start, m.Limit = 0, 0 // no help from map_files
	b, err := New(Options{}).Open(m)
	if err != nil {
		t.Fatal(err)
	}
	if got := one(t, b, offsetOf(t, bin, "wait_here")).Function; got != "wait_here" {
		t.Errorf("%q", got)
	}
	// The same path, but the build id of nothing that is there.
	m.BuildID = "00"
	if _, err := New(Options{}).Open(m); !errors.Is(err, ErrReplaced) {
		t.Errorf("wrong build id: %v", err)
	}
}

// TestSpecialFiles: nothing but regular files is opened, so nothing blocks.
func TestSpecialFiles(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	text := write(t, filepath.Join(dir, "text"), strings.Repeat("no ELF file\n", 100))
	for _, tt := range []struct {
		file string
		want error
	}{
		{fifo, ErrNoFile},
		{dir, ErrNoFile},
		{"/dev/null", ErrNoFile},
		{"[heap]", ErrNoFile},
		{"//anon", ErrNoFile},
		{"", ErrNoFile},
		{"anon_inode:[perf_event]", ErrNoFile},
		{text, ErrFormat},
		{filepath.Join(dir, "absent"), fs.ErrNotExist},
		{filepath.Join(text, "below a file"), syscall.ENOTDIR},
	} {
		_, err := New(Options{}).Open(Mapping{File: tt.file})
		if !errors.Is(err, tt.want) {
			t.Errorf("%q: %v, want %v", tt.file, err, tt.want)
		}
	}
}

// TestCopies: copies of one file are read once, unless they cannot be trusted
// to be copies.
func TestCopies(t *testing.T) {
	bin := buildWait(t, "-Wl,--build-id=0x1234567890abcdef")
	data, err := os.ReadFile(bin)
	if err != nil {
		t.Fatal(err)
	}
	twin := write(t, bin+".twin", string(data))
	longer := write(t, bin+".longer", string(data)+"x")
	r := New(Options{})
	defer r.Close()
	var all []*Binary
	for _, p := range []string{bin, twin, longer} {
		b, err := r.Open(mapped(t, p))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	if all[0] != all[1] || all[0] == all[2] {
		t.Errorf("binaries %p %p %p, want the first two the same", all[0], all[1], all[2])
	}
}

// What perf copied away under a build id is found when the file itself is gone, and only under that id.
func TestCache(t *testing.T) {
	bin := buildWait(t, "-Wl,--build-id")
	id := open(t, bin).BuildID
	if id == "" {
		t.Skip("the linker writes no build ids")
	}
	m := mapped(t, bin)
	m.File, m.BuildID = filepath.Join(t.TempDir(), "gone"), id
	m.Major, m.Minor, m.Inode = 0, 0, 0
	cache := t.TempDir()
	keep := func(id string) {
		data, err := os.ReadFile(bin)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(cache, ".build-id", id[:2], id[2:], "elf"), string(data))
	}
	r := New(Options{Cache: cache})
	defer r.Close()
	if _, err := r.Open(m); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("found in an empty cache: %v", err)
	}
	keep(id)
	b, err := r.Open(m)
	if err != nil {
		t.Fatal(err)
	}
	if b.BuildID != id || b.Unverified {
		t.Errorf("build id %s, unverified %v", b.BuildID, b.Unverified)
	}
	m.BuildID = "00" + id[2:]
	keep(m.BuildID)
	if _, err := r.Open(m); !errors.Is(err, ErrReplaced) {
		t.Errorf("a copy with another build id: %v", err)
	}
}
