package pprofile

import (
	"bytes"
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
