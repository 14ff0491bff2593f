package pprofile

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// accesses is a profile of memory accesses: the same code at several levels, and what controllers counted besides.
func accesses() *Profile {
	l := &Location{Address: 0x1000, Lines: []Frame{{Function: "walk"}}}
	stack := func(a *Access, loads, stores, latency int64, joules float64) Stack {
		return Stack{Locations: []*Location{l}, Process: "app", PID: 7, TID: 7, Access: a, Events: []int64{loads, stores, latency}, Joules: []float64{joules}}
	}
	dram := Access{Op: "LOAD", DataSource: "Local RAM or RAM hit", Snoop: "Miss", TLB: "L2 miss", Locked: "No"}
	high := dram
	high.Address, high.HasAddress = 0xffff_8000_0000_1000, true
	zero := dram
	zero.HasAddress = true
	store := Access{Op: "STORE", DataSource: "L1 or L1 hit", Locked: "Yes"}
	clock := stack(nil, 0, 0, 0, 0)
	clock.Samples, clock.Nanoseconds = 3, 3e6
	rest := Stack{Locations: []*Location{{Lines: []Frame{{Function: Prefetch}}}}, Events: []int64{0, 0, 0}, Joules: []float64{0.5}}
	return &Profile{
		Stacks: []Stack{stack(&dram, 10, 0, 3000, 1), stack(&high, 20, 0, 7000, 2), stack(&zero, 1, 0, 300, 0.25), stack(&store, 0, 5, 15, 0), clock, rest},
		Events: []EventType{{Name: Loads}, {Name: Stores}, {Name: Latency, Unit: LatencyUnit}}, Default: Latency, Measured: true,
		Columns: []Column{{Domain: "dram", Joules: 4, Synthetic: Synthetic{Baseline: 0.25}}},
	}
}

func TestAccesses(t *testing.T) {
	p, err := Build(accesses())
	if err != nil {
		t.Fatal(err)
	}
	var types, got []string
	for _, st := range p.SampleType {
		types = append(types, st.Type+"/"+st.Unit)
	}
	if s := strings.Join(types, " "); s != "samples/count cpu/nanoseconds loads/count stores/count latency/cycles energy_dram/microjoules" || p.DefaultSampleType != "energy_dram" {
		t.Errorf("sample types %s, first %s", s, p.DefaultSampleType)
	}
	var written bytes.Buffer
	if err := Write(&written, p); err != nil {
		t.Fatal(err)
	}
	read, err := profile.Parse(&written)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range read.Sample {
		line := fmt.Sprint(s.Location[0].Line[0].Function.Name, s.Value)
		for _, key := range []string{"op", "data_src", "snoop", "tlb", "locked"} {
			line += "|" + strings.Join(s.Label[key], ",")
		}
		if a, ok := s.NumLabel["address"]; ok {
			line += fmt.Sprintf(" %#x %v", uint64(a[0]), s.NumUnit["address"])
		}
		got = append(got, line)
	}
	want := []string{
		"[prefetch and write-back][0 0 0 0 0 500000]|||||",
		"walk[3 3000000 0 0 0 0]|||||",
		"walk[0 0 10 0 3000 1000000]|LOAD|Local RAM or RAM hit|Miss|L2 miss|No",
		"walk[0 0 1 0 300 250000]|LOAD|Local RAM or RAM hit|Miss|L2 miss|No 0x0 [address]",
		"walk[0 0 20 0 7000 2000000]|LOAD|Local RAM or RAM hit|Miss|L2 miss|No 0xffff800000001000 [address]",
		"walk[0 0 0 5 15 0]|STORE|L1 or L1 hit|||Yes",
		"[baseline][0 0 0 0 0 250000]|||||",
	}
	if !slices.Equal(got, want) {
		t.Errorf("samples\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if name, ok := IsSynthetic(read.Sample[0]); !ok || name != Prefetch {
		t.Errorf("%q is of no stack: %v", name, ok)
	}
}

func TestAccessesAreDeterministic(t *testing.T) {
	var first []byte
	for seed := range uint64(20) {
		p := accesses()
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(p.Stacks), func(i, k int) { p.Stacks[i], p.Stacks[k] = p.Stacks[k], p.Stacks[i] })
		out, err := Build(p)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := Write(&b, out); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b.Bytes()
		}
		if !bytes.Equal(first, b.Bytes()) {
			t.Fatalf("seed %d gives another profile", seed)
		}
	}
}

func TestDefaultType(t *testing.T) {
	p := accesses()
	p.Columns = nil
	for i := range p.Stacks {
		p.Stacks[i].Joules = nil
	}
	if out, err := Build(p); err != nil || out.DefaultSampleType != Latency {
		t.Errorf("the first is %v, %v", out, err)
	}
	p.Default = "cycles"
	if _, err := Build(p); err == nil || !strings.Contains(err.Error(), `"cycles" is no event`) {
		t.Errorf("a default that is no type: %v", err)
	}
}
