package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/prometheus/procfs"

	"github.com/energyprof/energyprof/report"
	"github.com/energyprof/energyprof/report/pprofile"
)

// energyprof runs the command line and fails the test unless it exits with code.
func energyprof(t *testing.T, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	c := exec.Command("energyprof", args...)
	c.Stdout, c.Stderr = &out, &errOut
	err := c.Run()
	if got := c.ProcessState.ExitCode(); got != code {
		t.Fatalf("energyprof %q: exit code %d (%v), want %d\n%s", args, got, err, code, errOut.String())
	}
	return out.String(), errOut.String()
}

func needSampling(t *testing.T) {
	t.Helper()
	if ok, err := maySample(); err != nil {
		t.Fatal(err)
	} else if !ok {
		t.Skip("perf events are not allowed here")
	}
}

func needTSC(t *testing.T) {
	t.Helper()
	needSampling(t)
	if _, err := os.Stat("/sys/bus/event_source/devices/msr/events/tsc"); err != nil {
		t.Skipf("no counter that stands in for energy: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("counting a CPU needs root here")
	}
}

func readProfile(t *testing.T, path string) *profile.Profile {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.CheckValid(); err != nil {
		t.Fatal(err)
	}
	return p
}

// buildC compiles a C program of testdata/workload.
func buildC(t *testing.T, name string) string {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skipf("no C compiler: %v", err)
	}
	out := filepath.Join(t.TempDir(), strings.TrimSuffix(name, ".c"))
	c := exec.Command(gcc, "-O2", "-g", "-fno-omit-frame-pointer", "-o", out, filepath.Join("../../testdata/workload", name), "-lpthread")
	if msg, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	return out
}

func buildGo(t *testing.T, dir string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), dir)
	c := exec.Command("go", "build", "-o", out, "./"+filepath.Join("../../testdata/workload", dir))
	if msg, err := c.CombinedOutput(); err != nil {
		t.Skipf("no Go to build the workload: %v\n%s", err, msg)
	}
	return out
}

// TestSecondsAreTheProgramsOwn records programs that measure the CPU time of
// their functions themselves. Whether the kernel charges a thread for interrupts
// depends on its configuration (IRQ_TIME_ACCOUNTING) and on the load, so the
// function's own clock must lie between the seconds with and without what
// interrupted it, 3 % allowed. Time that a hypervisor stole is in the samples
// but not in the thread's clock (PARAVIRT_TIME_ACCOUNTING), or the other way about (a timer
// that is late fires once for all that it missed): it is allowed too. So is a part of what other programs took, as the kernel's clock favours some
// threads where they take turns: with two busy loops beside it, one function has 5 % less than the others, by perf, too.
func TestSecondsAreTheProgramsOwn(t *testing.T) {
	needSampling(t)
	for _, test := range []struct {
		name  string
		build func(t *testing.T) string
		code  int
		deep  string // a function called through 40 frames of recursion
	}{
		{"C", func(t *testing.T) string { return buildC(t, "threads.c") }, 7, "work_deep"},
		{"Go", func(t *testing.T) string { return buildGo(t, "goroutines") }, 0, "main.deep"},
	} {
		t.Run(test.name, func(t *testing.T) {
			binary := test.build(t)
			sum := ownTime{own: map[string]float64{}, with: map[string]float64{}, want: map[string]float64{}}
			var wrong []string
			for range 6 {
				p := sum.record(t, binary, test.code)
				if len(sum.want) < 3 {
					t.Fatalf("the workload told of %d functions", len(sum.want))
				}
				if depth := deepest(p, test.deep); depth < 40 {
					t.Errorf("%s: stacks of %d frames, want the 40 of the recursion", test.deep, depth)
				}
				if wrong = sum.wrong(); len(wrong) == 0 {
					return
				}
			}
			t.Error(strings.Join(wrong, "\n"))
		})
	}
}

// ownTime is what a workload took by function, in seconds, in all recordings of it so far. Where other programs interrupt it every few periods one
// recording scatters by some percent from function to function.
type ownTime struct {
	own, with map[string]float64 // sampled: alone, and with what it called or was interrupted by
	want      map[string]float64 // by its own clock
	all       float64
	used      cpuUse // of all CPUs meanwhile
}

func (o *ownTime) record(t *testing.T, binary string, code int) *profile.Profile {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.pb.gz")
	before := allCPUs(t)
	stdout, _ := energyprof(t, code, "record", "-q", "--energy", "none", "-F", "997", "-o", out, "--", binary, "0.7", strconv.Itoa(code))
	after := allCPUs(t)
	o.used.busy += after.busy - before.busy
	o.used.stolen += after.stolen - before.stolen
	p := readProfile(t, out)
	table := report.ReadTable(p)
	o.all += table.Seconds
	for _, r := range table.Rows {
		o.own[r.Name] += r.Seconds
		o.with[r.Name] += r.SecondsCumulative
	}
	lines := bufio.NewScanner(strings.NewReader(stdout))
	for lines.Scan() {
		var name string
		var seconds float64
		if _, err := fmt.Sscan(lines.Text(), &name, &seconds); err != nil {
			t.Fatal(err)
		}
		o.want[name] += seconds
	}
	return p
}

// wrong tells of the functions that are more than 3 % off, or what is allowed beyond that.
func (o *ownTime) wrong() (all []string) {
	const ofOthers = 0.05
	theft := o.used.stolen/o.all + ofOthers*max(0, 1-o.all/o.used.busy)
	more, less := 1.03+theft, 0.97-theft
	for name, want := range o.want {
		if own, with := o.own[name], o.with[name]; own > more*want || with < less*want || own < (0.9-theft)*want {
			all = append(all, fmt.Sprintf("%s: %.4f s sampled, %.4f s with interrupts, %.4f s by its own clock; %.1f %% allowed", name, own, with, want, 100*(more-1)))
		}
	}
	return all
}

// cpuUse is what all CPUs have done since boot, in seconds: for whoever runs here, and for other virtual machines.
type cpuUse struct{ busy, stolen float64 }

func allCPUs(t *testing.T) cpuUse {
	t.Helper()
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		t.Fatal(err)
	}
	stat, err := fs.Stat()
	if err != nil {
		t.Fatal(err)
	}
	c := stat.CPUTotal
	return cpuUse{busy: c.User + c.Nice + c.System + c.IRQ + c.SoftIRQ, stolen: c.Steal}
}

// deepest is the largest number of frames of a stack whose leaf is function.
func deepest(p *profile.Profile, function string) int {
	depth := 0
	for _, s := range p.Sample {
		if len(s.Location) > 0 && len(s.Location[0].Line) > 0 && s.Location[0].Line[0].Function.Name == function {
			depth = max(depth, len(s.Location))
		}
	}
	return depth
}

// TestEnergyAddsUp reads a real counter and wants its every microjoule in the
// profile, however fast the stacks are sampled.
func TestEnergyAddsUp(t *testing.T) {
	needTSC(t)
	binary := buildC(t, "threads.c")
	for _, rate := range [][]string{{"-F", "997"}, {"-F", "25000"}, {"-c", "10000"}} {
		for _, method := range []string{"proportional", "share"} {
			t.Run(strings.Join(rate, "")+method, func(t *testing.T) {
				dir := t.TempDir()
				out, trace := filepath.Join(dir, "out.pb.gz"), filepath.Join(dir, "trace.csv")
				args := append([]string{"record", "-q"}, rate...)
				args = append(args, "--energy-event", "msr/tsc/", "--energy-scale", "1e-9", "--attribution", method,
					"--energy-trace", trace, "-o", out, "--", binary, "0.15", "0")
				energyprof(t, 0, args...)
				p := readProfile(t, out)
				if last := p.SampleType[len(p.SampleType)-1]; last.Type != pprofile.EnergyType || p.DefaultSampleType != pprofile.EnergyType {
					t.Fatalf("last sample type %s, default %s, want %s", last.Type, p.DefaultSampleType, pprofile.EnergyType)
				}
				var sum int64
				for _, s := range p.Sample {
					sum += s.Value[len(s.Value)-1]
				}
				first, last := traceEnds(t, trace)
				if want := math.Round(last - first); float64(sum) != want {
					t.Errorf("the profile has %d microjoules, the counter says %.0f", sum, want)
				}
				if sum < 1e5 {
					t.Errorf("%d microjoules of a counter of 2.6 W in a third of a second", sum)
				}
			})
		}
	}
}

// traceEnds returns the first and the last microjoules of an energy trace.
func traceEnds(t *testing.T, path string) (first, last float64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 3 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	ends := [2]float64{}
	for i, row := range [][]string{rows[1], rows[len(rows)-1]} {
		if ends[i], err = strconv.ParseFloat(row[4], 64); err != nil {
			t.Fatal(err)
		}
	}
	return ends[0], ends[1]
}
