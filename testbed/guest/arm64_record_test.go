package guest

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// The whole program: the functions of the workload have cycles and time, and the
// energy is said to be what it is, a model's.
func TestARM64Record(t *testing.T) {
	only(t, armGuest)
	file := filepath.Join(scratch(t), "profile.pb.gz")
	s := record(t, "-o", file, "-e", "cycles", "--", "workload", "-mute", "-threads", "1", "-naps", "0", "-functions", "parse=0,hash=0", "-seconds", "1.5")
	if s.Source.Name != "model" || s.Source.Measured || s.Lost != 0 || s.BadRecords != 0 {
		t.Errorf("source %+v, %d lost, %d bad records; want the model, not measured", s.Source, s.Lost, s.BadRecords)
	}
	if !slices.ContainsFunc(s.Notes, func(n string) bool { return strings.Contains(n, "an estimate, not a measurement") }) {
		t.Errorf("notes %q do not say that this is an estimate", s.Notes)
	}
	// Who else ran is known from the kernel's scheduler, not from ticks.
	if text := strings.Join(s.Notes, "\n"); strings.Contains(text, "/proc/stat") || s.OtherJoules == nil {
		t.Errorf("who else ran is not known exactly: %s", text)
	}

	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	p, err := profile.Parse(f)
	must(t, err)
	column := map[string]int{}
	for i, typ := range p.SampleType {
		column[typ.Type+"/"+typ.Unit] = i
	}
	_, timed := column["cpu/nanoseconds"]
	_, cycled := column["cycles/count"]
	if !timed || !cycled {
		t.Fatalf("sample types %v, want cpu time and cycles", column)
	}
	var seconds, cycles float64
	var leaf, whole int64
	for _, sample := range p.Sample {
		var stack []string
		for _, l := range sample.Location {
			for _, line := range l.Line {
				stack = append(stack, line.Function.Name)
			}
		}
		if len(stack) == 0 || stack[0] != "main.parse" && stack[0] != "main.hash" {
			continue
		}
		seconds += float64(sample.Value[column["cpu/nanoseconds"]]) / 1e9
		cycles += float64(sample.Value[column["cycles/count"]])
		n := sample.Value[column["samples/count"]]
		leaf += n
		// main.burst between them keeps the address that parse returns to in a
		// register, as any caller of a function without a frame: frame pointers
		// do not lead to it on arm64.
		if in := strings.Join(stack[1:], " "); strings.HasSuffix(in, " runtime.goexit") &&
			(strings.Contains(in, "main.(*plan).thread main.(*plan).run") || strings.Contains(in, "main.(*plan).calibrate main.main")) {
			whole += n
		}
	}
	t.Logf("%.3f s and %.0f cycles of parse and hash, %d of %d stacks whole", seconds, cycles, whole, leaf)
	if seconds < 1.2 || seconds > 2 {
		t.Errorf("%.3f s of parse and hash, which ran for 1.5 s and their calibration", seconds)
	}
	if want := seconds * armCycles; math.Abs(cycles-want) > 0.05*want {
		t.Errorf("%.0f cycles in %.3f s, want 1 GHz", cycles, seconds)
	}
	if whole < leaf*99/100 {
		t.Errorf("%d of %d stacks lead from the functions to where their thread began", whole, leaf)
	}
}

// Where no counter is, none is made up, and what asks for one is told.
func TestARM64Energy(t *testing.T) {
	only(t, armGuest)
	_, stderr, code := run(t, "energyprof", "record", "--energy", "perf", "--", "true")
	if code != 125 || !strings.Contains(stderr, "no perf PMU power") || !strings.Contains(stderr, "`--energy auto`") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	s := record(t, "--energy", "none", "--", "workload", "-mute", "-threads", "1", "-seconds", "0.2")
	if s.Source.Name != "none" || s.Attribution.Method != "none" || s.BaselineJoules != nil {
		t.Errorf("source %+v, attribution %+v, baseline %v; want none", s.Source, s.Attribution, s.BaselineJoules)
	}
	for _, f := range s.Functions {
		if f.Joules != nil {
			t.Errorf("%s has %v J of no source", f.Name, *f.Joules)
		}
	}
}

func TestARM64ListAndDoctor(t *testing.T) {
	only(t, armGuest)
	stdout, _, code := run(t, "energyprof", "list")
	if code != 0 {
		t.Errorf("list: exit code %d", code)
	}
	says(t, "list", stdout,
		"perf-power no no perf PMU power: no such energy counter in this machine",
		"powercap no no RAPL zone in /sys/class/powercap: no such energy counter in this machine",
		"msr no energy registers are x86 processors': no such energy counter in this machine",
		"hwmon no *",
		"model yes ESTIMATED: package 0 CPUs 0-1",
		"cycles yes",
		"instructions yes",
		"cache-misses no *(ENOENT)*", // TCG has no caches
		"mem:0x1000:w yes",
		"PMU armv8_pmuv3 (type *), CPUs 0-1",
		"armv8_pmuv3/cpu_cycles/ yes",
		"armv8_pmuv3/inst_retired/ yes",
	)
	stdout, _, code = run(t, "energyprof", "doctor")
	if code != 0 {
		t.Errorf("doctor: exit code %d", code)
	}
	says(t, "doctor", stdout,
		"Linux * aarch64, perf_event_paranoid "+strconv.Itoa(paranoid(t))+", kptr_restrict *, user 0",
		"ok count cycles (hardware PMU)",
		"ok sample all CPUs (record -a)",
		"ok names of kernel functions",
		"no energy from perf-power *",
		"ok energy from model ESTIMATED: package 0 CPUs 0-1",
	)
}

func paranoid(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(read(t, "/proc/sys/kernel/perf_event_paranoid"))
	must(t, err)
	return n
}
