package simulate

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/energyprof/energyprof/report/attribution"
)

// The scenarios with a few seeds each; `make accuracy` runs them with 200. Of
// what has no limit 2 s are run, to see that it runs.
func TestScenarios(t *testing.T) {
	for _, s := range Scenarios() {
		seeds := 3
		if s.Limits == (Limits{}) {
			seeds = 1
			whole := s.Make
			s.Make = func(rng *rand.Rand) (Machine, Instruments) {
				m, in := whole(rng)
				in.Duration = min(in.Duration, 2*time.Second)
				return m, in
			}
		}
		t.Run(s.Name, func(t *testing.T) {
			e, err := Evaluate(s, seeds, runtime.NumCPU(), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range e.Violations() {
				t.Error(v)
			}
		})
	}
}

// What other tools say of one package with functions of 4 and 18 W, by hand.
func TestFormulas(t *testing.T) {
	m := Machine{
		Packages:  []Package{{CPUs: 2, Busy: 1, Static: 10}},
		Functions: []Function{{Watts: 4, Share: 1, CPUs: []int{0}}, {Watts: 18, Share: 1, CPUs: []int{1}}},
	}
	in := Typical()
	in.Lag, in.Unit = 0, 0
	tr, err := Record(m, in, 1)
	if err != nil {
		t.Fatal(err)
	}
	// 32 W for 15 s, each function on a CPU of its own all the time.
	for _, c := range []struct {
		name   string
		joules []float64
	}{{"scaphandre", Scaphandre(tr)}, {"kepler", Kepler(tr)}, {"powerjoular", PowerJoular(tr)}} {
		for f, got := range c.joules {
			if want := 32. * 15 / 2; got < want*0.999999 || got > want*1.000001 {
				t.Errorf("%s gives function %d %v J, want %v", c.name, f, got, want)
			}
		}
	}
	m.Packages[0].Busy = 0.5
	m.Functions[0].CPUs, m.Functions[1].CPUs = nil, nil
	if tr, err = Record(m, in, 1); err != nil {
		t.Fatal(err)
	}
	ours, err := tr.Attribute(tr.Options(attribution.Share))
	if err != nil {
		t.Fatal(err)
	}
	total := tr.Truth.Series[0].Joules
	smart, all := sum(SmartWatts(tr)), sum(PowerJoular(tr))
	if smart < 0.98*total || smart > 1.02*total || all < 0.999999*total || all > 1.000001*total {
		t.Errorf("of %v J, smartwatts gives away %v and powerjoular %v", total, smart, all)
	}
	kepler, scaphandre, share := sum(Kepler(tr)), sum(Scaphandre(tr)), sum(ours.Series[0].ByKey)
	for name, got := range map[string]float64{"kepler": kepler, "scaphandre": scaphandre, "share": share} {
		if got < 0.45*total || got > 0.6*total {
			t.Errorf("%s gives away %v of %v J of CPUs that are half idle", name, got, total)
		}
	}
}

func TestInvalid(t *testing.T) {
	good := Machine{Packages: []Package{{CPUs: 2, Busy: 0.5}}, Functions: []Function{{Watts: 1, Share: 1}}}
	for name, change := range map[string]func(m *Machine, in *Instruments){
		"no packages":    func(m *Machine, _ *Instruments) { m.Packages = nil },
		"no functions":   func(m *Machine, _ *Instruments) { m.Functions = nil },
		"busy":           func(m *Machine, _ *Instruments) { m.Packages[0].Busy = 1.5 },
		"siblings":       func(m *Machine, _ *Instruments) { m.Packages[0].Siblings, m.Packages[0].CPUs = true, 3 },
		"types":          func(m *Machine, _ *Instruments) { m.Packages[0].Types = []uint8{0, 1} },
		"drift":          func(m *Machine, _ *Instruments) { m.Packages[0].Drift = 1 },
		"function's CPU": func(m *Machine, _ *Instruments) { m.Functions[0].CPUs = []int{2} },
		"phase":          func(m *Machine, _ *Instruments) { m.Phases = []Phase{{Busy: 1}} },
		"alternating":    func(m *Machine, _ *Instruments) { m.Alternating = []Alternating{{Of: 0, With: 1}} },
		"together":       func(m *Machine, _ *Instruments) { m.Together = []Together{{CPU: 0, Beside: 0}} },
		"hertz":          func(_ *Machine, in *Instruments) { in.Hertz = 0 },
		"readings":       func(_ *Machine, in *Instruments) { in.ReadEvery = 0 },
		"lost":           func(_ *Machine, in *Instruments) { in.Lost = 2 },
		"lag":            func(_ *Machine, in *Instruments) { in.Lag = -1 },
	} {
		m, in := good, Typical()
		m.Packages = []Package{good.Packages[0]}
		m.Functions = []Function{good.Functions[0]}
		change(&m, &in)
		if _, err := Record(m, in, 1); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
