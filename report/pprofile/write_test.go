package pprofile

import (
	"bytes"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/pprof/profile"
)

// What is written reads back as what the package profile writes itself.
func TestWrite(t *testing.T) {
	p := mustBuild(t, example())
	p.DropFrames, p.KeepFrames, p.DocURL = "drop", "keep", "https://example.com"
	var ours, theirs bytes.Buffer
	if err := Write(&ours, p); err != nil {
		t.Fatal(err)
	}
	if err := p.Write(&theirs); err != nil {
		t.Fatal(err)
	}
	read := func(b *bytes.Buffer) *profile.Profile {
		out, err := profile.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := out.CheckValid(); err != nil {
			t.Fatal(err)
		}
		return out
	}
	a, b := read(&ours), read(&theirs)
	if d := cmp.Diff(b.String(), a.String()); d != "" {
		t.Errorf("-profile.Write +Write:\n%s", d)
	}
	if a.DropFrames != b.DropFrames || a.KeepFrames != b.KeepFrames || a.DocURL != b.DocURL || a.TimeNanos != b.TimeNanos ||
		a.DurationNanos != b.DurationNanos || a.DefaultSampleType != b.DefaultSampleType {
		t.Errorf("read back as %+v, want %+v", a, b)
	}
	for i, m := range b.Mapping {
		if d := cmp.Diff(*m, *a.Mapping[i], cmp.AllowUnexported(profile.Mapping{}), ignoreX); d != "" {
			t.Errorf("mapping %d: %s", i, d)
		}
	}
	for i, f := range b.Function {
		if d := cmp.Diff(*f, *a.Function[i], cmp.AllowUnexported(profile.Function{}), ignoreX); d != "" {
			t.Errorf("function %d: %s", i, d)
		}
	}
}

// ignoreX leaves out the numbers of strings, which depend on who wrote them.
var ignoreX = cmp.FilterPath(func(p cmp.Path) bool {
	name := p.Last().String()
	return len(name) > 1 && name[len(name)-1] == 'X'
}, cmp.Ignore())

// What the writer costs beside that of the package profile, where it matters: many stacks.
func BenchmarkWrite(b *testing.B) {
	const stacks, depth, places = 50_000, 64, 5000
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}}}
	for i := range uint64(places) {
		f := &profile.Function{ID: i + 1, Name: "function"}
		p.Function = append(p.Function, f)
		p.Location = append(p.Location, &profile.Location{ID: i + 1, Address: i << 4, Line: []profile.Line{{Function: f}}})
	}
	for i := range stacks {
		s := &profile.Sample{Value: []int64{1, 1e6}, Label: map[string][]string{"process": {"app"}}, NumLabel: map[string][]int64{"pid": {int64(i % 100)}}}
		for j := range depth {
			s.Location = append(s.Location, p.Location[(i+j*j)%places])
		}
		p.Sample = append(p.Sample, s)
	}
	for _, w := range []struct {
		name  string
		write func(io.Writer) error
	}{{"ours", func(w io.Writer) error { return Write(w, p) }}, {"profile", p.Write}} {
		b.Run(w.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := w.write(io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
