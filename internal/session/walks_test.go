package session

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/bpf"
	"github.com/energyprof/energyprof/perfring"
)

// walker loads the program that walks stacks, or skips the test where this user may not. Nobody tells it of mappings, so
// all of its walks of user code get stuck; of the stack it copies little.
func walker(t *testing.T) *bpf.Stacks {
	t.Helper()
	p, err := bpf.NewStacks(bpf.StackOptions{CopyBytes: 512})
	if err != nil {
		lacks := func(what error) bool { return errors.Is(err, what) }
		if os.Getenv("CI") == "true" && !slices.ContainsFunc([]error{bpf.ErrPermission, bpf.ErrNoBTF, bpf.ErrTooOld, bpf.ErrLockdown}, lacks) {
			t.Fatal(err)
		}
		t.Skipf("no walks of stacks in the kernel here: %v", err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// pairs is a Sink that expects a walk before each sample.
type pairs struct {
	recorder
	walk     map[int]perfring.Sample // by CPU: the last one
	at       map[int]uint64          // by CPU: what it says that it is a walk of
	lone     []perfring.Sample       // samples without a walk
	walks    int
	pids     map[uint32]int // samples by process
	userPart int            // samples with a user part in their callchain
}

func (p *pairs) Record(rec perfring.Record, cpu, event int) {
	s, ok := rec.(*perfring.Sample)
	switch {
	case !ok || event == StackEvent:
		if ok {
			var w bpf.Walked
			const gone = 1<<32 - 1 // what records have of a task that is being reaped
			if err := bpf.DecodeWalk(s.RawData, &w); err != nil || w.TID != s.TID && s.TID != gone || w.PID != s.PID && s.PID != gone {
				p.t.Fatalf("a walk of %d/%d in a record of %d/%d, %v", w.PID, w.TID, s.PID, s.TID, err)
			}
			p.walk[cpu], p.at[cpu] = *s, w.IP
			p.walks++
		}
		return
	case slices.Contains(s.Callchain, perfring.ContextUser):
		p.userPart++
	}
	p.pids[s.PID]++
	w, ok := p.walk[cpu]
	delete(p.walk, cpu)
	if !ok || w.TID != s.TID || w.PID != s.PID || w.Time > s.Time || p.at[cpu] != s.IP {
		p.lone = append(p.lone, *s)
	}
	p.recorder.Record(rec, cpu, event)
}

func newPairs(t *testing.T) *pairs {
	return &pairs{recorder: recorder{t: t}, walk: map[int]perfring.Sample{}, at: map[int]uint64{}, pids: map[uint32]int{}}
}

func runPairs(t *testing.T, opt Options) (*pairs, *Result) {
	t.Helper()
	sink := newPairs(t)
	result := runInto(t, opt, sink)
	if sink.userPart > 0 {
		t.Errorf("%d samples with a user part in the kernel's callchain: the program has it", sink.userPart)
	}
	return sink, result
}

// Whatever is recorded, the program's word of a sample comes right before it, out of the same ring: of a command and the
// children that inherit its events, of threads that were there, and of all CPUs.
func TestWalksComeBeforeTheirSamples(t *testing.T) {
	for _, target := range []string{"command", "command after a delay", "processes", "all CPUs"} {
		t.Run(target, func(t *testing.T) {
			opt := options(t)
			opt.Stacks.BPF = walker(t)
			opt.Events[0].Frequency, opt.Pages = 2000, 0
			t.Setenv(workerEnv, "2 0.3 0")
			shell := []string{"sh", "-c", `"$0" & "$0"; wait`, self(t)}
			processes := 2
			switch target {
			case "command":
				opt.Command = shell
			case "command after a delay":
				opt.Command, opt.Delay = shell, 50*time.Millisecond
			default:
				t.Setenv(workerEnv, "2 60 0") // longer than a busy machine takes to open the events; they are killed
				c := exec.Command(shell[0], shell[1:]...)
				started(t, c)
				opt.Duration = 200 * time.Millisecond
				if opt.All = target == "all CPUs"; !opt.All {
					opt.PIDs, processes = children(t, c.Process.Pid), 2
				}
			}
			sink, result := runPairs(t, opt)
			total := 0
			for _, n := range sink.pids {
				total += n
			}
			if total < 100 || len(sink.pids) < processes {
				t.Fatalf("%d samples of processes %v, want 100 of %d", total, sink.pids, processes)
			}
			// A program that runs keeps others of its kind from running on that CPU, and so
			// does who changes a map: those samples are never written.
			if len(sink.lone) > total/100 {
				t.Errorf("%d of %d samples do not come after a walk of theirs, the first %+v", len(sink.lone), total, sink.lone[0])
			}
			for _, n := range result.Notes {
				if n.Kind == NoteNoStacks || n.Kind == NoteLostStacks {
					t.Errorf("unexpected note %q", n.Text)
				}
			}
		})
	}
}

// started starts c and ends it with the test.
func started(t *testing.T, c *exec.Cmd) {
	t.Helper()
	c.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Kill(-c.Process.Pid, unix.SIGKILL)
		c.Wait()
	})
}

// children waits for the two children of a process.
func children(t *testing.T, pid int) []int {
	t.Helper()
	path := "/proc/" + strconv.Itoa(pid) + "/task/" + strconv.Itoa(pid) + "/children"
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var pids []int
		for f := range strings.FieldsSeq(string(b)) {
			n, err := strconv.Atoi(f)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, n)
		}
		if len(pids) == 2 {
			return pids
		}
	}
	t.Fatal("the children did not come")
	return nil
}

// Where rings are too small for what comes, only the samples that were lost are told as lost, and not their walks.
func TestLostWalksAreNoSamples(t *testing.T) {
	opt := options(t)
	opt.Stacks.BPF = walker(t)
	opt.Command = []string{self(t)}
	opt.Pages, opt.Events[0].Frequency = 1, 20000
	t.Setenv(workerEnv, "2 0.4 0")
	sink, result := runPairs(t, opt)
	e := result.Events[0]
	if !e.HasLost {
		t.Skip("this kernel does not count what each event lost")
	}
	told := result.Books.Total().Lost
	if e.Lost == 0 {
		t.Fatalf("nothing was lost of %d samples in rings of a page", e.Samples)
	}
	// Records of processes may be lost, too.
	if told < e.Lost || told > e.Lost+e.Lost/50+20 {
		t.Errorf("%d records told as lost, the kernel lost %d samples; %d walks came for %d samples", told, e.Lost, sink.walks, e.Samples)
	}
}

// A tracepoint cannot run the program; its samples have a copy of the stack, and a note says so.
func TestTracepointsHaveCopies(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/tracing/events/sched/sched_switch/id"); err != nil {
		t.Skipf("no tracepoints: %v", err)
	}
	opt := sampled(t, "sched:sched_switch", 0)
	opt.Stacks.BPF = walker(t)
	opt.Command, opt.Pages = []string{self(t)}, 0
	t.Setenv(workerEnv, "4 0.2 0")
	sink := &toucher{recorder: recorder{t: t}, event: 1}
	result, err := Run(opt, sink)
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	if len(sink.samples) == 0 {
		t.Fatal("no samples")
	}
	copies := 0
	for _, s := range sink.samples {
		if s.UserRegsABI == 2 && len(s.UserStack) > 0 {
			copies++
		}
	}
	// A new thread may not have touched its stack yet, and one that ends has given up its memory.
	if copies < (len(sink.samples)+1)/2 {
		t.Errorf("%d of %d samples have registers and some of the stack, want most", copies, len(sink.samples))
	}
	if !slices.ContainsFunc(result.Notes, func(n Note) bool { return n.Kind == NoteCopied }) {
		t.Errorf("no note of the copies: %v", result.Notes)
	}
}

// A walk is put before the record after it in time, whichever of the two has the earlier one.
func TestWalkIsHeldForItsSample(t *testing.T) {
	for _, c := range []struct{ walk, next, want uint64 }{{10, 12, 10}, {10, 10, 10}, {10, 7, 7}} {
		record := make([]byte, 64)
		binary.NativeEndian.PutUint64(record[walkTimeAt:], c.walk)
		var w walks
		w.hold(record, c.walk)
		got, at := w.take(c.next)
		if at != c.want || len(got) != len(record) || binary.NativeEndian.Uint64(got[walkTimeAt:]) != c.want {
			t.Errorf("walk at %d before a record at %d: %d bytes at %d, want %d at %d", c.walk, c.next, len(got), at, len(record), c.want)
		}
		if got, _ := w.take(c.next); len(got) != 0 {
			t.Error("a walk was taken twice")
		}
	}
	var w walks
	w.hold(make([]byte, 64), 1)
	if w.drained() || !w.drained() {
		t.Error("a walk without a sample is overdue from the second drain on")
	}
}

// What is lost of walks comes off LOST records, however the two are told.
func TestTakeOff(t *testing.T) {
	record := func(n uint64) []byte {
		b := make([]byte, 24)
		binary.NativeEndian.PutUint64(b[lostAt:], n)
		return b
	}
	w := walks{lost: 5}
	for i, c := range []struct{ all, want uint64 }{{4, 0}, {3, 2}, {6, 6}} {
		b := record(c.all)
		if left := w.takeOff(b, true); left != c.want || binary.NativeEndian.Uint64(b[lostAt:]) != c.want {
			t.Errorf("record %d: %d are left of %d, want %d", i, left, c.all, c.want)
		}
	}
	if left := (&walks{}).takeOff(record(7), false); left != 4 {
		t.Errorf("%d are left of 7 of which nobody knows, want 4", left)
	}
}

func TestPace(t *testing.T) {
	var p pace
	const ms = time.Millisecond
	for i, c := range []struct {
		news bool
		want time.Duration
	}{{false, 5 * ms}, {false, 10 * ms}, {true, 5 * ms}, {true, 5 * ms}, {false, 10 * ms}, {false, 20 * ms}, {false, 40 * ms}, {false, 80 * ms}, {false, 160 * ms}, {false, tick}, {false, tick}, {true, 5 * ms}} {
		p.news = p.news || c.news
		if got := p.next(); got != c.want {
			t.Errorf("step %d: %v, want %v", i, got, c.want)
		}
	}
}
