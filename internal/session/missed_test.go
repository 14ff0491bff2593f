package session

import (
	"errors"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

// TestExcludedTimeIsAccounted records the user code of a program that lives in
// the kernel: what was not to be sampled is reported, so that it is not taken
// for another process's time.
//
// One in twenty such recordings on a busy machine has a switch of tasks that no tracepoint tells of (Linux 6.18; perf
// misses the same one), and the account a slice of the program in the name of who ran before: it is then made again.
func TestExcludedTimeIsAccounted(t *testing.T) {
	dd, err := exec.LookPath("dd")
	if err != nil {
		t.Skip(err)
	}
	var sampled, missed, want float64
	for range 3 {
		opt := options(t)
		opt.ExcludeKernel = true
		opt.Command = []string{dd, "if=/dev/zero", "of=/dev/null", "bs=1", "count=1000000", "status=none"}
		sink, result := run(t, opt)
		found := false
		for _, n := range result.Notes {
			found = found || n.Kind == NoteExcluded && strings.Contains(n.Text, "[lost]")
		}
		if !found {
			t.Errorf("notes %v do not say where the rest is", result.Notes)
		}
		sampled, missed = sink.seconds(func(sample) bool { return true }), float64(sink.missed)/1e9
		if want = result.Ran.Seconds(); missed >= want/4 && math.Abs(sampled+missed-want) <= 0.05*want {
			return
		}
	}
	t.Errorf("%.3f s sampled and %.3f s reported of %.3f s", sampled, missed, want)
}

// What is missing is told in the window in which it ran, not all at the end, as
// soon as it is more than living threads can still make up for.
func TestMissedIsToldSoon(t *testing.T) {
	const ms = int64(time.Millisecond)
	sink := &recorder{}
	r := &recording{sink: sink, opt: Options{Events: []Event{{Frequency: 1000}}}}
	r.missed = newMissed(r.opt.Events[0])
	clock := &perfring.Sample{Period: uint64(ms)}
	var ran int64
	tick := func(sampled int) {
		for range sampled {
			r.missed.count(r, clock, 0)
		}
		ran += 250 * ms
		r.missed.look(r, map[int]int64{0: ran}, ran, false)
	}
	const threads = 3
	for range threads {
		r.missed.count(r, &perfring.Fork{}, 0)
	}
	tick(250 - leastMissed - threads)
	if sink.missed != 0 {
		t.Errorf("%d ns missed that threads may still be sampled for", sink.missed)
	}
	for range threads {
		r.missed.count(r, &perfring.Exit{}, 0)
	}
	tick(250)
	if want := (leastMissed + threads) * ms; sink.missed != want {
		t.Errorf("%d ns missed of threads that ended, want %d", sink.missed, want)
	}
	for range 100 {
		tick(200)
	}
	if want := (leastMissed + threads + 100*50) * ms; sink.missed != want {
		t.Errorf("%d ns missed altogether, want %d", sink.missed, want)
	}
}

// What a ring lost is of all events that share it: as many clock samples of it are
// accounted for as those that came were.
func TestLossIsOfAllEvents(t *testing.T) {
	const ms = int64(time.Millisecond)
	sink := &recorder{}
	events := []Event{{Frequency: 1000}, {Period: 1}}
	r := &recording{sink: sink, opt: Options{Events: events}, missed: newMissed(events[0]), account: newAccount(events)}
	r.account.events[0].Samples, r.account.events[1].Samples = 10, 190
	for range 10 {
		r.missed.count(r, &perfring.Sample{Period: uint64(ms)}, 0)
	}
	r.missed.count(r, &perfring.Lost{Lost: 1000}, 0)
	r.missed.look(r, map[int]int64{0: 100 * ms}, 100*ms, true)
	if want := (100 - 10 - 1000/20) * ms; sink.missed != want {
		t.Errorf("%d ns missed, want %d: of 1000 lost records one in 20 was the clock's", sink.missed, want)
	}
}

// stalled is a sink that does nothing for a while, as a profiler that gets no CPU.
type stalled struct {
	*recorder
	advances int
}

func (s *stalled) Advance(t int64) {
	if s.advances++; s.advances == 2 {
		time.Sleep(700 * time.Millisecond)
	}
	s.recorder.Advance(t)
}

// What was lost while nobody drained the rings is told by LOST records, which come
// after that. It is not missed besides, if the kernel counts what each event lost.
func TestStallIsLostOnce(t *testing.T) {
	event, err := perfring.Open(&perfring.Attr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_DUMMY,
		ReadFormat: perfring.ReadLost, Flags: perfring.FlagDisabled | perfring.FlagExcludeKernel | perfring.FlagExcludeHV,
	}, 0, -1, nil)
	switch {
	case errors.Is(err, unix.EINVAL):
		t.Skip("before Linux 6.0 no event counts what it lost (PERF_FORMAT_LOST), and a stall is told twice")
	case err == nil:
		event.Close()
	}
	opt := options(t)
	opt.Pages, opt.Events[0].Frequency = 1, 2000
	opt.Command = []string{self(t)}
	t.Setenv(workerEnv, "1 2 0")
	sink := &stalled{recorder: &recorder{t: t}}
	result, err := Run(opt, sink)
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	sampled, missed := sink.seconds(func(sample) bool { return true }), float64(sink.missed)/1e9
	lost := float64(sink.lost) * opt.Events[0].Nominal().Seconds()
	if got, want := sampled+missed+lost, result.Ran.Seconds(); lost == 0 || got > 1.05*want || got < 0.9*want {
		t.Errorf("%.3f s sampled, %.3f s lost and %.3f s missed of %.3f s", sampled, lost, missed, want)
	}
}
