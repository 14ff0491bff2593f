package session

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/launch"
	"github.com/energyprof/energyprof/internal/pmu"
)

func noteOf(result *Result, kind NoteKind) string {
	for _, n := range result.Notes {
		if n.Kind == kind {
			return n.Text
		}
	}
	return ""
}

// Each child of a shell ends before the clock comes to its first sample.
// That time is neither silence nor another process's. The events' own account
// leaves out what a task runs at its end, which the scheduler's knows.
func TestShortTasksAreMissed(t *testing.T) {
	const children = "i=0; while [ $i -lt %d ]; do /bin/true; i=$((i+1)); done"
	few := exec.Command("/bin/sh", "-c", fmt.Sprintf(children, 20))
	if err := few.Run(); err != nil {
		t.Skip(err)
	}
	life := (few.ProcessState.UserTime() + few.ProcessState.SystemTime()) / 20
	for _, noBPF := range []bool{false, true} {
		opt := options(t)
		opt.NoBPF = noBPF
		opt.Events[0].Frequency = min(499, max(1, uint64(time.Second/(1+4*life))))
		opt.Command = []string{"/bin/sh", "-c", fmt.Sprintf(children, 300)}
		before := childrenUsed(t)
		sink, result := run(t, opt)
		want := result.Ran
		if sink.othersNS > 0 {
			want = childrenUsed(t) - before
		}
		sampled, missed := sink.seconds(func(sample) bool { return true }), float64(sink.missed)/1e9
		if got, want := sampled+missed, want.Seconds(); missed < want/2 || got < 0.8*want || got > 1.1*want {
			t.Errorf("without BPF: %v: %.3f s sampled and %.3f s reported of %.3f s", noBPF, sampled, missed, want)
		}
		// A user who may not sample the kernel is told of the larger reason.
		if text := noteOf(result, NoteCoarse) + noteOf(result, NoteExcluded); !strings.Contains(text, "[lost]") {
			t.Errorf("notes %v do not say where the rest is", result.Notes)
		}
	}
}

// childrenUsed is the CPU time of all commands that have ended.
func childrenUsed(t *testing.T) time.Duration {
	t.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_CHILDREN, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func TestNothingIsSaid(t *testing.T) {
	truth, err := exec.LookPath("true")
	if err != nil {
		t.Skip(err)
	}
	for _, test := range []struct {
		name  string
		delay time.Duration
		want  string
	}{
		{"too short", 0, "there are no samples: by the kernel's account the command ran for"},
		{"within the delay", time.Hour, "within the delay of 1h0m0s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			opt := options(t)
			opt.Events[0].Frequency = 1
			opt.Command, opt.Delay = []string{truth}, test.delay
			_, result := run(t, opt)
			if text := noteOf(result, NoteNothing); !strings.Contains(text, test.want) {
				t.Errorf("notes %v, want one with %q", result.Notes, test.want)
			}
		})
	}
}

// Where another event has samples, it is the clock's that are missing.
func TestNothingOfTheClock(t *testing.T) {
	events := []Event{{Event: pmu.Event{Name: "cpu-clock", Clock: true}, Frequency: 1}, {Event: pmu.Event{Name: "page-faults"}, Period: 1}}
	r := &recording{opt: Options{Events: events, Command: []string{"true"}}, account: newAccount(events), sampling: true, command: new(launch.Command), missed: newMissed(events[0])}
	r.account.events[1].Samples = 3
	r.noteNothing()
	if text := noteOf(&r.result, NoteNothing); !strings.HasPrefix(text, "there are no samples of cpu-clock, from which time comes: by the kernel's account the command") {
		t.Errorf("%q, want that those of the clock are missing", text)
	}
}

// A tracepoint that is left out with the kernel is not one that did not happen.
func TestNoteTracepoints(t *testing.T) {
	kernel := pmu.Event{Name: "sched:sched_switch", Type: unix.PERF_TYPE_TRACEPOINT}
	user := kernel
	user.ExcludeKernel = true
	for _, c := range []struct {
		name     string
		event    pmu.Event
		userOnly bool
		samples  uint64
		want     bool
	}{
		{"of all", kernel, false, 0, false},
		{"without the kernel", kernel, true, 0, true},
		{"by its modifier", user, false, 0, true},
		{"of an uprobe", user, true, 1, false},
		{"no tracepoint", pmu.Event{Name: "page-faults", Type: unix.PERF_TYPE_SOFTWARE}, true, 0, false},
	} {
		events := []Event{{Event: pmu.Event{Name: "cpu-clock", Clock: true}, Frequency: 1}, {Event: c.event, Period: 1}}
		r := &recording{opt: Options{Events: events, ExcludeKernel: c.userOnly}, account: newAccount(events)}
		r.account.events[1].Samples = c.samples
		r.noteTracepoints()
		if got := strings.HasPrefix(noteOf(&r.result, NoteExcluded), "sched:sched_switch has no samples"); got != c.want {
			t.Errorf("%s: a note: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestIdentity(t *testing.T) {
	for _, test := range []struct {
		name      string
		ran, used time.Duration
		duration  time.Duration
		want      bool
	}{
		{"followed", 990 * time.Millisecond, time.Second, 0, false},
		{"the shim's start alone", 0, 20 * time.Millisecond, 0, false},
		{"changed its user", 100 * time.Millisecond, time.Second, 0, true},
		{"recorded in part", 100 * time.Millisecond, time.Second, time.Second, false},
	} {
		r := &recording{opt: Options{Duration: test.duration}, result: Result{Ran: test.ran}}
		r.noteIdentity(test.used)
		if got := noteOf(&r.result, NoteIdentity) != ""; got != test.want {
			t.Errorf("%s: a note: %v, want %v", test.name, got, test.want)
		}
	}
}

// That samples have no user stack is said if they are more than chance, and why.
func TestNoteWalks(t *testing.T) {
	for _, c := range []struct {
		books stackBooks
		want  NoteKind
		text  string
	}{
		{stackBooks{samples: 1000, walks: 1000}, "", ""},
		{stackBooks{samples: 1000, walks: 1003}, "", ""},    // of samples that were lost
		{stackBooks{samples: 20, walks: 11}, "", ""},        // few
		{stackBooks{samples: 10_000, walks: 9_901}, "", ""}, // few among many
		{stackBooks{samples: 10_000, walks: 9_900}, NoteNoStacks, "100 of 10000 samples have no user stack: the program"},
		{stackBooks{samples: 20, walks: 10, lost: 5}, NoteNoStacks, "10 of 20 samples have no user stack: the program"},
		{stackBooks{samples: 20, walks: 10, lost: 6}, NoteLostStacks, "10 of 20 samples have no user stack: the rings were full"},
	} {
		r := &recording{stackBooks: c.books}
		r.noteWalks()
		var got Note
		if notes := r.result.Notes; len(notes) > 0 {
			got = notes[0]
		}
		if got.Kind != c.want || !strings.HasPrefix(got.Text, c.text) {
			t.Errorf("%+v: %+v, want %q, %q", c.books, got, c.want, c.text)
		}
	}
}
