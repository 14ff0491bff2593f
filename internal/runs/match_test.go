package runs

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/energyprof/energyprof/report"
	"github.com/energyprof/energyprof/report/gate"
	"github.com/energyprof/energyprof/report/pprofile"
)

// inFile is the recording with the program in another file, and its functions under other names if asked for.
func inFile(file string, name func(string) string) *report.Recording {
	r := recording()
	mapping := *app
	mapping.File, mapping.BuildID = file, "cc"
	for i := range r.Data.Stacks {
		for k, l := range r.Data.Stacks[i].Locations {
			if l.Mapping != app {
				continue
			}
			moved := *l
			moved.Mapping, moved.Lines = &mapping, slices.Clone(l.Lines)
			for n := range moved.Lines {
				moved.Lines[n].Function = name(moved.Lines[n].Function)
			}
			r.Data.Stacks[i].Locations[k] = &moved
		}
	}
	r.Data.Main = &mapping
	return r
}

// Functions of a program whose file was renamed are the same ones; those of another program are not.
func TestRenamed(t *testing.T) {
	same := func(name string) string { return name }
	old := read(t, directory(t, manifest(), recording()))
	renamed := read(t, directory(t, manifest(), inFile("/home/u/app-v2", same)))
	m := Match(old, renamed, Program)
	if want := []Renamed{{"app", "app-v2"}}; !cmp.Equal(want, m.Libraries) {
		t.Errorf("renamed libraries: %v, want %v", m.Libraries, want)
	}
	if diff := cmp.Diff(m.Old, m.New, exact); diff != "" {
		t.Errorf("one program under two names (-old +new):\n%s", diff)
	}
	if _, kept := old.Gate(Program)[0].Functions[gate.Key{Name: "work", Library: "app"}]; !kept {
		t.Error("Match changed the set")
	}
	other := read(t, directory(t, manifest(), inFile("/home/u/other", func(name string) string { return "other_" + name })))
	if m := Match(old, other, Program); len(m.Libraries) != 0 {
		t.Errorf("another program: %v, want no renamed library", m.Libraries)
	}
	changed := read(t, directory(t, manifest(), inFile("/home/u/app-v2", func(name string) string {
		if name == "work [clone .cold]" {
			return "work"
		}
		return "new_" + name
	})))
	if m := Match(old, changed, Program); !cmp.Equal(m.Libraries, []Renamed{{"app", "app-v2"}}) {
		t.Errorf("a program of which most functions were renamed: %v, want app-v2 for app", m.Libraries)
	}
	// Names that are not known are no reason to take a library for another one, unless it is the program.
	stripped := func(app, library string) *Set {
		r := inFile(app, func(string) string { return "" })
		mapping := *libc
		mapping.File = library
		for i := range r.Data.Stacks {
			l := r.Data.Stacks[i].Locations[0]
			if l.Mapping == libc {
				r.Data.Stacks[i].Locations[0] = at(&mapping, 0x100)
			}
		}
		return read(t, directory(t, manifest(), r))
	}
	if m := Match(stripped("/a/v1", "/lib/x.so"), stripped("/a/v2", "/lib/y.so"), Program); !cmp.Equal(m.Libraries, []Renamed{{"v1", "v2"}}) {
		t.Errorf("programs without names: %v, want v2 for v1 alone", m.Libraries)
	}
	moved := read(t, directory(t, manifest(), inFile("/elsewhere/app", same)))
	if m := Match(old, moved, Program); len(m.Libraries) != 0 || !cmp.Equal(m.Old, m.New, exact) {
		t.Errorf("the program at another place: %+v, want equal runs", m)
	}
}

// The two sides of one bench are pairs, and a run without its other one is left out.
func TestPaired(t *testing.T) {
	side := func(name, mine, other string, seed uint64) Manifest {
		return manifest(func(m *Manifest) {
			m.Command, m.Pair = []string{mine}, &Pair{Side: name, Other: []string{other}, Seed: seed}
		})
	}
	code := 1
	long, failed := recording(), recording()
	long.Data.Stacks[0].Nanoseconds += 1e9
	failed.Command.ExitCode = &code
	a := read(t, directory(t, side(SideA, "a", "b", 7), recording(), recording(), long))
	b := read(t, directory(t, side(SideB, "b", "a", 7), recording(), failed, long))
	m := Match(a, b, Program)
	if !m.Paired || len(m.Old) != 2 || !cmp.Equal(m.Old, m.New, exact) || len(m.Notes) != 1 {
		t.Errorf("%+v: want two pairs of equal runs and a note on what was left out", m)
	}
	other := read(t, directory(t, side(SideB, "b", "a", 8), recording()))
	if m := Match(a, other, Program); m.Paired || len(m.Old) != 3 {
		t.Errorf("two benches are paired: %+v", m)
	}
	for _, test := range []struct {
		new  *Set
		want int
	}{{b, 0}, {other, 1}} {
		if d := Differences(a, test.new); len(d) != test.want {
			t.Errorf("differences %v, want %d", d, test.want)
		}
	}
	if m := Match(a, a, Program); m.Paired {
		t.Error("a side is paired with itself")
	}
}

func TestDifferences(t *testing.T) {
	base := func(change ...func(*Manifest)) *Set { return read(t, directory(t, manifest(change...), recording())) }
	estimate := recording()
	estimate.Data.Measured, estimate.Source = false, "model"
	share := recording()
	share.Attribution = report.Attribution{Method: "proportional", BaselineWatts: []float64{3}}
	without := recording()
	without.Data.Columns = nil
	for i := range without.Data.Stacks {
		without.Data.Stacks[i].Joules = nil
	}
	loose := func() *Set {
		dir := directory(t, manifest(), recording())
		return read(t, dir+"/run-001.pb.gz")
	}
	same := base()
	for name, test := range map[string]struct {
		old, new *Set
		want     []string
	}{
		"same": {same, base(), nil},
		"machine": {same, base(func(m *Manifest) { m.Machine.CPU, m.Machine.CPUs, m.Machine.Virtualization = "Cpu 9001", 8, "kvm" }),
			[]string{"machine CPU: Cpu 9000, now Cpu 9001", "machine number of CPUs: 4, now 8", "machine virtualization: none known, now kvm"}},
		"CPU known on one side": {same, base(func(m *Manifest) { m.Machine.CPU = "" }), []string{"unknown CPU: Cpu 9000, now unknown"}},
		"setting": {same, base(func(m *Manifest) { m.Machine.Kernel, m.Machine.Governor, m.Tool = "6.2", "powersave", "1.1" }),
			[]string{"setting kernel: 6.1, now 6.2", "setting governor: performance, now powersave", "setting energyprof: 1.0, now 1.1"}},
		"estimate": {same, read(t, directory(t, manifest(func(m *Manifest) { m.Source = Source{Name: "model", Domains: []string{"package 0"}} }), estimate)),
			[]string{"source joules: measured joules (energy), now estimated joules (energy_model)", "source source of energy: perf-power, now model"}},
		"no joules": {same, read(t, directory(t, manifest(func(m *Manifest) { m.Source = Source{Name: "none"} }), without)),
			[]string{"source joules: measured joules (energy), now no joules", "source source of energy: perf-power, now none"}},
		"domains": {same, base(func(m *Manifest) { m.Source.Domains = []string{"dram 0", "package 0"} }),
			[]string{"source domains of energy: package 0, now dram 0, package 0"}},
		"attribution": {same, read(t, directory(t, manifest(), share)),
			[]string{"attribution attribution: regression, now proportional", "attribution static power: fitted, now given"}},
		"weight": {same, base(func(m *Manifest) { m.Attribution.Weight = "cycles" }), []string{"attribution --weight: CPU time, now cycles"}},
		"loose":  {same, loose(), []string{"unknown machine: Cpu 9000, now unknown (no manifest)"}},
	} {
		var got []string
		for _, d := range Differences(test.old, test.new) {
			got = append(got, string(d.Kind)+" "+d.String())
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	both := read(t, directory(t, manifest(), estimate))
	if d := Differences(both, both); len(d) != 1 || d[0].Kind != Estimate {
		t.Errorf("two estimates: %v, want that they are", d)
	}
	if both.Energy != pprofile.EnergyModelType || !both.Estimated() {
		t.Errorf("energy %q, want an estimate", both.Energy)
	}
}
