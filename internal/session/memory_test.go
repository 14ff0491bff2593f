package session

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

// toucher keeps the samples of one event, and opens the gate when the recording runs.
type toucher struct {
	recorder
	event   int
	begin   func()        // called before the gate is opened, nil without
	gate    string        // "" once it is open
	ended   chan struct{} // if set, the recording is to end when this is closed
	samples []perfring.Sample
}

func (s *toucher) Record(rec perfring.Record, cpu, event int) {
	if r, ok := rec.(*perfring.Sample); ok && event == s.event {
		s.samples = append(s.samples, *r)
	}
}

func (s *toucher) Advance(int64) {
	if s.gate != "" {
		if s.begin != nil {
			s.begin()
		}
		if err := os.WriteFile(s.gate, nil, 0); err != nil {
			s.t.Error(err)
		}
		s.gate = ""
	}
	select {
	case <-s.ended:
		s.ended = nil
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			s.t.Error(err)
		}
	default:
	}
}

// sampled returns options of a recording in which the second event is spec, each of which is sampled.
func sampled(t *testing.T, spec string, format perfring.SampleFormat) Options {
	t.Helper()
	opt := options(t)
	e, err := opt.FS.Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	opt.Events = append(opt.Events, Event{Event: e, Period: 1, SampleFormat: format})
	return opt
}

// exact checks that every event was sampled, and that the books say so.
func exact(t *testing.T, b perfring.EventBooks, samples int) {
	t.Helper()
	n := uint64(samples)
	if b.Samples != n || b.Represented != n || !b.HasCount || b.Counted != n || b.Lost != 0 || b.Throttles != 0 {
		t.Errorf("books %+v, want %d of all", b, n)
	}
	if b.Running == 0 || b.Running != b.Enabled {
		t.Errorf("%s ran for %v of %v: it never had to wait", b.Name, b.Running, b.Enabled)
	}
}

// A breakpoint samples every write to a variable, with its address.
func TestBreakpointSamplesEveryWrite(t *testing.T) {
	fixedProgram(t)
	const writes = 1000
	at := uint64(uintptr(unsafe.Pointer(&watched)))
	opt := sampled(t, fmt.Sprintf("mem:%#x/8:w:u", at), perfring.SampleAddr)
	t.Setenv(toucherEnv, fmt.Sprintf("/dev/null 2 0 %d", writes))
	opt.Command = []string{self(t)}
	sink := &toucher{recorder: recorder{t: t}, event: 1}
	result, err := Run(opt, sink)
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	if len(sink.samples) != 2*writes {
		t.Errorf("%d samples of %d writes", len(sink.samples), 2*writes)
	}
	for _, s := range sink.samples {
		if s.Addr != at {
			t.Fatalf("a sample at %#x, want %#x", s.Addr, at)
		}
	}
	exact(t, result.Events[1], 2*writes)
}

// Page faults have the addresses of the pages that were touched, and it makes no
// difference that an event that only counts leads their group: whatever is recorded,
// threads that were there and those that are born are sampled.
func TestPageFaultsAndLeader(t *testing.T) {
	const threads, pages = 4, 50
	for _, lead := range []string{"", "task-clock:uD"} {
		for _, target := range []string{"command", "command after a delay", "processes", "all CPUs"} {
			t.Run(lead+" "+target, func(t *testing.T) {
				opt := sampled(t, "page-faults:u", perfring.SampleAddr)
				if lead != "" {
					leader, err := opt.FS.Parse(lead)
					if err != nil {
						t.Fatal(err)
					}
					opt.Events[1].Leader = &leader
				}
				gate := filepath.Join(t.TempDir(), "gate")
				if err := unix.Mkfifo(gate, 0o600); err != nil {
					t.Fatal(err)
				}
				env := fmt.Sprintf("%s %d %d 0", gate, threads, pages)
				sink := &toucher{recorder: recorder{t: t}, event: 1, gate: gate}
				switch target {
				case "command after a delay":
					opt.Delay = 50 * time.Millisecond
					fallthrough
				case "command":
					t.Setenv(toucherEnv, env)
					opt.Command = []string{self(t)}
				case "processes":
					opt.PIDs = []int{startSelf(t, toucherEnv+"="+env).Process.Pid}
				case "all CPUs":
					if os.Geteuid() != 0 {
						t.Skip("recording all CPUs needs root here")
					}
					c := startSelf(t, toucherEnv+"="+env)
					opt.All, opt.Duration = true, time.Minute
					sink.ended = make(chan struct{})
					go func() {
						c.Process.Wait()
						close(sink.ended)
					}()
				}
				result, err := Run(opt, sink)
				if err != nil {
					t.Fatal(err)
				}
				defer result.Close()
				touched := make([]int, threads*pages)
				for _, s := range sink.samples {
					if page := (uintptr(s.Addr) - touchedAt) / uintptr(pageSize); page < threads*pages {
						touched[page]++
					}
				}
				if slices.Max(touched) != 1 || slices.Min(touched) != 1 {
					t.Errorf("%d to %d faults of each of %d pages, want one", slices.Min(touched), slices.Max(touched), len(touched))
				}
				b := result.Events[1]
				if !opt.All { // others end while the events are being read
					exact(t, b, len(sink.samples))
				}
				if b.Name != "page-faults:u" || b.Counted < b.Samples {
					t.Errorf("books %+v", b)
				}
				if clock := result.Events[0]; clock.Counted == 0 || clock.Represented > clock.Counted || clock.Running != result.Ran {
					t.Errorf("books of the clock %+v, which ran for %v", clock, result.Ran)
				}
				if o := result.Opened[1]; o.Attr.Sample != 1 || o.Attr.SampleFormat&perfring.SampleAddr == 0 {
					t.Errorf("opened %+v, want the event that is sampled", o)
				}
			})
		}
	}
}

// A sample has the fields that were asked for, and what cannot be asked is refused.
func TestSampleFormat(t *testing.T) {
	opt := options(t)
	opt.Events[0].SampleFormat = fieldsOfChoice
	r := &recording{opt: opt}
	if got := r.attr(0, 1).SampleFormat; got&fieldsOfChoice != fieldsOfChoice || got&perfring.SampleTime == 0 {
		t.Errorf("sample format %#x, want all of %#x beside the usual", got, fieldsOfChoice)
	}
	opt.All = true
	opt.Events[0].SampleFormat = perfring.SampleRegsUser
	if _, err := Run(opt, &recorder{t: t}); err == nil {
		t.Error("registers were not refused, for which an event has no mask")
	}
}

// An event of one kind of core is opened on the CPUs of that kind.
func TestEventOfSomeCPUs(t *testing.T) {
	opt := options(t)
	present, err := opt.FS.PresentCPUs()
	if err != nil {
		t.Fatal(err)
	}
	last := present[len(present)-1]
	faults, err := opt.FS.Parse("page-faults")
	if err != nil {
		t.Fatal(err)
	}
	faults.CPUs = []int{last}
	leader := faults
	opt.Events = append(opt.Events, Event{Event: faults, Period: 1, Leader: &leader})
	r := &recording{opt: opt}
	if got, want := r.descriptors(present), len(present)+2; got != want {
		t.Errorf("%d descriptors for a thread, want %d", got, want)
	}
	for _, cpu := range present {
		want := []int{0}
		if cpu == last {
			want = []int{0, 1}
		}
		if got := r.indices(cpu); !slices.Equal(got, want) {
			t.Errorf("events %v on CPU %d, want %v", got, cpu, want)
		}
	}
	opt.Events[1].CPUs = []int{1 << 14}
	opt.Command = []string{"true"}
	if _, err := Run(opt, &recorder{t: t}); err == nil {
		t.Error("an event was left out, for which there is no CPU")
	}
}
