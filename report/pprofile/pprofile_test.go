package pprofile

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/pprof/profile"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// example is a command in two processes on two packages, with everything that
// the format has a place for.
func example() *Profile {
	app := &Mapping{Start: 0x400000, Limit: 0x500000, Offset: 0x1000, File: "/bin/app", BuildID: "aa01"}
	libc := &Mapping{Start: 0x7f0000000000, Limit: 0x7f0000100000, File: "/lib/libc.so.6", BuildID: "bb02"}
	kernel := &Mapping{Start: 0xffffffff81000000, Limit: 0xffffffff82000000, File: "[kernel.kallsyms]_text"}
	main := &Location{Address: 0x400fff, Mapping: app, Lines: []Frame{{"main", "main", "/src/app.c", 40, 35}}}
	work := &Location{Address: 0x401100, Mapping: app, Lines: []Frame{
		{"inner<int>(int)", "_Z5innerIiEvi", "/src/app.c", 12, 10}, {"work", "work", "/src/app.c", 21, 20}}}
	deeper := &Location{Address: 0x401180, Mapping: app, Lines: []Frame{{"work", "work", "/src/app.c", 29, 20}}}
	memcpy := &Location{Address: 0x7f0000012345, Mapping: libc, Lines: []Frame{{Function: "memcpy"}}}
	hidden := &Location{Address: 0x7f0000022345, Mapping: libc}
	schedule := &Location{Address: 0xffffffff81000000, Mapping: kernel, Lines: []Frame{{Function: "schedule"}}}
	jit := &Location{Address: 0xdead}
	return &Profile{
		Stacks: []Stack{
			{Locations: []*Location{schedule, main}, Process: "zapp", Thread: "zapp", PID: 12, TID: 12,
				Samples: 1, Nanoseconds: 1e6, Events: []int64{900}, Joules: []float64{0.0000005, 0, 0.000001, 0}},
			{Locations: []*Location{work, main}, Process: "app", Thread: "worker", PID: 10, TID: 11,
				Samples: 3, Nanoseconds: 3e6, Events: []int64{4000}, Joules: []float64{1.0000003, 0.5, 0.1, 0.7}},
			{Locations: []*Location{memcpy, work, main}, Process: "app", Thread: "worker", PID: 10, TID: 11,
				Samples: 2, Nanoseconds: 2e6, Events: []int64{2000}, Joules: []float64{0.9999997, 0.25, 0, 0.3}},
			{Locations: []*Location{hidden, jit}, Process: "app", Thread: "na\xffme", PID: 10, TID: 10,
				Samples: 1, Nanoseconds: 1e6, Events: []int64{0}, Joules: []float64{0.0000005, 0, 0, 0}},
			// Told apart by nothing but the line of the leaf, and by nothing but the joules.
			{Locations: []*Location{deeper, main}, Process: "app", Thread: "worker", PID: 10, TID: 11, Events: []int64{0}, Joules: []float64{0, 0, 0, 0}},
			{Locations: []*Location{deeper, main}, Process: "app", Thread: "worker", PID: 10, TID: 11, Events: []int64{0}, Joules: []float64{0.000003, 0, 0, 0}},
			{Process: "swapper", Events: []int64{7}, Samples: 1, Nanoseconds: 1e6},
		},
		Columns: []Column{
			{Domain: "package", Package: 0, CPUs: "0-1", Sum: true, Joules: 2.500004, Synthetic: Synthetic{Baseline: 0.5}},
			{Domain: "package", Package: 1, CPUs: "2-3", Sum: true, Joules: 1, Synthetic: Synthetic{Other: 0.25}},
			{Domain: "dram", Package: 0, CPUs: "0-1", Sum: true, Joules: 0.200002, Synthetic: Synthetic{Lost: 0.1, Unattributed: 0.000001}},
			{Domain: "psys", Package: 0, CPUs: "0-3", Joules: 3, Synthetic: Synthetic{Active: 1, Idle: 1}},
		},
		Measured: true, Events: []EventType{{Name: "cycles"}}, Main: &Mapping{0x400000, 0x500000, 0x1000, "/bin/app", "aa01"},
		LostSamples: 4, LostNanoseconds: 4e6,
		Period: time.Millisecond, Start: time.Unix(1_700_000_000, 5), Duration: 2 * time.Second,
		Comments: []string{"energy source: test"},
	}
}

// tb is what testing.TB and *rapid.T have in common, as far as used.
type tb interface {
	Helper()
	Fatal(args ...any)
}

func mustBuild(t tb, p *Profile) *profile.Profile {
	t.Helper()
	out, err := Build(p)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Where no clock was sampled there is no CPU time, and the first event stands for activity.
func TestNoClock(t *testing.T) {
	p := &Profile{NoClock: true, Events: []EventType{{Name: "cycles"}}, Period: 1000, Stacks: []Stack{{Samples: 2, Events: []int64{2000}}}}
	out := mustBuild(t, p)
	if len(out.SampleType) != 2 || out.SampleType[1].Type != "cycles" || out.DefaultSampleType != "cycles" ||
		out.PeriodType.Type != "cycles" || out.Period != 1000 || !slices.Equal(out.Sample[0].Value, []int64{2, 2000}) {
		t.Errorf("types %v, default %s, period %d %v, values %v", out.SampleType, out.DefaultSampleType, out.Period, out.PeriodType, out.Sample[0].Value)
	}
}

func encode(t tb, p *profile.Profile) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}

// What a reader of the file finds, for each kind of energy.
func TestGolden(t *testing.T) {
	model := example()
	model.Measured = false
	without := example()
	without.Columns = nil
	for i := range without.Stacks {
		without.Stacks[i].Joules = nil
	}
	whole := example() // the platform only: nothing that can be summed
	for i := range whole.Columns {
		whole.Columns[i].Sum = false
	}
	for name, in := range map[string]*Profile{"measured": example(), "model": model, "none": without, "nosum": whole} {
		t.Run(name, func(t *testing.T) {
			p, err := profile.ParseData(encode(t, mustBuild(t, in)))
			if err != nil {
				t.Fatal(err)
			}
			seen := map[profile.Function]bool{}
			for _, f := range p.Function {
				f := *f
				f.ID = 0
				if seen[f] {
					t.Errorf("function %+v is there twice", f)
				}
				seen[f] = true
			}
			golden(t, name+".golden", p.String()+"default "+p.DefaultSampleType+"\n")
		})
	}
}

// The order in which stacks come, and whether they share pointers, leaves no trace.
func TestDeterministic(t *testing.T) {
	want := encode(t, mustBuild(t, example()))
	rapid.Check(t, func(t *rapid.T) {
		in := example()
		in.Stacks = rapid.Permutation(in.Stacks).Draw(t, "order")
		for i := range in.Stacks {
			for k, l := range in.Stacks[i].Locations {
				if rapid.Bool().Draw(t, "copy") {
					c := *l
					if c.Mapping != nil {
						m := *c.Mapping
						c.Mapping = &m
					}
					in.Stacks[i].Locations[k] = &c
				}
			}
		}
		if out := mustBuild(t, in); !bytes.Equal(encode(t, out), want) {
			t.Fatalf("other bytes:\n%s", cmp.Diff(mustBuild(t, example()).String(), out.String()))
		}
	})
}

// For any shares: every domain adds up to the rounded totals of its packages,
// energy to its domains, no stack is off by a microjoule or more from its exact
// value, and a stack of no energy gets none.
func TestAddsUp(t *testing.T) {
	leaf := &Location{Lines: []Frame{{Function: "f"}}}
	rapid.Check(t, func(t *rapid.T) {
		in := &Profile{Measured: true}
		n := rapid.IntRange(0, 20).Draw(t, "stacks")
		for i := range n {
			in.Stacks = append(in.Stacks, Stack{Locations: []*Location{leaf}, PID: i})
		}
		amounts := rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0, 3e-6), rapid.Just(0.5e-6), rapid.Float64Range(0, 1e5))
		want := map[string]int64{}
		for _, domain := range []string{"package", "package", "dram", "cores"} {
			c := Column{Domain: domain, Sum: domain != "cores"}
			c.Synthetic.Baseline = amounts.Draw(t, "baseline")
			c.Synthetic.Idle = amounts.Draw(t, "idle")
			c.Joules = c.Synthetic.Baseline + c.Synthetic.Idle
			for i := range in.Stacks {
				joules := amounts.Draw(t, "joules")
				in.Stacks[i].Joules = append(in.Stacks[i].Joules, joules)
				c.Joules += joules
			}
			in.Columns = append(in.Columns, c)
			want[DomainPrefix+domain] += int64(math.Round(c.Joules * 1e6))
		}
		want[EnergyType] = want["energy_package"] + want["energy_dram"]
		p := mustBuild(t, in)
		got := map[string]int64{}
		for v, st := range p.SampleType {
			for _, s := range p.Sample {
				got[st.Type] += s.Value[v]
			}
		}
		for name, total := range want {
			if got[name] != total {
				t.Errorf("%s adds up to %d, want %d", name, got[name], total)
			}
		}
		for i, s := range p.Sample[:n] {
			exact := in.Stacks[i].Joules // the order is that of the pids
			dram, cores := float64(s.Value[3]), float64(s.Value[4])
			if math.Abs(dram-exact[2]*1e6) > 1 || math.Abs(cores-exact[3]*1e6) > 1 {
				t.Errorf("stack %d has %v and %v uJ, want about %v J", i, dram, cores, exact[2:])
			}
			if exact[2] == 0 && dram != 0 {
				t.Errorf("stack %d: %v uJ from nothing", i, dram)
			}
		}
	})
}

func TestApportion(t *testing.T) {
	for _, tt := range []struct {
		total int64
		parts []float64
		want  []int64
	}{
		{10, []float64{5e-6, 5e-6}, []int64{5, 5}},
		{2, []float64{0.5e-6, 0.5e-6, 0.5e-6, 0.5e-6}, []int64{1, 1, 0, 0}},                   // ties: the first
		{3, []float64{0.4e-6, 0, 1.3e-6, 1.3e-6}, []int64{1, 0, 1, 1}},                        // the largest remainder
		{0, []float64{0.2e-6, 0.2e-6}, []int64{0, 0}},                                         // rounds to nothing
		{1, []float64{0.1e-6, 0.2e-6, 0.2e-6}, []int64{0, 1, 0}},                              // within half a microjoule
		{1_030_073, []float64{1.3e-6, 1.00004196, 0.03002931}, []int64{1, 1_000_042, 30_030}}, // 1030072.57 is rounded up: no part by more than one
		{4_000_000_000_000_001, []float64{2e9, 2e9 + 1e-6}, []int64{2e15, 2e15 + 1}},          // large
		{0, nil, []int64{}},
	} {
		got, err := energyQuantity.apportion(tt.total, tt.parts)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("apportion(%d, %v) = %v, %v, want %v", tt.total, tt.parts, got, err, tt.want)
		}
	}
}

func TestErrors(t *testing.T) {
	for want, spoil := range map[string]func(p *Profile){
		`stack 1: address 0x500001 is outside its mapping 0x400000-0x500000 of "/bin/app"`: func(p *Profile) { p.Stacks[1].Locations[0].Address = 0x500001 },
		"stack 2 has a nil location":                                                   func(p *Profile) { p.Stacks[2].Locations[1] = nil },
		"stack 3: -1 samples":                                                          func(p *Profile) { p.Stacks[3].Samples = -1 },
		"stack 3: -5 of event cycles":                                                  func(p *Profile) { p.Stacks[3].Events[0] = -5 },
		"stack 0: 0 event counts, the profile has 1":                                   func(p *Profile) { p.Stacks[0].Events = nil },
		"stack 0: joules in 1 columns, the profile has 4":                              func(p *Profile) { p.Stacks[0].Joules = []float64{1} },
		"column 1 (package of package 1): stack 2: NaN J":                              func(p *Profile) { p.Stacks[2].Joules[1] = math.NaN() },
		"column 3 (psys of package 0): [idle]: -1 J":                                   func(p *Profile) { p.Columns[3].Synthetic.Idle = -1 },
		"column 2 (dram of package 0): total of -1 J":                                  func(p *Profile) { p.Columns[2].Joules = -1 },
		"column 1 (package of package 1): the parts add up to 1 J, the total is 1.1 J": func(p *Profile) { p.Columns[1].Joules = 1.1 },
		`event name "cpu" is taken`:                                                    func(p *Profile) { p.Events[0].Name = "cpu" },
		`column 0: no domain can have the name "model"`:                                func(p *Profile) { p.Columns[0].Domain = "model" },
		"no domain of the estimate is part of the energy":                              func(p *Profile) { p.Measured = false; p.Columns = p.Columns[3:]; p.Stacks = nil },
		`counter name "cycles" is taken`:                                               func(p *Profile) { p.Counters = []Counter{{Event: "cycles"}} },
		`counter name "energy_gpu" is taken`:                                           func(p *Profile) { p.Counters = []Counter{{Event: "energy_gpu"}} },
		"stack 0: counts of 1 counters, the profile has 2": func(p *Profile) {
			p.Counters = []Counter{{Event: "a"}, {Event: "a", Package: 1}}
			p.Stacks[0].Counts = []float64{1}
		},
		"counter 1 (a of package 1): the parts add up to 0 counts, the total is 7 counts": func(p *Profile) {
			p.Counters = []Counter{{Event: "a"}, {Event: "a", Package: 1, Counts: 7}}
		},
		"-1 lost samples": func(p *Profile) { p.LostSamples = -1 },
	} {
		p := example()
		spoil(p)
		if _, err := Build(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// The tool that people will open the profile with agrees about the sum.
func TestGoToolPprof(t *testing.T) {
	gobin, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command on PATH: ", err)
	}
	file := filepath.Join(t.TempDir(), "p.pb.gz")
	if err := os.WriteFile(file, encode(t, mustBuild(t, example())), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(gobin, "tool", "pprof", "-top", "-sample_index=energy", "-nodefraction=0", "-symbolize=none", file).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && bytes.Contains(exit.Stderr, []byte("no such tool")) {
			t.Skipf("%s has no pprof: %s", gobin, exit.Stderr)
		}
		t.Fatalf("%v\n%s", err, out)
	}
	const total = 2_500_004 + 1_000_000 + 200_002
	if !bytes.Contains(out, []byte(fmt.Sprintf("of %dmicrojoules total", total))) || !bytes.Contains(out, []byte("File: app\n")) {
		t.Errorf("no total of %d or no main binary in\n%s", total, out)
	}
	var sum int64
	for line := range strings.Lines(string(out)) {
		field := strings.Fields(line)
		if len(field) < 6 || !strings.HasSuffix(field[1], "%") {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSuffix(field[0], "microjoules"), 10, 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		sum += n
	}
	if sum != total {
		t.Errorf("the flat column adds up to %d, want %d\n%s", sum, total, out)
	}
}

func BenchmarkBuild(b *testing.B) {
	in := &Profile{Columns: []Column{{Domain: "package", Sum: true}, {Domain: "dram", Sum: true}}, Measured: true}
	m := &Mapping{Start: 0, Limit: 1 << 40, File: "app"}
	locations := make([]*Location, 20_000)
	for i := range locations {
		locations[i] = &Location{Address: uint64(i) * 64, Mapping: m, Lines: []Frame{{Function: "f" + strconv.Itoa(i/8)}}}
	}
	for i := range 50_000 {
		s := Stack{PID: i % 7, Samples: 1, Nanoseconds: 1e6, Joules: []float64{float64(i) * 1e-5, 1e-6}}
		for k := range 20 {
			s.Locations = append(s.Locations, locations[(i*31+k*977)%len(locations)])
		}
		in.Columns[0].Joules += s.Joules[0]
		in.Columns[1].Joules += s.Joules[1]
		in.Stacks = append(in.Stacks, s)
	}
	for b.Loop() {
		mustBuild(b, in)
	}
}
