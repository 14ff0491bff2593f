package compare

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"pgregory.net/rapid"

	"github.com/energyprof/energyprof/report/pprofile"
)

// run is a profile of functions of one program: seconds and joules by name. Where its code is differs from build to build.
func run(t interface{ Fatal(...any) }, at uint64, pid int, amounts map[string][2]float64) *profile.Profile {
	app := &pprofile.Mapping{Start: 0x400000, Limit: 0x500000, File: "/bin/app", BuildID: fmt.Sprintf("%016x", at)}
	in := &pprofile.Profile{Measured: true, Main: app, Comments: []string{"of one run"}}
	total := 5.0
	for i, name := range []string{"even", "more", "less", "gone", "fresh"} {
		a, ok := amounts[name]
		if !ok {
			continue
		}
		l := &pprofile.Location{Address: 0x401000 + at + uint64(16*i), Mapping: app, Lines: []pprofile.Frame{{Function: name}}}
		in.Stacks = append(in.Stacks, pprofile.Stack{Locations: []*pprofile.Location{l}, Process: "app", PID: pid, TID: pid,
			Samples: 100, Nanoseconds: int64(a[0] * 1e9), Joules: []float64{a[1]}})
		total += a[1]
	}
	in.Columns = []pprofile.Column{{Domain: "package", Sum: true, Joules: total, Synthetic: pprofile.Synthetic{Baseline: 5}}}
	p, err := pprofile.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// sides are two old and three new runs.
func sides(t interface{ Fatal(...any) }) (old, new []*profile.Profile) {
	for i := range 2 {
		d := float64(i) - 0.5
		old = append(old, run(t, 0, 100+i, map[string][2]float64{"even": {1, 4}, "more": {1, 5 + d}, "less": {1, 3}, "gone": {0.1, 1}}))
	}
	for i := range 3 {
		d := float64(i) - 1
		new = append(new, run(t, 0x80, 200+i, map[string][2]float64{"even": {1, 4}, "more": {1, 6.5 + d}, "less": {0.9, 2.7}, "fresh": {0.2, 2}}))
	}
	return old, new
}

// each yields copies, as of files that are read one by one.
func each(all []*profile.Profile) iter.Seq2[*profile.Profile, error] {
	return func(yield func(*profile.Profile, error) bool) {
		for _, p := range all {
			if !yield(p.Copy(), nil) {
				return
			}
		}
	}
}

// TestProfile: functions have what a run of the new side has less what one of the old side has.
func TestProfile(t *testing.T) {
	old, new := sides(t)
	p, err := Profile(each(old), each(new), []string{"base against head"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.CheckValid(); err != nil {
		t.Fatal(err)
	}
	if p.DefaultSampleType != "energy" || !slices.Equal(p.Comments, []string{"base against head"}) || p.DurationNanos != 0 {
		t.Errorf("default %s, comments %q, %d ns", p.DefaultSampleType, p.Comments, p.DurationNanos)
	}
	var types []string
	for _, st := range p.SampleType {
		types = append(types, st.Type+"/"+st.Unit)
	}
	if want := []string{"samples/count", "cpu/nanoseconds", "energy_package/microjoules", "energy/microjoules"}; !slices.Equal(types, want) {
		t.Errorf("sample types %v, want %v", types, want)
	}
	got := map[string][]int64{}
	samples := 0
	for _, s := range p.Sample {
		name := s.Location[0].Line[0].Function.Name
		if got[name] == nil {
			got[name] = make([]int64, len(s.Value))
		}
		for i, v := range s.Value {
			got[name][i] += v
			if s.DiffBaseSample() != (v < 0) && v != 0 {
				t.Errorf("%s has %d in a sample that is base: %v", name, v, s.DiffBaseSample())
			}
		}
		samples++
		if len(s.NumLabel) != 0 {
			t.Errorf("%s has the numbers %v of one run", name, s.NumLabel)
		}
	}
	for name, want := range map[string][]int64{"even": {0, 0, 0, 0}, "more": {0, 0, 1_500_000, 1_500_000}, "less": {0, -100_000_000, -300_000, -300_000},
		"gone": {-100, -100_000_000, -1_000_000, -1_000_000}, "fresh": {100, 200_000_000, 2_000_000, 2_000_000}, "[baseline]": {0, 0, 0, 0}} {
		if !slices.Equal(got[name], want) {
			t.Errorf("%s has %v, want %v", name, got[name], want)
		}
	}
	if samples != 10 {
		t.Errorf("%d samples, want 5 of each side: runs of one build are one", samples)
	}
}

// TestProfileTypes: what one profile lacks is in no difference, and without anything in common there is none.
func TestProfileTypes(t *testing.T) {
	old, new := sides(t)
	old[1].SampleType[3].Type, old[1].DefaultSampleType = "energy_model", "energy_model"
	old[1].SampleType[2].Unit = "joules"
	new[0].PeriodType = &profile.ValueType{Type: "cycles", Unit: "count"}
	p, err := Profile(each(old), each(new), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.SampleType) != 2 || p.SampleType[1].Type != "cpu" || p.DefaultSampleType != "cpu" {
		t.Errorf("sample types %v, default %s, want samples and cpu", p.SampleType, p.DefaultSampleType)
	}
	for _, st := range old[0].SampleType {
		st.Unit = "furlongs"
	}
	if _, err := Profile(each(old), each(new), nil); !errors.Is(err, ErrNothingCommon) {
		t.Errorf("%v, want ErrNothingCommon", err)
	}
	if _, err := Profile(each(nil), each(new), nil); err == nil {
		t.Error("a difference from nothing is taken")
	}
	failed := errors.New("cut off")
	broken := func(yield func(*profile.Profile, error) bool) { yield(nil, failed) }
	if _, err := Profile(each(new), broken, nil); !errors.Is(err, failed) {
		t.Errorf("%v, want %v of a file that cannot be read", err, failed)
	}
}

// TestProfileOfTool: `go tool pprof` shows what came and what went, and shares of the base.
func TestProfileOfTool(t *testing.T) {
	old, new := sides(t)
	p, err := Profile(each(old), each(new), nil)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "diff.pb.gz")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "tool", "pprof", "-top", "-nodecount=10", file).CombinedOutput()
	if err != nil {
		t.Fatalf("go tool pprof: %v\n%s", err, out)
	}
	text := string(out)
	// Of 18 J of the base 2 J came.
	for _, want := range []string{"Type: energy", "of 18000000microjoules total", "2000000microjoules 11.11%", "1500000microjoules", "-1000000microjoules", "-300000microjoules"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, " even") {
		t.Errorf("what did not change is shown:\n%s", text)
	}
}

// TestDivide: for any values the sum is divided exactly but for one rounding, none is off by a unit, and 0 is 0.
func TestDivide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOf(rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(-1000, 1000), rapid.Int64Range(-1<<50, 1<<50))).Draw(t, "values")
		by := rapid.Int64Range(1, 40).Draw(t, "by")
		sign := rapid.SampledFrom([]int64{1, -1}).Draw(t, "sign")
		var samples []*profile.Sample
		var sum, got int64
		for _, v := range values {
			samples = append(samples, &profile.Sample{Value: []int64{v}})
			sum += v
		}
		divide(samples, 0, by, sign)
		for i, s := range samples {
			off := sign*s.Value[0]*by - values[i]
			if off <= -by || off >= by || values[i] == 0 && s.Value[0] != 0 {
				t.Errorf("%d / %d is %d", values[i], by, s.Value[0])
			}
			got += s.Value[0]
		}
		if off := sign*got*by - sum; 2*off > by || 2*off < -by {
			t.Errorf("the sum %d / %d is %d", sum, by, got)
		}
	})
}
