package collect_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/bpf"
	"github.com/energyprof/energyprof/internal/collect"
	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/internal/session"
	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report"
)

// name is that of the program. Recordings of the whole system see those of other tests, too.
var name = fmt.Sprintf("burn%d", os.Getpid())

// burn builds testdata/burn: a test's own executable has no symbols.
func burn(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("go", "build", "-o", path, "./testdata/burn").CombinedOutput(); err != nil {
		t.Fatalf("building testdata/burn: %v\n%s", err, out)
	}
	return path
}

// record runs a session into a Collector, or skips the test.
func record(t *testing.T, opt session.Options) *report.Recording {
	t.Helper()
	return recordStacks(t, opt, collect.Stacks{})
}

func recordStacks(t *testing.T, opt session.Options, stacks collect.Stacks) *report.Recording {
	t.Helper()
	events := []collect.Event{{Name: "cpu-clock", Clock: true}}
	if stacks.Walked() {
		events[0].UserRegs = perfring.RegsMask
	}
	fs := pmu.NewFS("/sys", "/proc")
	clock, err := fs.Parse("cpu-clock")
	if err != nil {
		t.Fatal(err)
	}
	c, err := collect.New(collect.Options{Events: events, SystemWide: opt.All, Stacks: stacks, Proc: "/proc", Resolver: symbol.New(symbol.Options{})})
	if err != nil {
		t.Fatal(err)
	}
	opt.Events = []session.Event{{Event: clock, Frequency: 999}}
	opt.Callchains, opt.FS, opt.Proc = true, fs, "/proc"
	result, err := session.Run(opt, c)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
			t.Fatalf("root may not record: %v", err)
		}
		t.Skipf("this user may not record here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	result.Close()
	return c.Finish()
}

// share is the part of the CPU time of a process that has the functions, leaf first, at the leaf; and
// that CPU time.
func share(r *report.Recording, process string, functions ...string) (float64, time.Duration) {
	var with, all int64
	for _, st := range r.Data.Stacks {
		if process != st.Process {
			continue
		}
		all += st.Nanoseconds
		var names []string
		for _, l := range st.Locations {
			for _, f := range l.Lines {
				names = append(names, f.Function)
			}
		}
		if strings.Contains(strings.Join(names, " "), strings.Join(functions, " ")) {
			with += st.Nanoseconds
		}
	}
	return float64(with) / float64(max(1, all)), time.Duration(all)
}

// enough is CPU time that tells where it is spent: a few dozen samples.
const enough = 50 * time.Millisecond

func check(t *testing.T, r *report.Recording) {
	t.Helper()
	got, total := share(r, name, "main.burn", "main.outer", "main.main")
	if got < 0.8 || total < enough {
		t.Errorf("main.burn, called by main.outer, has %.0f %% of %v CPU time of burn", got*100, total)
	}
	p, err := r.Profile()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range p.Function {
		if f.Name == "main.burn" && !strings.HasSuffix(f.Filename, "testdata/burn/main.go") {
			t.Errorf("main.burn is in the file %q", f.Filename)
		}
	}
}

func TestLiveCommand(t *testing.T) {
	program := burn(t)
	r := record(t, session.Options{Command: []string{program, "300ms"}})
	check(t, r)
	if m := r.Data.Main; m == nil || m.File != program || m.BuildID == "" {
		t.Errorf("main mapping %+v, want that of the command", m)
	}
}

// What a session calls the records of walks is what a Collector takes for them.
var _ = [1]struct{}{}[session.StackEvent-collect.WalkEvent]

// A shell starts programs beside each other and executes the last one: the stacks of all are whole, and so are those of a process
// that ran before.
func TestLiveWholeStacks(t *testing.T) {
	program := burn(t)
	for _, method := range []session.StackMethod{session.StacksDWARF, session.StacksBPF} {
		t.Run(string(method), func(t *testing.T) {
			// One program is for one recording, and it is there as long as that.
			opened := func(opt session.Options) (session.Options, collect.Stacks) {
				stacks := collect.Stacks{Method: string(method)}
				opt.Stacks.Copy = session.DefaultCopy
				if method == session.StacksBPF {
					walks, err := bpf.NewStacks(bpf.StackOptions{})
					if err != nil {
						if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
							t.Fatalf("root may not load the program: %v", err)
						}
						t.Skipf("this user may not load BPF programs here: %v", err)
					}
					t.Cleanup(func() { walks.Close() })
					opt.Stacks = session.Stacks{BPF: walks}
					stacks.BPF = walks
				}
				return opt, stacks
			}
			t.Run("children", func(t *testing.T) {
				opt, stacks := opened(session.Options{Command: []string{"sh", "-c", `"$0" 300ms & "$0" 300ms; wait; exec "$0" 300ms`, program}})
				whole(t, recordStacks(t, opt, stacks))
			})
			t.Run("attach", func(t *testing.T) {
				c := exec.Command(program, "1h")
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				defer func() {
					c.Process.Kill()
					c.Wait()
				}()
				opt, stacks := opened(session.Options{PIDs: []int{c.Process.Pid}, Duration: time.Second})
				whole(t, recordStacks(t, opt, stacks))
			})
		})
	}
}

// whole wants the stacks of burn down to where Go enters goroutines.
func whole(t *testing.T, r *report.Recording) {
	t.Helper()
	got, total := share(r, name, "main.burn", "main.outer", "main.main", "runtime.main", "runtime.goexit")
	if got < 0.8 || total < enough {
		t.Errorf("main.burn, called by main.outer down to runtime.goexit, has %.0f %% of %v CPU time of burn", got*100, total)
	}
	s := r.Stacks
	sum := s.Complete + s.Truncated
	for _, n := range s.Failed {
		sum += n
	}
	if s.Complete*10 < s.Samples*9 || sum != s.Samples {
		t.Errorf("stacks %+v, notes %q", s, r.Notes)
	}
}

func TestLiveExistingProcesses(t *testing.T) {
	program := burn(t)
	for _, all := range []bool{false, true} {
		t.Run(map[bool]string{false: "attach", true: "system-wide"}[all], func(t *testing.T) {
			c := exec.Command(program, "1h")
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				c.Process.Kill()
				c.Wait()
			}()
			opt := session.Options{All: all, Duration: 300 * time.Millisecond}
			if !all {
				opt.PIDs = []int{c.Process.Pid}
			}
			r := record(t, opt)
			for opt.Duration < 20*time.Second { // how much of a machine that is busy it gets is not known
				if _, total := share(r, name); total >= enough {
					break
				}
				opt.Duration *= 2
				r = record(t, opt)
			}
			check(t, r)
		})
	}
}
