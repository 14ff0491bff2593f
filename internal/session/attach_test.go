package session

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

func TestThreadOpenedTwiceCountsOnce(t *testing.T) {
	var closed []uint32
	targets := &targets{
		own:       map[uint32]bool{10: true, 11: true},
		redundant: map[uint32]bool{},
		close:     func(tid uint32) { closed = append(closed, tid) },
	}
	for i, step := range []struct {
		tid    uint32 // the thread that was sampled
		opened int    // the thread whose event, or whose heir's, it was
		want   bool
	}{
		{10, 10, true},
		{11, 11, true},  // nothing known yet
		{12, 10, true},  // born later, inherited
		{11, 10, true},  // 11 had inherited from 10 when it was opened
		{11, 11, false}, // so its own event is one too many
		{13, 11, false}, // and what its children inherited from it
		{13, 10, true},
	} {
		got := targets.sample(&perfring.Sample{TID: step.tid}, identity{pid: step.opened})
		if got != step.want {
			t.Errorf("step %d: thread %d by the event of %d: %v, want %v", i, step.tid, step.opened, got, step.want)
		}
	}
	if !slices.Equal(closed, []uint32{11}) {
		t.Errorf("closed %v, want 11", closed)
	}
}

func TestFilterFollowsChildren(t *testing.T) {
	targets := &targets{everyone: true, processes: map[uint32]bool{10: true}}
	steps := []struct {
		what string
		got  bool
		want bool
	}{
		{"target", targets.sample(&perfring.Sample{PID: 10}, identity{pid: -1}), true},
		{"stranger", targets.sample(&perfring.Sample{PID: 20}, identity{pid: -1}), false},
		{"stranger's fork", targets.fork(&perfring.Fork{PID: 21, PPID: 20}), false},
		{"child", targets.fork(&perfring.Fork{PID: 11, PPID: 10}), true},
		{"grandchild", targets.fork(&perfring.Fork{PID: 12, PPID: 11}), true},
		{"its sample", targets.sample(&perfring.Sample{PID: 12}, identity{pid: -1}), true},
	}
	for _, s := range steps {
		if s.got != s.want {
			t.Errorf("%s: %v, want %v", s.what, s.got, s.want)
		}
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
