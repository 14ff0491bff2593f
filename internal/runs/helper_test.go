package runs

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/energyprof/energyprof/report"
	"github.com/energyprof/energyprof/report/pprofile"
)

// The mappings of the recordings of the tests.
var (
	app     = &pprofile.Mapping{Start: 0x1000, Limit: 0x9000, File: "/home/u/build/app", BuildID: "aa"}
	libc    = &pprofile.Mapping{Start: 0x10000, Limit: 0x90000, File: "/usr/lib/libc.so.6", BuildID: "bb"}
	kallsym = &pprofile.Mapping{Start: 1 << 63, Limit: 1<<64 - 1, File: "[kernel.kallsyms]"}
	anon    = &pprofile.Mapping{Start: 0x100000, Limit: 0x200000, File: "//anon"}
)

func at(m *pprofile.Mapping, offset uint64, names ...string) *pprofile.Location {
	l := &pprofile.Location{Mapping: m}
	if m != nil {
		l.Address = m.Start + offset
	}
	for _, name := range names {
		l.Lines = append(l.Lines, pprofile.Frame{Function: name})
	}
	return l
}

// recording is one of a second of "./app", with 10 J of which functions have 6.
func recording() *report.Recording {
	main := at(app, 0x100, "main")
	stack := func(ns int64, joules float64, locations ...*pprofile.Location) pprofile.Stack {
		return pprofile.Stack{Locations: locations, Process: "app", Thread: "app", PID: 1, TID: 1, Samples: ns / 1e6, Nanoseconds: ns, Joules: []float64{joules}}
	}
	code := 0
	return &report.Recording{
		Data: pprofile.Profile{
			Main: app, Measured: true, Duration: time.Second, Period: time.Millisecond,
			LostSamples: 10, LostNanoseconds: 10e6,
			Columns: []pprofile.Column{{Domain: "package", CPUs: "0-1", Sum: true, Joules: 10,
				Synthetic: pprofile.Synthetic{Baseline: 1, Active: 0.5, Other: 2, Lost: 0.25, Unattributed: 0.25}}},
			Stacks: []pprofile.Stack{
				stack(300e6, 2, at(app, 0x200, "inlined", "outer"), main),
				stack(200e6, 1, at(app, 0x210, "outer"), main),
				stack(100e6, 1.5, at(app, 0x300, "work.constprop.0"), main),
				stack(40e6, 0.5, at(app, 0x400, "work [clone .cold]"), main),
				stack(30e6, 0.25, at(libc, 0x100), main),
				stack(20e6, 0.25, at(kallsym, 0x100, "copy_page"), main),
				stack(10e6, 0.5, at(anon, 0x100, "compiled"), main),
			},
		},
		Source: "perf-power", Tool: "energyprof 1", Command: &report.Command{Args: []string{"./app"}, ExitCode: &code},
		Attribution: report.Attribution{Method: "regression", BaselineWatts: []float64{1}, BaselineFitted: []bool{true}},
	}
}

// write writes a profile and a summary.
func write(t testing.TB, r *report.Recording, profile, summary string) {
	t.Helper()
	p, err := r.Profile()
	if err != nil {
		t.Fatal(err)
	}
	var out, text bytes.Buffer
	if err := pprofile.Write(&out, p); err != nil {
		t.Fatal(err)
	}
	if err := r.Summary().JSON(&text); err != nil {
		t.Fatal(err)
	}
	put(t, profile, out.Bytes())
	put(t, summary, text.Bytes())
}

func put(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func plainWrite(path string, fill func(io.Writer) error) error {
	var out bytes.Buffer
	if err := fill(&out); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o600)
}

// manifest is of two runs of ./app; change makes another one of it.
func manifest(change ...func(*Manifest)) Manifest {
	m := Manifest{
		Tool: "1.0", Go: "go1", Command: []string{"./app"}, Planned: 2, Events: "cpu-clock at 997 Hz",
		Machine: Machine{CPU: "Cpu 9000", CPUs: 4, Kernel: "6.1", Architecture: "amd64", Governor: "performance"},
		Source:  Source{Name: "perf-power", Measured: true, Domains: []string{"package 0"}},
	}
	for _, c := range change {
		c(&m)
	}
	return m
}

// directory makes one with a run of each recording.
func directory(t testing.TB, m Manifest, recordings ...*report.Recording) string {
	t.Helper()
	dir := t.TempDir()
	w, err := Create(dir, m, plainWrite)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range recordings {
		profile, summary := w.Next()
		write(t, r, profile, summary)
		if err := w.Add(Run{Elapsed: 1, ExitCode: r.Command.ExitCode, Signal: r.Command.Signal}); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func read(t testing.TB, paths ...string) *Set {
	t.Helper()
	s, err := Read(paths...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// edit changes a manifest that was written.
func edit(t testing.TB, dir string, change func(m map[string]any)) {
	t.Helper()
	path := filepath.Join(dir, ManifestName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]any{}
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	change(m)
	if data, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	put(t, path, data)
}

// sampled writes a profile of CPU time with a sample of each of these nanoseconds.
func sampled(t *testing.T, all ...int64) string {
	t.Helper()
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "cpu", Unit: "nanoseconds"}}}
	for _, ns := range all {
		p.Sample = append(p.Sample, &profile.Sample{Value: []int64{ns}})
	}
	return writeProfile(t, p)
}

// typed writes a profile of these sample types.
func typed(t *testing.T, types ...string) string {
	t.Helper()
	p := &profile.Profile{}
	for _, name := range types {
		name, unit, _ := strings.Cut(name, "/")
		p.SampleType = append(p.SampleType, &profile.ValueType{Type: name, Unit: unit})
	}
	return writeProfile(t, p)
}

func writeProfile(t *testing.T, p *profile.Profile) string {
	t.Helper()
	var out bytes.Buffer
	if err := pprofile.Write(&out, p); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "p.pb.gz")
	put(t, path, out.Bytes())
	return path
}
