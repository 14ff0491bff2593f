package perfdata

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/energyprof/energyprof/perfring"
)

// runPerf runs perf and returns its standard output.
func runPerf(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "perf", args...)
	cmd.Env = append(os.Environ(), "PERF_CONFIG=/dev/null", "LC_ALL=C")
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("perf %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return stdout.String(), nil
}

func needPerf(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("perf"); err != nil {
		t.Skipf("no perf: %v", err)
	}
	if _, err := runPerf("--version"); err != nil {
		t.Skipf("perf does not run here: %v", err) // Ubuntu's is a script that looks for the kernel's own
	}
}

// record makes a capture of a shell that computes, forks and executes. Skipped is
// what this machine or user cannot do.
func record(t *testing.T, options ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "perf.data")
	// Without build ids asked for, perf 6.1 falls over the bit of one that the kernel
	// leaves in a record while somebody else asks for them.
	args := append([]string{"record", "-q", "-B", "-N", "--no-bpf-event", "--buildid-mmap"}, options...)
	toPipe := slices.Contains(options, "-")
	if !toPipe {
		args = append(args, "-o", path)
	}
	out, err := runPerf(append(args, "--", "sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; (exec true); true")...)
	if err != nil && (os.Getenv("CI") != "true" || os.Geteuid() != 0) {
		t.Skipf("this perf, machine or user cannot: %v", err)
	}
	must(t, err)
	if toPipe {
		must(t, os.WriteFile(path, []byte(out), 0o600))
	}
	return path
}

// scriptFields are samples in the form of perf script.
const scriptFields = "pid,tid,cpu,time,period,event,ip"

type scripted struct {
	file  *File
	lines []string
	counter
}

func (s *scripted) Record(rec perfring.Record, cpu, event int) {
	s.counter.Record(rec, cpu, event)
	r, ok := rec.(*perfring.Sample)
	if !ok {
		return
	}
	name := "?"
	if event >= 0 {
		name = s.file.Events[event].Name
	}
	s.lines = append(s.lines, fmt.Sprintf("%d/%d [%03d] %d.%09d: %d %s: %x",
		int32(r.PID), int32(r.TID), cpu, r.Time/1e9, r.Time%1e9, r.Period, name, r.IP))
}

// readScript reads a file both with perf script and with this package.
func readScript(t *testing.T, path string) (f *File, r *Result, got, want []string, sink *scripted) {
	t.Helper()
	out, err := runPerf("script", "-i", path, "--ns", "-G", "-F", scriptFields)
	must(t, err)
	for line := range strings.Lines(out) {
		want = append(want, strings.Join(strings.Fields(line), " "))
	}
	f, err = Open(path)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	sink = &scripted{file: f}
	r, err = f.Read(sink)
	must(t, err)
	return f, r, sink.lines, want, sink
}

// What perf script says of a recording, sample by sample and in the same order.
func TestAgainstPerfScript(t *testing.T) {
	needPerf(t)
	tests := []struct {
		name    string
		root    bool
		options []string
	}{
		{"file", false, []string{"--sample-cpu", "-e", "cpu-clock,page-faults", "-c", "100000"}},
		{"pipe", false, []string{"--sample-cpu", "-e", "cpu-clock:u,page-faults", "-o", "-", "-g"}},
		{"one event", false, []string{"--sample-cpu", "-e", "cpu-clock", "-c", "20000"}},
		{"group", false, []string{"--sample-cpu", "-e", "{cpu-clock,page-faults}:S", "-e", "minor-faults"}},
		{"all CPUs", true, []string{"-a", "-e", "cpu-clock", "-e", "raw_syscalls:sys_enter", "-c", "100000", "--call-graph", "dwarf,4096"}},
		{"zstd", false, []string{"--sample-cpu", "-z", "-e", "cpu-clock,page-faults", "-c", "30000"}},
		{"zstd pipe", false, []string{"--sample-cpu", "-z", "-e", "cpu-clock,page-faults", "-c", "30000", "-o", "-"}},
		{"strongest zstd", false, []string{"--sample-cpu", "-z=22", "-e", "cpu-clock", "-c", "30000"}},
		{"small rings", true, []string{"-a", "-m", "1", "-e", "cpu-clock", "-c", "30000"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.root && os.Geteuid() != 0 {
				t.Skip("wants root")
			}
			path := record(t, test.options...)
			f, r, got, want, sink := readScript(t, path)
			if !slices.Equal(want, got) {
				t.Errorf("(-perf +perfdata):\n%s", cmp.Diff(want, got))
			}
			// Full rings are drained without a pause, and a CPU may be held up for longer than one of perf's rounds
			// takes while it writes a record.
			late := r.Late > 0 && r.Books.Total().Lost == 0
			if len(want) == 0 || r.Truncated >= 0 || len(r.Notes) != 0 || sink.back > 0 || late || r.Foreign > 0 || r.Books.Total().Bad > 0 {
				t.Errorf("%d samples, result %+v, %d back in time", len(want), r, sink.back)
			}
			if err := f.CheckClock(); !errors.Is(err, ErrClock) {
				t.Errorf("clock: %v", err)
			}
			if f.Info.Hostname == "" || f.Info.CPUsOnline == 0 || len(f.Info.CPUs) != f.Info.CPUsAvailable || f.Info.Cmdline[1] != "record" {
				t.Errorf("info %+v", f.Info)
			}
		})
	}
}

// A counter beside the clock passes for one of energy.
func TestEnergyLive(t *testing.T) {
	needPerf(t)
	if os.Geteuid() != 0 {
		t.Skip("wants root")
	}
	if _, err := os.Stat("/sys/bus/event_source/devices/msr/events/tsc"); err != nil {
		t.Skipf("no time stamp counter: %v", err)
	}
	path := record(t, "-a", "-k", "CLOCK_MONOTONIC", "-e", "{cpu-clock,msr/tsc/}:SGH", "-F", "997")
	f, err := Open(path)
	must(t, err)
	defer f.Close()
	if err := f.CheckClock(); err != nil {
		t.Error(err)
	}
	if err := f.UseEnergy("no-such-event", 1); !errors.Is(err, ErrNoSuchEvent) {
		t.Errorf("an event that is not there: %v", err)
	}
	must(t, f.UseEnergy("msr/tsc/", 1e-9))
	var sink transcript
	r, err := f.Read(&sink)
	must(t, err)
	if r.EnergyReadings == 0 || r.EnergyBack != 0 || len(sink.energy) == 0 || r.Samples[1] != 0 || r.Samples[0] == 0 {
		t.Errorf("result %+v, %d readings", r, len(sink.energy))
	}
	last := make(map[float64]float64)
	for _, e := range sink.energy {
		if e[1] < last[e[0]] {
			t.Errorf("domain %v goes back from %v to %v J", e[0], last[e[0]], e[1])
		}
		last[e[0]] = e[1]
	}
	// A tick of the counter is between 0.2 and 1 ns.
	seconds := float64(r.Last-r.First) / 1e9
	for domain, joules := range last {
		if joules < seconds || joules > 6*seconds+1 {
			t.Errorf("domain %v: %v J in %v s", domain, joules, seconds)
		}
	}
	if len(last) != len(f.EnergyDomains) {
		t.Errorf("%v of %v have readings", last, f.EnergyDomains)
	}
}

// What counts the threads of a command is refused, whatever perf tells of it.
func TestEnergyPerThreadLive(t *testing.T) {
	needPerf(t)
	if os.Geteuid() != 0 {
		t.Skip("wants root")
	}
	if _, err := os.Stat("/sys/bus/event_source/devices/msr/events/tsc"); err != nil {
		t.Skipf("no time stamp counter: %v", err)
	}
	tests := []struct {
		name    string
		options []string
		want    error
	}{
		{"a command", nil, ErrPerThread},
		{"a command, with CPUs", []string{"--sample-cpu"}, ErrPerThread},
		{"one thread", []string{"--per-thread", "-T"}, ErrPerThread},
		{"some CPUs", []string{"-C", "0"}, nil},
		{"all CPUs through a pipe", []string{"-a", "-o", "-"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := record(t, append(test.options, "-e", "{cpu-clock,msr/tsc/}:S")...)
			f, err := Open(path)
			must(t, err)
			defer f.Close()
			if err := f.UseEnergy("msr/tsc/", 1e-9); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}
