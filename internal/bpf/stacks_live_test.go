package bpf

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/energyprof/energyprof/internal/unwind"
	"github.com/energyprof/energyprof/perfring"
	"golang.org/x/sys/unix"
)

// stacks loads the program or skips the test.
func stacks(t testing.TB, o StackOptions) *Stacks {
	t.Helper()
	s, err := NewStacks(o)
	unavailable(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// Programs of C, which gcc compiles without frame pointers: the program's walks are those of package unwind on the same registers and the same
// stack, and after the first ones it lacks nothing.
func TestStacksOfC(t *testing.T) {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no gcc here, of which this test has its programs")
	}
	sources, err := filepath.Abs("../../testdata/stacks")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		program  string
		args     []string
		want     unwind.Outcome // of nearly all walks
		pointers bool           // taken for code without a file, which keeps frame pointers
	}{
		{program: "plain"}, {program: "signal"}, {program: "signal", args: []string{"x"}}, {program: "sort"}, {program: "vdso"},
		{program: "deep"}, {program: "deep", args: []string{"300"}, want: unwind.Deep},
		{program: "plain", pointers: true}, {program: "sort", pointers: true}, {program: "deep", pointers: true},
	} {
		t.Run(fmt.Sprintf("%s %q pointers=%v", c.program, c.args, c.pointers), func(t *testing.T) {
			file, frames := filepath.Join(t.TempDir(), c.program), "-fomit-frame-pointer"
			if c.pointers {
				frames = "-fno-omit-frame-pointer"
			}
			if out, err := exec.Command(gcc, "-O2", frames, "-o", file, filepath.Join(sources, c.program+".c"), "-lpthread", "-lm").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			cpu := online(t)[0]
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			pid, runs := pinned(t, cpu, file, append([]string{"1"}, c.args...)...)
			if !runs {
				t.Fatal("the program has ended")
			}
			g := &sampledThread{}
			if c.pointers {
				g.generated = file
			}
			g.follow(t, stacks(t, StackOptions{}), pid, cpu)
			compareWalks(t, g, c.want)
		})
	}
}

// Threads of Go, by their own tables. They are in the kernel now and then, and in the handler of the signal by which Go preempts.
func TestStacksOfGo(t *testing.T) {
	cpu := online(t)[0]
	p, _ := start(t, fmt.Sprintf("deep %d", cpu))
	go func() {
		for p.Process.Signal(unix.SIGURG) == nil { // until it is killed
			time.Sleep(500 * time.Microsecond)
		}
	}()
	compareWalks(t, follow(t, stacks(t, StackOptions{}), p.Process.Pid, cpu), unwind.Complete)
}

// In a PID namespace of one's own threads have the numbers that they have in samples.
func TestStacksInNamespace(t *testing.T) {
	stacks(t, StackOptions{})
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip(err)
	}
	out, err := exec.Command(unshare, "--pid", "--fork", "--mount-proc", os.Args[0], "-test.run=^TestStacksOfGo$", "-test.v").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestStacksOfGo") {
		t.Errorf("%v\n%s", err, out)
	}
}

// Code without tables that keeps no frame pointers leads to no code. Each sample brings a copy of the stack, as there could be a mapping that the
// program does not know, until it is told that there is none.
func TestStacksAstray(t *testing.T) {
	pointer := map[string]string{"amd64": "mov %0, %%rbp; 1: jmp 1b", "arm64": "mov x29, %0; 1: b 1b"}[runtime.GOARCH]
	source := fmt.Sprintf(`int main(void) { volatile long frame[2] = {0, 0x1234567}; __asm__ volatile ("%s" :: "r"(frame)); }`, pointer)
	file := filepath.Join(t.TempDir(), "astray")
	gcc := exec.Command("gcc", "-O2", "-o", file, "-x", "c", "-")
	gcc.Stdin = strings.NewReader(source)
	if out, err := gcc.CombinedOutput(); errors.Is(err, exec.ErrNotFound) {
		t.Skip("no gcc here, of which this test has its program")
	} else if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cpu := online(t)[0]
	pid, runs := pinned(t, cpu, file)
	if !runs {
		t.Fatal("the program has ended")
	}
	g := &sampledThread{generated: file}
	g.follow(t, stacks(t, StackOptions{}), pid, cpu)
	copied, ended := 0, 0
	for end := time.Now().Add(time.Minute); ended < 20; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in a minute %d walks with a copy and %d without, 20 were to come", copied, ended)
		}
		g.drain(func(p *pair) {
			if p.ended != p.want || !slices.Equal(p.finished, p.same) {
				t.Fatalf("program %v %#x, unwind %v %#x", p.ended, p.finished, p.want, p.same)
			}
			switch {
			case p.Stuck && ended > 0:
				t.Fatalf("stuck, %v, after it was told that no code is missing", p.Missing)
			case !p.Stuck && p.want == unwind.BadFrame:
				ended++
			case p.Missing == MissingMapping && p.want == unwind.BadFrame:
				copied++
			}
		})
		g.sure = copied > 20
	}
}

// A 32-bit program is said to be one.
func TestStacksOfOtherWidth(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the program of this test is one of i386")
	}
	file := filepath.Join(t.TempDir(), "narrow")
	gcc := exec.Command("gcc", "-m32", "-nostdlib", "-static", "-o", file, "-x", "assembler", "-")
	gcc.Stdin = strings.NewReader(".globl _start\n_start: jmp _start\n")
	if out, err := gcc.CombinedOutput(); err != nil {
		t.Skipf("no 32-bit program can be made here: %v\n%s", err, out)
	}
	cpu := online(t)[0]
	pid, runs := pinned(t, cpu, file)
	if !runs {
		t.Skip("this kernel runs no 32-bit programs")
	}
	g := &sampledThread{blind: true}
	g.follow(t, stacks(t, StackOptions{}), pid, cpu)
	for n := 0; n < 10; time.Sleep(time.Millisecond) {
		g.each(func(w *Walked, _ *perfring.Sample) {
			if n++; w.Outcome != unwind.OtherWidth || w.Stuck || len(w.Frames) > 0 {
				t.Fatalf("%+v, want no frames and %v", w, unwind.OtherWidth)
			}
		})
	}
}

// pinned starts a program on a CPU, until the test ends. It returns when that runs; false: it has ended.
func pinned(t *testing.T, cpu int, file string, args ...string) (pid int, runs bool) {
	t.Helper()
	p := exec.Command("taskset", append([]string{"-c", fmt.Sprint(cpu), file}, args...)...)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill(); p.Wait() })
	return p.Process.Pid, becomes(p.Process.Pid, file)
}

// becomes waits for a process to execute a file; false: it has ended.
func becomes(pid int, file string) bool {
	for {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if exe == file || err != nil {
			return exe == file
		}
		time.Sleep(time.Millisecond)
	}
}

// compareWalks takes samples. All walks are those of package unwind. Once what is needed has been loaded nearly all are complete or, as most
// are, as is wanted, and few are stuck.
func compareWalks(t *testing.T, g *sampledThread, want unwind.Outcome) {
	t.Helper()
	const samples = 150
	before, n, stuck, wanted, failed, kernel, longest := 0, 0, 0, 0, 0, 0, 0
	loaded := false
	for end := time.Now().Add(time.Minute); n < samples && !t.Failed(); {
		if time.Now().After(end) {
			t.Fatalf("%d and %d samples in a minute, %d were to come", before, n, samples)
		}
		time.Sleep(10 * time.Millisecond)
		some, lacking := false, false
		g.drain(func(p *pair) {
			some, lacking = true, lacking || p.Stuck
			longest = max(longest, len(p.finished))
			if len(p.finished) > 0 && p.finished[0] != p.IP {
				kernel++
			}
			if p.want != unwind.Truncated && (p.ended != p.want || !slices.Equal(p.finished, p.same)) {
				t.Errorf("missing %d\nprogram %v %#x\nunwind  %v %#x", p.Missing, p.ended, p.finished, p.want, p.same)
			}
			if !loaded {
				before++
				return
			}
			n++
			if p.Stuck {
				stuck++
				t.Logf("sample %d is stuck: %d frames, %d of %d %#x, pc %#x", n, len(p.Frames), p.Missing, p.MissingModule, p.MissingNumber, p.Regs.PC)
			}
			if p.ended == want {
				wanted++
			} else if p.ended != unwind.Complete { // where recursion is about to begin or to end
				failed++
				t.Logf("sample %d: %v, %d frames %#x", n, p.ended, len(p.finished), p.finished)
			}
		})
		loaded = loaded || some && !lacking
	}
	t.Logf("%d and %d samples, %d of them in the kernel, the longest of %d frames", before, n, kernel, longest)
	if stuck > n/20 || failed > n/50 || wanted < n*3/4 {
		t.Errorf("of %d samples %d were stuck, %d were %v, %d neither that nor complete; want at most %d, at least %d, at most %d",
			n, stuck, wanted, want, failed, n/20, n*3/4, n/50)
	}
}
