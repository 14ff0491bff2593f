package session

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/bpf"
)

// pinEnv is the CPU that a worker's threads stay on.
const pinEnv = "ENERGYPROF_TEST_CPU"

func pinWorker() {
	var cpu int
	if _, err := fmt.Sscan(os.Getenv(pinEnv), &cpu); err != nil {
		return
	}
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		panic(err)
	}
}

// usable is the first and the last CPU that this test may run on.
func usable(t *testing.T) (first, last int) {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	first = -1
	for cpu := range 1024 {
		if set.IsSet(cpu) {
			last = cpu
			if first < 0 {
				first = cpu
			}
		}
	}
	return first, last
}

// A CPU on which a neighbour spins is never idle, whatever else the machine does:
// what is sampled of the target there and what others ran are all of the time.
func TestOthers(t *testing.T) {
	first, last := usable(t)
	options(t) // or skip
	account, err := bpf.New()
	if err == nil {
		account.Close()
	}
	for _, test := range []struct {
		name   string
		attach bool
		cpu    int // of the neighbour
		noBPF  bool
	}{
		{"beside a command", false, first, false},
		{"elsewhere than a command", false, last, false},
		{"beside a process", true, first, false},
		{"elsewhere than a process", true, last, false},
		{"by the tick", false, first, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			opt := options(t)
			if !test.noBPF && err != nil {
				t.Skipf("no account of who runs: %v", err)
			}
			opt.NoBPF = test.noBPF
			opt.Duration = 500 * time.Millisecond
			t.Setenv(pinEnv, fmt.Sprint(test.cpu))
			startWorker(t, "1 60 0")
			t.Setenv(pinEnv, fmt.Sprint(first))
			if test.attach {
				opt.PIDs = []int{startWorker(t, "1 60 0").Process.Pid}
			} else {
				t.Setenv(workerEnv, "1 0.2 0")
				opt.Command = []string{self(t)}
			}
			sink, result := run(t, opt)
			result.Wait()
			if exact := sink.othersNS > 0; exact == test.noBPF || exact == (sink.busyNS > 0) {
				t.Fatalf("%d ns of others and %d ns of busy CPUs", sink.othersNS, sink.busyNS)
			}
			used := sink.used(test.cpu, result.Start, result.End)
			least, most := 0.97, 1.03
			if test.noBPF {
				least, most = 0.85, 1.15 // ticks of 10 ms
			} else {
				for _, s := range sink.samples {
					if s.cpu == test.cpu {
						used += time.Duration(s.period)
					}
				}
			}
			length := time.Duration(result.End - result.Start)
			if part := used.Seconds() / length.Seconds(); part < least || part > most {
				t.Errorf("%v of %v on a CPU that was never idle", used, length)
			}
			for _, n := range result.Notes {
				if n.Kind == NoteOthers || n.Kind == NoteTicks {
					t.Error(n.Text)
				}
			}
		})
	}
}

func TestOthersAreUnknownWithoutProc(t *testing.T) {
	opt := options(t)
	opt.NoBPF, opt.Proc = true, t.TempDir()
	opt.Command = []string{"true"}
	sink, result := run(t, opt)
	if sink.busyNS+sink.othersNS != 0 {
		t.Errorf("%d ns of nothing", sink.busyNS+sink.othersNS)
	}
	if !slices.ContainsFunc(result.Notes, func(n Note) bool { return n.Kind == NoteOthers && strings.Contains(n.Text, "unknown") }) {
		t.Errorf("notes %v, want that others are unknown", result.Notes)
	}
}
