package stat

import (
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/energyprof/energyprof/internal/counting"
	"github.com/energyprof/energyprof/internal/launch"
	"github.com/energyprof/energyprof/uncore"
)

// A repeat that a signal cut short is no result, but is told of; so is what an operator can do,
// once, and not of what no operator can change.
func TestNotes(t *testing.T) {
	refused := uncore.ErrKernelOnly
	of := func(exit launch.Exit) counting.Run {
		return run(reading(0, time.Second, nil,
			counted{term: 0, cpu: -1, err: refused},
			counted{term: 1, cpu: -1, err: refused},
			counted{term: 2, cpu: -1, err: uncore.ErrNotSupported}), exit, 0, 0)
	}
	b := &Builder{
		Options:       counting.Options{Command: []string{"app"}, Repeats: 5, Proc: t.TempDir()},
		Terms:         []uncore.Term{{Name: "cycles", Group: -1}, {Name: "branches", Group: -1}, {Name: "instructions", Group: -1}},
		SourceRemarks: []string{"of no source"},
		Reason:        error.Error,
		Advice:        func(error) string { return "ask for it" },
		AdviceOnNote:  func(counting.Note) string { return "ask again" },
	}
	r := b.Result(&counting.Result{
		Runs:   []counting.Run{of(launch.Exit{}), of(launch.Exit{Code: 1}), of(launch.Exit{Signal: syscall.SIGINT})},
		Notes:  []counting.Note{{Text: "limited"}},
		Signal: syscall.SIGINT,
	})
	want := []string{
		"limited: ask again",
		"2 of 5 repeats: interrupt ended the next one, which is left out",
		"1 of 2 repeats failed",
		"cycles: " + refused.Error() + ": ask for it",
	}
	if diff := cmp.Diff(want, r.Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if r.Repeats != 2 {
		t.Errorf("a result of %d repeats, want 2", r.Repeats)
	}
}
