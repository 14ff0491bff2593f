package rapl

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// several is a source of a package and two kinds of memory.
type several struct {
	moment Moment
	notes  []string
}

func (s *several) Info() Info {
	return Info{Name: "sim", Measured: true, Notes: s.notes, Domains: []Domain{{Name: "package", Sum: true}, {Name: "dram", Sum: true},
		{Name: "package", Package: 1, Sum: true}, {Name: "dram", Package: 1, Sum: true}}}
}

func (s *several) Read(joules []float64) (Moment, error) {
	copy(joules, []float64{1, 2, 3, 4})
	return s.moment, nil
}

func (s *several) Counters() []Counter {
	return []Counter{{Domain: 0}, {Domain: 1, CPU: 5}, {Domain: 3, CPU: 7}}
}

func (s *several) Close() error { return nil }

func memoryAlone(d Domain) (Domain, bool) {
	d.Sum = false
	return d, d.Name == "dram"
}

// A source of some domains reads, fails and is stamped as those domains do.
func TestOnly(t *testing.T) {
	broken := errors.New("broken")
	src := &several{moment: Moment{Before: 1, After: 2, Dropped: 1, Failed: []error{nil, nil, broken, broken}},
		notes: []string{"package 1: the counter has not moved", "dram 1: the counter has not moved", "of all"}}
	o, err := Only(src, memoryAlone)
	if err != nil {
		t.Fatal(err)
	}
	want := Info{Name: "sim", Measured: true, Notes: []string{"dram 1: the counter has not moved", "of all"},
		Domains: []Domain{{Name: "dram"}, {Name: "dram", Package: 1}}}
	if d := cmp.Diff(want, o.Info()); d != "" {
		t.Errorf("info (-want +got):\n%s", d)
	}
	joules := make([]float64, 2)
	moment, err := o.Read(joules)
	if err != nil || joules[0] != 2 || joules[1] != 4 || moment.Before != 1 || moment.After != 2 {
		t.Errorf("read %v at %+v, %v; want 2 and 4 J from 1 to 2 ns", joules, moment, err)
	}
	if len(moment.Failed) != 2 || moment.Failed[0] != nil || !errors.Is(moment.Failed[1], broken) {
		t.Errorf("failed: %v, want the second alone", moment.Failed)
	}
	src.moment.Failed = []error{broken, nil, nil, nil}
	if moment, err = o.Read(joules); err != nil || moment.Failed != nil {
		t.Errorf("what is not taken failed: %v, %v", moment.Failed, err)
	}
	if _, err = o.Read(make([]float64, 4)); err == nil {
		t.Error("room for the domains of the source is not refused")
	}
	if d := cmp.Diff([]Counter{{Domain: 0, CPU: 5}, {Domain: 1, CPU: 7}}, o.(*only).Counters()); d != "" {
		t.Errorf("counters (-want +got):\n%s", d)
	}
	if _, err := Only(src, func(d Domain) (Domain, bool) { return d, d.Name == "gpu" }); !errors.Is(err, ErrNoHardware) {
		t.Errorf("no domain taken: %v, want ErrNoHardware", err)
	}
}
