package bpf

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/energyprof/energyprof/internal/unwind"
)

// Walks through stacks that a program makes for itself, above and below the one that they come from, go on there, and what is in the red zone is
// part of a copy: all are whole, but for copies of a walk that got stuck, which are of one stack.
func TestOtherStacks(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the program is written for amd64")
	}
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no gcc here, of which this test has its program")
	}
	file := filepath.Join(t.TempDir(), "otherstack")
	if out, err := exec.Command(gcc, "-O2", "-fomit-frame-pointer", "-o", file, "../../testdata/stacks/otherstack.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cpu := online(t)[0]
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, runs := pinned(t, cpu, file, "0.3")
	if !runs {
		t.Fatal("the program has ended")
	}
	g := follow(t, stacks(t, StackOptions{}), pid, cpu)
	whole, cut, zombie := 0, 0, false
	for end := time.Now().Add(time.Minute); !zombie; {
		if time.Now().After(end) {
			t.Fatalf("%d samples in a minute, and the program has not ended", whole)
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		zombie = strings.Contains(string(stat), ") Z ")
		time.Sleep(10 * time.Millisecond)
		g.drain(func(p *pair) {
			switch {
			case p.ended == unwind.Complete:
				whole++
			case !p.Stuck || p.ended != unwind.Truncated && p.ended != unwind.NoMapping: // of a program that has ended nothing is mapped
				t.Errorf("%v, stuck: %v, %#x", p.ended, p.Stuck, p.finished)
			default:
				cut++
			}
		})
	}
	if whole < 9*cut || whole == 0 {
		t.Errorf("%d walks are whole and %d are not, want nine of ten to be", whole, cut)
	}
}
