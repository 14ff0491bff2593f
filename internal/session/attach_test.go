package session

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

func TestThreadOpenedTwiceCountsOnce(t *testing.T) {
	type step struct {
		tid  uint32 // the thread that was sampled
		root int    // the thread whose event, or whose heir's, it was
		cpu  int
		want bool
	}
	for _, test := range []struct {
		name   string
		steps  []step
		closed []onCPU
	}{
		{"a thread born while attaching", []step{
			{10, 10, 0, true},
			{11, 11, 0, true},  // nothing known yet
			{12, 10, 0, true},  // born later, inherited
			{11, 10, 0, true},  // 11 had inherited from 10 when it was opened
			{11, 11, 0, false}, // so its own event is one too many
			{13, 11, 0, false}, // and what its children inherited from it
			{13, 10, 0, true},
			{11, 11, 1, true}, // on CPU 1 it had not inherited
			{13, 11, 1, true},
		}, []onCPU{{11, 0}}},
		{"children of one that never runs itself", []step{
			{13, 11, 0, true},
			{13, 10, 0, true}, // 13 has both roots, so 11 had inherited from 10
			{13, 11, 0, false},
			{14, 11, 0, false},
			{14, 10, 0, true},
		}, []onCPU{{11, 0}}},
		{"the same, the other way round", []step{
			{13, 10, 0, true},
			{13, 11, 0, false},
			{13, 10, 0, true},
		}, []onCPU{{11, 0}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var closed []onCPU
			targets := &targets{
				opened:    map[uint32]int{10: 0, 11: 1},
				redundant: map[onCPU]bool{},
				root:      map[onCPU]uint32{},
				close:     func(tid uint32, cpu int) { closed = append(closed, onCPU{tid, cpu}) },
			}
			for i, s := range test.steps {
				if got := targets.sample(&perfring.Sample{TID: s.tid}, identity{pid: s.root}, s.cpu); got != s.want {
					t.Errorf("step %d: thread %d by the event of %d on CPU %d: %v, want %v", i, s.tid, s.root, s.cpu, got, s.want)
				}
			}
			if !slices.Equal(closed, test.closed) {
				t.Errorf("closed %v, want %v", closed, test.closed)
			}
		})
	}
}

func TestFilterFollowsChildren(t *testing.T) {
	targets := &targets{everyone: true, processes: map[uint32]bool{10: true}}
	steps := []struct {
		what string
		got  bool
		want bool
	}{
		{"target", targets.sample(&perfring.Sample{PID: 10}, identity{pid: -1}, 0), true},
		{"stranger", targets.sample(&perfring.Sample{PID: 20}, identity{pid: -1}, 0), false},
		{"stranger's fork", targets.fork(&perfring.Fork{PID: 21, PPID: 20}), false},
		{"child", targets.fork(&perfring.Fork{PID: 11, PPID: 10}), true},
		{"grandchild", targets.fork(&perfring.Fork{PID: 12, PPID: 11}), true},
		{"its sample", targets.sample(&perfring.Sample{PID: 12}, identity{pid: -1}, 0), true},
	}
	for _, s := range steps {
		if s.got != s.want {
			t.Errorf("%s: %v, want %v", s.what, s.got, s.want)
		}
	}
}

// In a PID namespace that has the /proc of another one, numbers there are of others.
func TestForeignProc(t *testing.T) {
	proc := t.TempDir()
	if err := ownProc(proc, 7); err != nil {
		t.Errorf("without a link: %v", err)
	}
	if err := os.Symlink("4711", filepath.Join(proc, "self")); err != nil {
		t.Fatal(err)
	}
	if err := ownProc(proc, 4711); err != nil {
		t.Errorf("of its own: %v", err)
	}
	if err := ownProc(proc, 7); !errors.Is(err, ErrForeignProc) || !strings.Contains(err.Error(), "this process is 4711 there, and 7 by itself") {
		t.Errorf("%v, want %v", err, ErrForeignProc)
	}
}

// vanishing is a sink for which a process ends before it can be read.
type vanishing struct {
	*recorder
	pid int
}

func (v vanishing) Existing(pid int) error {
	if pid == v.pid {
		return fmt.Errorf("process %d: %w", pid, unix.ESRCH)
	}
	return v.recorder.Existing(pid)
}

// A process that ends while we attach does not cost the others their recording.
func TestAttachWhileOneEnds(t *testing.T) {
	opt := options(t)
	first, second := startWorker(t, "1 5 0"), startWorker(t, "1 5 0")
	opt.PIDs, opt.Duration = []int{first.Process.Pid, second.Process.Pid}, 200*time.Millisecond
	sink := &recorder{t: t}
	result, err := Run(opt, vanishing{sink, first.Process.Pid})
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	if s := sink.seconds(func(s sample) bool { return int(s.pid) == second.Process.Pid }); s == 0 {
		t.Error("no samples of the process that is left")
	}
}
