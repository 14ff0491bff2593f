package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/pprof/profile"

	"github.com/energyprof/energyprof/internal/perfdata"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report"
)

// nothing is a Sink that keeps nothing.
type nothing struct{}

func (nothing) Existing(int) error               { return nil }
func (nothing) Record(perfring.Record, int, int) {}
func (nothing) Busy(int, int64, int64, int64)    {}
func (nothing) Others(int, int64, int64, int64)  {}
func (nothing) Missed(int, int64, int64, int64)  {}
func (nothing) Energy(int, int64, float64)       {}
func (nothing) Count(int, int64, float64)        {}
func (nothing) Advance(int64)                    {}

// span is when the samples of a file were taken, and how many there are: none in a file that cannot be read.
func span(t *testing.T, path string) (first, last int64, samples uint64) {
	t.Helper()
	f, err := perfdata.Open(path)
	if err != nil {
		return 0, 0, 0
	}
	defer f.Close()
	r, err := f.Read(nothing{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range r.Samples {
		samples += n
	}
	return r.First, r.Last, samples
}

// Captures of other machines convert, or are refused with the reason; with a trace of energy beside them all of
// it, and no more, is in the profile.
func TestConvertCorpus(t *testing.T) {
	root := os.Getenv("ENERGYPROF_CORPUS")
	if root == "" {
		root = "../../../shared/corpus"
	}
	root = filepath.Join(root, "perfdata")
	if _, err := os.Stat(root); err != nil {
		t.Skipf("no corpus: %v", err)
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(root, path)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			convertCapture(t, path)
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func convertCapture(t *testing.T, path string) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out.pb.gz")
	first, last, samples := span(t, path)
	if samples == 0 {
		_, text := energyprof(t, 1, "convert", "-q", "-o", out, path)
		if !strings.HasPrefix(text, "energyprof: "+path+": ") {
			t.Errorf("refused without its name: %s", text)
		}
		if _, err := os.Stat(out); err == nil {
			t.Error("refused, and yet there is a profile")
		}
		t.Logf("refused: %s", text)
		return
	}
	var trace strings.Builder
	fmt.Fprintln(&trace, "time_ns,domain,package,cpus,energy_uj")
	const points, packageUJ, dramUJ = 20, 12_345_678.25, 3_000_001
	for i := range int64(points + 1) {
		at := max(first-1000, 0) + (last-first+2000)*i/points
		fmt.Fprintf(&trace, "%d,package,0,,%.3f\n%d,dram,0,,%.3f\n", at, 1e6+packageUJ*float64(i)/points, at, dramUJ*float64(i)/points)
	}
	csv := filepath.Join(dir, "trace.csv")
	if err := os.WriteFile(csv, []byte(trace.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	var sums [2][]byte
	for k := range sums {
		summary := filepath.Join(dir, "out.json")
		energyprof(t, 0, "convert", "-q", "--energy", csv, "--same-clock", "-o", out, "--summary", summary, path)
		p := readProfile(t, out)
		energy := len(p.SampleType) - 1
		if p.SampleType[energy].Type != "energy" {
			t.Fatalf("no energy but %v", p.SampleType)
		}
		var sum int64
		for _, s := range p.Sample {
			sum += s.Value[energy]
		}
		if want := int64(math.Round(packageUJ)) + dramUJ; sum != want {
			t.Errorf("%d uJ, the trace has %d", sum, want)
		}
		profile, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		js, err := os.ReadFile(summary)
		if err != nil {
			t.Fatal(err)
		}
		sums[k] = append(profile, js...)
	}
	if !bytes.Equal(sums[0], sums[1]) {
		t.Error("two conversions differ")
	}
}

// A recording of our own is the same again from its perf.data: all samples, values and places, and the summary.
func TestConvertOwnRecording(t *testing.T) {
	needTSC(t)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	threads := buildC(t, "threads.c")
	for _, target := range [][]string{{"--", threads, "0.3", "0"}, {"-a", "--duration", "500ms"}} {
		energyprof(t, 0, append([]string{"record", "-q", "--energy-event", "msr/tsc/", "--energy-scale", "1e-9", "-e", "cpu-clock", "-e", "page-faults",
			"-o", in("live.pb.gz"), "--summary", in("live.json"), "--perf-data", in("perf.data")}, target...)...)
		energyprof(t, 0, "convert", "-q", "-o", in("again.pb.gz"), "--summary", in("again.json"), in("perf.data"))
		live, again := readProfile(t, in("live.pb.gz")), readProfile(t, in("again.pb.gz"))
		again.Comments = live.Comments // which say that it was converted
		if d := cmp.Diff(live.String(), again.String()); d != "" {
			t.Errorf("%v: profile (-recorded +converted):\n%.2000s", target, d)
		}
		if live.TimeNanos != again.TimeNanos || live.DurationNanos != again.DurationNanos {
			t.Errorf("%v: start and duration %d %d, recorded %d %d", target, again.TimeNanos, again.DurationNanos, live.TimeNanos, live.DurationNanos)
		}
		recorded, converted := readSummary(t, in("live.json")), readSummary(t, in("again.json"))
		for _, s := range []*report.Summary{&recorded, &converted} {
			// Which files gave no names is a matter of the look-up, and its result is in the file.
			s.Notes = slices.DeleteFunc(s.Notes, func(n string) bool { return strings.HasPrefix(n, "functions of ") })
		}
		if d := cmp.Diff(recorded, converted); d != "" {
			t.Errorf("%v: summary (-recorded +converted):\n%.2000s", target, d)
		}
	}
}

// A note on how the recording shared energy out is not one on how a conversion does otherwise.
func TestConvertOwnNotes(t *testing.T) {
	own := &perfdata.Own{Notes: []string{"lost", staticIncluded}}
	for shared, want := range map[bool][]string{false: own.Notes, true: {"lost"}} {
		var rec report.Recording
		(&conversion{shared: shared}).describeOwn(&rec, own)
		if d := cmp.Diff(want, rec.Notes); d != "" {
			t.Errorf("shared out otherwise %v: notes (-want +got):\n%s", shared, d)
		}
	}
}

func readSummary(t *testing.T, path string) report.Summary {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var s report.Summary
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func needPerf(t *testing.T) {
	t.Helper()
	needSampling(t)
	if _, err := exec.LookPath("perf"); err != nil {
		t.Skipf("perf is not installed: %v", err)
	}
}

// perfRecord runs perf record. While another event of the system asks for build ids, as those of energyprof record do,
// kernels up to 6.18 mark the records of perf as having some, too, and perf crashes on them: so it asks for them itself.
func perfRecord(t *testing.T, args ...string) {
	t.Helper()
	if msg, err := exec.Command("perf", append([]string{"record", "-q", "--buildid-mmap"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("perf record: %v\n%s", err, msg)
	}
}

// Functions of a fresh capture have the shares that perf report gives them, and the names.
func TestConvertAgreesWithPerfReport(t *testing.T) {
	needPerf(t)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	threads := buildC(t, "threads.c")
	perfRecord(t, "-F", "4000", "-g", "-e", "cpu-clock", "-o", in("perf.data"), threads, "0.3", "0")
	text, err := exec.Command("perf", "report", "-i", in("perf.data"), "--stdio", "--no-children", "-g", "none", "-F", "overhead,sym", "-t", "|", "--percentage", "absolute").Output()
	if err != nil {
		t.Fatalf("perf report: %v", err)
	}
	energyprof(t, 0, "convert", "-q", "-o", in("out.pb.gz"), in("perf.data"))
	ours := leafShares(readProfile(t, in("out.pb.gz")))
	compared := 0
	for line := range strings.Lines(string(text)) {
		number, symbol, ok := strings.Cut(strings.TrimSpace(line), "|")
		share, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(number), "%"), 64)
		if !ok || err != nil || share < 0.3 {
			continue
		}
		compared++
		name := strings.TrimSpace(strings.TrimSpace(symbol)[3:]) // behind "[k] "
		if got := 100 * ours[name]; math.Abs(got-share) > 0.3 {
			t.Errorf("%s: %.2f %%, perf report %.2f %%", name, got, share)
		}
	}
	if compared < 4 {
		t.Errorf("perf report names %d functions with 0.3 %% or more:\n%s", compared, text)
	}
}

// leafShares are the parts of the CPU time by function.
func leafShares(p *profile.Profile) map[string]float64 {
	shares := map[string]float64{}
	var sum float64
	for _, s := range p.Sample {
		v := float64(s.Value[1])
		sum += v
		if len(s.Location) > 0 && len(s.Location[0].Line) > 0 {
			shares[s.Location[0].Line[0].Function.Name] += v
		}
	}
	for name := range shares {
		shares[name] /= sum
	}
	return shares
}

// Energy that perf itself read in the groups of a file is all in the profile: what the counter did from the first
// sample to the last.
func TestConvertEnergyOfGroups(t *testing.T) {
	needPerf(t)
	needTSC(t)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	perfRecord(t, "-a", "-F", "500", "-e", "{cpu-clock,msr/tsc/}:S", "-o", in("perf.data"), "sleep", "0.5")
	energyprof(t, 2, "convert", "-q", "--energy-event", "msr/tsc/", "-o", in("out.pb.gz"), in("perf.data"))
	for _, scale := range []string{"1", "0"} {
		_, stderr := energyprof(t, 1, "convert", "-q", "--energy-event", "msr/mperf/", "--energy-scale", scale, "-o", in("out.pb.gz"), in("perf.data"))
		if want := `energy event "msr/mperf/": no such event`; !strings.Contains(stderr, want) {
			t.Errorf("%q is not in %q", want, stderr)
		}
	}
	energyprof(t, 0, "convert", "-q", "--energy-event", "msr/tsc/", "--energy-scale", "1e-9", "-o", in("out.pb.gz"), "--summary", in("out.json"), in("perf.data"))
	s := readSummary(t, in("out.json"))
	if !s.Source.Measured || !strings.HasPrefix(s.Source.Name, "msr/tsc/") || len(s.Source.Domains) == 0 {
		t.Fatalf("source %+v", s.Source)
	}
	var joules float64
	for _, d := range s.Source.Domains {
		joules += d.Joules
	}
	watts := joules / s.Seconds
	if hertz := tscHertz(t); math.Abs(watts-hertz*1e-9) > 0.05*hertz*1e-9 {
		t.Errorf("%.3f J in %.3f s are %.3f W; the counter runs at %.0f Hz", joules, s.Seconds, watts, hertz)
	}
	if p := readProfile(t, in("out.pb.gz")); p.SampleType[len(p.SampleType)-1].Type != "energy" {
		t.Errorf("sample types %v", p.SampleType)
	}
	// A counter of the command's threads is not that of the machine.
	perfRecord(t, "-e", "{cpu-clock,msr/tsc/}:S", "-o", in("threads.data"), "sleep", "0.1")
	_, stderr := energyprof(t, 1, "convert", "-q", "--energy-event", "msr/tsc/", "--energy-scale", "1e-9", "-o", in("threads.pb.gz"), in("threads.data"))
	if !strings.Contains(stderr, "counted only while the recorded threads ran") || !strings.Contains(stderr, "`perf record -a`") {
		t.Errorf("a counter of threads is refused with %q", stderr)
	}
}

// tscHertz is the rate of the time stamp counter as the kernel measured it.
func tscHertz(t *testing.T) float64 {
	t.Helper()
	out, err := exec.Command("perf", "stat", "-x,", "-a", "-C", "0", "-e", "msr/tsc/", "sleep", "0.2").CombinedOutput()
	if err != nil {
		t.Fatalf("perf stat: %v\n%s", err, out)
	}
	fields := strings.Split(string(out), ",")
	counts, err1 := strconv.ParseFloat(fields[0], 64)
	ns, err2 := strconv.ParseFloat(fields[3], 64)
	if err1 != nil || err2 != nil || ns == 0 {
		t.Fatalf("perf stat says %q", out)
	}
	return counts / ns * 1e9
}
