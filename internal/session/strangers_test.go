package session

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

// Somebody else who samples page faults, on our clock or on another, takes none of ours. Their events are
// younger than ours, so the kernel comes to them first.
func TestStrangers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("sampling all CPUs needs root here")
	}
	const threads, pages = 4, 50
	for _, stranger := range []perfring.Attr{
		{Flags: perfring.FlagUseClockID, ClockID: unix.CLOCK_MONOTONIC},
		{Flags: perfring.FlagUseClockID, ClockID: unix.CLOCK_REALTIME}, // later than all of ours
		{}, // sched_clock, which may be earlier
	} {
		opt := sampled(t, "page-faults:u", perfring.SampleAddr)
		opt.All, opt.Duration = true, time.Minute
		stranger.Type, stranger.Config, stranger.Sample = opt.Events[1].Type, opt.Events[1].Config, 1
		stranger.SampleFormat = perfring.SampleIdentifier | perfring.SampleTID | perfring.SampleTime
		gate := filepath.Join(t.TempDir(), "gate")
		if err := unix.Mkfifo(gate, 0o600); err != nil {
			t.Fatal(err)
		}
		online, err := opt.FS.OnlineCPUs()
		if err != nil {
			t.Fatal(err)
		}
		sink := &toucher{recorder: recorder{t: t}, event: 1, gate: gate, ended: make(chan struct{})}
		sink.begin = func() {
			for _, cpu := range online {
				e, err := perfring.Open(&stranger, -1, cpu, nil)
				if err != nil {
					t.Error(err)
					continue
				}
				t.Cleanup(func() { e.Close() })
			}
		}
		c := startSelf(t, toucherEnv+"="+fmt.Sprintf("%s %d %d 0", gate, threads, pages))
		go func() {
			c.Process.Wait()
			close(sink.ended)
		}()
		result, err := Run(opt, sink)
		if err != nil {
			t.Fatal(err)
		}
		touched := make([]int, threads*pages)
		for _, s := range sink.samples {
			page := (uintptr(s.Addr) - touchedAt) / uintptr(pageSize)
			if page >= threads*pages {
				continue // somebody else's, perhaps from while the events were being disabled
			}
			touched[page]++
			if at := int64(s.Time); at < result.Start || at > result.End {
				t.Errorf("clock %d: a sample at %d of a recording from %d to %d", stranger.ClockID, at, result.Start, result.End)
			}
		}
		if slices.Max(touched) != 1 || slices.Min(touched) != 1 {
			t.Errorf("clock %d: %d to %d faults of each of %d pages, want one", stranger.ClockID, slices.Min(touched), slices.Max(touched), len(touched))
		}
		result.Close()
	}
}
