package main

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report"
	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/attribution/simulate"
)

// program is a binary whose functions the simulated machine runs.
type program struct {
	path      string
	text      elf.ProgHeader
	functions []elf.Symbol
}

func buildProgram(t *testing.T) program {
	t.Helper()
	p := program{path: filepath.Join(t.TempDir(), "demo")}
	if out, err := exec.Command("go", "build", "-o", p.path, "../../testdata/demo").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := elf.Open(p.path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, h := range f.Progs {
		if h.Type == elf.PT_LOAD && h.Flags&elf.PF_X != 0 {
			p.text = h.ProgHeader
		}
	}
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) == elf.STT_FUNC && strings.HasPrefix(s.Name, "fmt.") {
			p.functions = append(p.functions, s)
		}
	}
	return p
}

// capture writes what perf record -a -k CLOCK_MONOTONIC would have written of a
// simulated machine, and its energy as a trace.
func capture(t *testing.T, dir string, tr *simulate.Trace, p program) (data, trace string) {
	t.Helper()
	attr := perfring.Attr{Type: 1, Sample: 997, // software, cpu-clock
		SampleFormat: perfring.SampleIP | perfring.SampleTID | perfring.SampleTime | perfring.SampleCPU | perfring.SamplePeriod,
		Flags:        perfring.FlagFreq | perfring.FlagSampleIDAll | perfring.FlagUseClockID, ClockID: 1}
	a, err := attr.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	ne := binary.NativeEndian
	var records []byte
	record := func(kind uint32, misc uint16, body []byte) {
		records = ne.AppendUint32(records, kind)
		records = ne.AppendUint16(records, misc)
		records = ne.AppendUint16(records, uint16(8+len(body)))
		records = append(records, body...)
	}
	// What every record but a sample ends with: pid, tid, time, cpu.
	id := func(b []byte, at uint64) []byte {
		b = ne.AppendUint32(ne.AppendUint32(b, 7), 7)
		return ne.AppendUint64(ne.AppendUint64(b, at), 0)
	}
	name := func(b []byte, s string) []byte { return append(append(b, s...), make([]byte, 8-len(s)%8)...) }
	record(3, 0, id(name(ne.AppendUint32(ne.AppendUint32(nil, 7), 7), "machine"), 1))
	text := ne.AppendUint64(ne.AppendUint32(ne.AppendUint32(nil, 7), 7), p.text.Vaddr)
	record(1, 2, id(name(ne.AppendUint64(ne.AppendUint64(text, p.text.Memsz), p.text.Off), p.path), 2))
	stretches := slices.Clone(tr.Stretches)
	slices.SortStableFunc(stretches, func(a, b simulate.Stretch) int { return cmp.Compare(a.End, b.End) })
	for _, s := range stretches {
		if s.Key < 0 {
			continue
		}
		b := ne.AppendUint64(nil, p.functions[s.Key].Value+1)
		b = ne.AppendUint64(ne.AppendUint32(ne.AppendUint32(b, 7), 7), uint64(s.End))
		record(9, 2, ne.AppendUint64(ne.AppendUint64(b, uint64(s.CPU)), uint64(s.Weight)))
	}
	header := []byte("PERFILE2")
	const size = 104
	section := func(b []byte, at, n int) []byte { return ne.AppendUint64(ne.AppendUint64(b, uint64(at)), uint64(n)) }
	header = ne.AppendUint64(ne.AppendUint64(header, size), uint64(len(a)+16))
	header = section(header, size, len(a)+16)
	header = section(header, size+len(a)+16, len(records))
	header = append(header, make([]byte, size-len(header))...)
	header = append(header, section(a, 0, 0)...)
	data, trace = filepath.Join(dir, "perf.data"), filepath.Join(dir, "trace.csv")
	if err := os.WriteFile(data, append(header, records...), 0o600); err != nil {
		t.Fatal(err)
	}
	csv := []byte("time_ns,domain,package,cpus,energy_uj\n")
	for k := range tr.Readings[0] {
		for i, s := range tr.Series {
			r := tr.Readings[i][k]
			csv = fmt.Appendf(csv, "%d,%s,%d,%d-%d,%.3f\n", r.T, s.Domain, s.Package, s.CPUs[0], s.CPUs[len(s.CPUs)-1], r.Joules*1e6)
		}
	}
	if err := os.WriteFile(trace, csv, 0o600); err != nil {
		t.Fatal(err)
	}
	return data, trace
}

// From a file of samples and a file of readings to the joules of functions, on
// machines whose watts are known: what people will do, all the way through.
func TestConvertSimulated(t *testing.T) {
	app := buildProgram(t)
	for _, tt := range []struct {
		name    string
		machine func(*rand.Rand) simulate.Machine
		given   bool
		worst   float64
	}{
		{"static power given", simulate.MachineA, true, 0.04},
		{"nothing given", func(r *rand.Rand) simulate.Machine { return simulate.MachineB(r, 0.4) }, false, 0.07},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := tt.machine(rand.New(rand.NewPCG(3, 7)))
			tr, err := simulate.Record(m, simulate.Typical(), 3)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			data, trace := capture(t, dir, tr, app)
			out := filepath.Join(dir, "out.json")
			args := []string{"convert", "-q", "--energy", trace, "-o", filepath.Join(dir, "out.pb.gz"), "--summary", out}
			if tt.given {
				args = append(args, "--baseline", fmt.Sprint(m.Packages[0].Static))
			}
			energyprof(t, 0, append(args, data)...)
			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			var s report.Summary
			if err := json.Unmarshal(b, &s); err != nil {
				t.Fatal(err)
			}
			if s.Attribution.Method != attribution.Regression {
				t.Fatalf("method %s, notes %q", s.Attribution.Method, s.Notes)
			}
			truth, _, share := tr.Known("package")
			byName := map[string]report.Function{}
			for _, f := range s.Functions {
				byName[f.Name] = f
			}
			for f := range m.Functions {
				got, ok := byName[app.functions[f].Name]
				if !ok || got.Joules == nil || got.JoulesLow == nil {
					t.Fatalf("function %d (%s) is not in the summary: %+v", f, app.functions[f].Name, s.Functions)
				}
				t.Logf("%s: %.2f J [%.2f, %.2f], truth %.2f", got.Name, *got.Joules, *got.JoulesLow, *got.JoulesHigh, truth[f])
				if e := math.Abs(*got.Joules-truth[f]) / truth[f]; share[f] > 0.02 && e > tt.worst {
					t.Errorf("%s is off by %.1f %%", got.Name, 100*e)
				}
			}
			if v := s.Attribution; v.ValidationError == nil || *v.ShareValidationError < 3**v.ValidationError {
				t.Errorf("validation %v, sharing %v", v.ValidationError, v.ShareValidationError)
			}
		})
	}
}
