package main

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/energyprof/energyprof/internal/runs"
	"github.com/energyprof/energyprof/report"
	"github.com/energyprof/energyprof/report/pprofile"
)

// madeRuns are runs of a benchmark that nobody made: of functions of known seconds and watts, which vary by a hundredth
// from run to run, each time in the same way.
type madeRuns struct {
	n               int
	program, cpu    string
	source          string  // "model" estimates, "none" has no joules
	unit            string  // of the joules in the profiles; "" is what it should be
	hertz           float64 // cycles in a second of CPU time; 0: they were not counted
	functions       []string
	seconds, watts  []float64
	noise, baseline float64
}

// parseRuns understands N [program=NAME] [cpu=NAME] [source=NAME] [unit=UNIT] [cycles=HERTZ] FUNCTION=SECONDS*WATTS...
func parseRuns(args []string) (m madeRuns, err error) {
	m = madeRuns{program: "app", cpu: "Made CPU", source: "perf-power", noise: 0.01, baseline: 10}
	if m.n, err = strconv.Atoi(args[0]); err != nil {
		return m, err
	}
	for _, arg := range args[1:] {
		i := strings.LastIndex(arg, "=")
		if i < 0 {
			return m, fmt.Errorf("%q is no NAME=VALUE", arg)
		}
		name, value := arg[:i], arg[i+1:]
		switch name {
		case "program":
			m.program = value
		case "cpu":
			m.cpu = value
		case "source":
			m.source = value
		case "cycles":
			if m.hertz, err = strconv.ParseFloat(value, 64); err != nil {
				return m, err
			}
		case "unit":
			m.unit = value
		default:
			var seconds, watts float64
			if _, err := fmt.Sscanf(value, "%f*%f", &seconds, &watts); err != nil {
				return m, fmt.Errorf("%s: %w", arg, err)
			}
			m.functions, m.seconds, m.watts = append(m.functions, name), append(m.seconds, seconds), append(m.watts, watts)
		}
	}
	return m, nil
}

// measured tells whether the joules, if there are any, are no estimates.
func (m *madeRuns) measured() bool { return m.source != "model" && m.source != "none" }

// one makes a run: its profile and its summary.
func (m *madeRuns) one(random *rand.Rand, pid int) (*pprofile.Profile, report.Summary) {
	program := &pprofile.Mapping{Start: 0x400000, Limit: 0x500000, File: "/build/" + m.program, BuildID: fmt.Sprintf("%08x%08x", crc32.ChecksumIEEE([]byte(m.program)), m.n)}
	vary := func(v float64) float64 { return v * max(1+m.noise*random.NormFloat64(), 0.5) }
	p := &pprofile.Profile{Main: program, Measured: m.measured(), Comments: []string{"energyprof: test"}}
	s := report.Summary{Version: 1, Source: report.Source{Name: m.source, Measured: m.measured(), Domains: []report.Domain{}}, Attribution: report.Attribution{Method: "none"},
		Command: &report.Command{Args: []string{"./" + m.program}}, Functions: []report.Function{}, Processes: []report.Process{}, Threads: []report.Thread{}}
	if m.hertz > 0 {
		p.Events = []pprofile.EventType{{Name: "cycles"}}
	}
	column := pprofile.Column{Domain: "package", Sum: true}
	for i, name := range m.functions {
		seconds := vary(m.seconds[i])
		joules := seconds * vary(m.watts[i])
		s.Seconds += seconds
		column.Joules += joules
		l := &pprofile.Location{Address: uint64(0x401000 + 0x100*i), Mapping: program, Lines: []pprofile.Frame{{Function: name}}}
		stack := pprofile.Stack{Locations: []*pprofile.Location{l}, Process: m.program, PID: pid, TID: pid, Samples: int64(seconds * 1000), Nanoseconds: int64(seconds * 1e9)}
		f := report.Function{Name: name, Process: m.program, CPUSeconds: seconds}
		if m.hertz > 0 {
			stack.Events = []int64{int64(seconds * vary(m.hertz))}
		}
		if m.source != "none" {
			stack.Joules, f.Joules = []float64{joules}, &joules
		}
		p.Stacks, s.Functions = append(p.Stacks, stack), append(s.Functions, f)
	}
	p.Duration = time.Duration(s.Seconds * 1e9)
	if m.source != "none" {
		column.Synthetic.Baseline = m.baseline * s.Seconds
		column.Joules += column.Synthetic.Baseline
		p.Columns = []pprofile.Column{column}
		zero := 0.0
		s.BaselineJoules, s.ActiveJoules, s.OtherJoules, s.LostJoules, s.UnattributedJoules, s.IdleJoules = &column.Synthetic.Baseline, &zero, &zero, &zero, &zero, &zero
		s.Attribution = report.Attribution{Method: "regression", BaselineWatts: []float64{m.baseline}, BaselineFitted: []bool{true}}
		s.Source.Domains = []report.Domain{{Name: "package", CPUs: "0", Joules: column.Joules, InEnergy: true}}
	}
	return p, s
}

// write makes a directory of them.
func (m *madeRuns) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	put := func(path string, fill func(io.Writer) error) error {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return fill(f)
	}
	w, err := runs.Create(dir, runs.Manifest{Tool: "test", Go: "test", Machine: runs.Machine{CPU: m.cpu, CPUs: 1, Kernel: "6.18", Architecture: "amd64"},
		Source: runs.Source{Name: m.source, Measured: m.measured()}, Attribution: runs.Attribution{Method: "auto", Baseline: "auto"}, Events: "cpu-clock at 1000 Hz",
		Command: []string{"./" + m.program}, Planned: m.n}, put)
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(uint64(crc32.ChecksumIEEE([]byte(filepath.Base(dir)))), 1))
	for i := range m.n {
		p, s := m.one(random, 100+i)
		built, err := pprofile.Build(p)
		if err != nil {
			return err
		}
		for _, t := range built.SampleType {
			if m.unit != "" && t.Unit == pprofile.EnergyUnit {
				t.Unit = m.unit
			}
		}
		profile, summary := w.Next()
		if err := put(profile, func(to io.Writer) error { return pprofile.Write(to, built) }); err != nil {
			return err
		}
		if err := put(summary, func(to io.Writer) error { return json.NewEncoder(to).Encode(s) }); err != nil {
			return err
		}
		zero := 0
		if err := w.Add(runs.Run{Start: time.Unix(int64(1000+i), 0).UTC(), Elapsed: s.Seconds, ExitCode: &zero}); err != nil {
			return err
		}
	}
	return nil
}

// makeRuns is a command of scripts: make-runs DIR N [program=NAME] [cpu=NAME] [source=NAME] [unit=UNIT] [cycles=HERTZ] FUNCTION=SECONDS*WATTS...
func makeRuns(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || neg {
		ts.Fatalf("usage: make-runs DIR N [program=NAME] [cpu=NAME] [source=NAME] [unit=UNIT] [cycles=HERTZ] FUNCTION=SECONDS*WATTS...")
	}
	m, err := parseRuns(args[1:])
	ts.Check(err)
	ts.Check(m.write(ts.MkAbs(args[0])))
}
