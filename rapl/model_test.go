package rapl

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// statOf is /proc/stat of CPUs that were busy for some ticks each.
func statOf(busy ...uint64) string {
	s := "cpu  9 9 9 9 9 9 9 9 9 9\n"
	for i, b := range busy {
		// Idle, iowait, stolen and guest time are no work of ours, or counted already.
		s += fmt.Sprintf("cpu%d %d 1 2 99999 777 3 4 555 666 0\n", i, b)
	}
	return s + "intr 12345 0 0\nctxt 9\n"
}

func modelMachine(t testing.TB, cpuinfo string, where ...string) Machine {
	m := tree(t, cpuinfo+cpus(where...))
	put(t, m.proc("stat"), statOf(make([]uint64, len(where))...))
	return m
}

func TestModel(t *testing.T) {
	m := modelMachine(t, cpuinfo("GenuineIntel", 6, 0x6a, ""), "0 0 0", "1 0 0", "1 0 1")
	s := open(t, m, "model").(*model)
	mono := s.last.mono
	s.clocks = func() (reading, error) { return reading{mono: mono}, nil }
	info := s.Info()
	if info.Measured || info.Domains[0].ErrorBand != knownBand || !noted(s, "an estimate, not a measurement", "ice lake", "SPECpower") {
		t.Errorf("%+v", info)
	}
	if w := info.Domains[1].IdleWatts; math.Abs(w-2*0.767) > 1e-12 {
		t.Errorf("two idle CPUs take %v W", w)
	}
	mono += 10e9
	put(t, m.proc("stat"), statOf(0, 500, 1000))
	j, _ := read(t, s)
	// 0.767 W idle and 3.758 W busy: package 0 idles, of package 1 one CPU is busy half and one all of the time.
	if want := 7.67; math.Abs(j[0]-want) > 1e-9 {
		t.Errorf("idle package: %v J, want %v", j[0], want)
	}
	if want := 2*7.67 + 15*(3.758-0.767); math.Abs(j[1]-want) > 1e-9 {
		t.Errorf("busy package: %v J, want %v", j[1], want)
	}
	// A CPU that steps back by a tick takes nothing away.
	put(t, m.proc("stat"), statOf(0, 499, 1000))
	if again, _ := read(t, s); again[1] != j[1] {
		t.Errorf("%v J after a step back, want %v", again[1], j[1])
	}
}

func TestCoefficients(t *testing.T) {
	for _, c := range []struct {
		cpu  processor
		arch string
		band float64
	}{
		{processor{vendor: "GenuineIntel", family: 6, model: 0x55, stepping: 4}, "skylake", knownBand},
		{processor{vendor: "GenuineIntel", family: 6, model: 0x55, stepping: 7}, "cascade lake", knownBand},
		{processor{vendor: "GenuineIntel", family: 6, model: 0xcf}, "emerald rapids", knownBand},
		{processor{vendor: "AuthenticAMD", family: 0x17, model: 0x31, name: "AMD EPYC 7702"}, "epyc 2", knownBand},
		{processor{vendor: "AuthenticAMD", family: 0x19, model: 0x11, name: "AMD EPYC"}, "epyc 4", knownBand},
		{processor{vendor: "AuthenticAMD", family: 0x19, model: 0x61, name: "AMD Ryzen 9 7950X"}, generic.arch, genericBand},
		{processor{vendor: "AuthenticAMD", family: 0x1a, name: "AMD EPYC 9755"}, generic.arch, genericBand},
		{processor{}, generic.arch, genericBand},
	} {
		got := coefficientsOf(c.cpu)
		if got.arch != c.arch || got.band != c.band || got.idle <= 0 || got.busy <= got.idle || got.source == "" {
			t.Errorf("%+v: %+v, want %s", c.cpu, got, c.arch)
		}
	}
	for model, arch := range intelArch {
		if _, ok := byArch[arch]; !ok {
			t.Errorf("Intel model %#x is %q, which has no coefficients", model, arch)
		}
	}
}

// What the model says of a time does not depend on how often it is asked.
func TestModelIsLinear(t *testing.T) {
	m := modelMachine(t, cpuinfo("", 0, 0, ""), "0 0 0", "0 0 1")
	rapid.Check(t, func(rt *rapid.T) {
		put(t, m.proc("stat"), statOf(0, 0))
		s := open(t, m, "model").(*model)
		mono := s.last.mono
		s.clocks = func() (reading, error) { return reading{mono: mono}, nil }
		var ticks, ns uint64
		for range rapid.IntRange(1, 20).Draw(rt, "readings") {
			step := rapid.Uint64Range(0, 200).Draw(rt, "ticks")
			dt := rapid.Uint64Range(1, 1e10).Draw(rt, "ns")
			ticks, ns, mono = ticks+step, ns+dt, mono+int64(dt)
			put(t, m.proc("stat"), statOf(ticks, 0))
			read(t, s)
		}
		j, _ := read(t, s)
		want := generic.idle*2*float64(ns)*1e-9 + (generic.busy-generic.idle)*float64(ticks)/100
		if math.Abs(j[0]-want) > 1e-9*want {
			rt.Fatalf("%v J, want %v", j[0], want)
		}
	})
}

func TestModelOfThisMachine(t *testing.T) {
	s := open(t, Machine{}, "model")
	for range 50_000_000 { // some work, without which a tickless kernel may show none
	}
	if j, _ := read(t, s); !(j[0] > 0) {
		t.Errorf("%v J", j)
	}
}

func TestOpenAutoAndProbe(t *testing.T) {
	m := modelMachine(t, cpuinfo("AuthenticAMD", 0x19, 0x11, "hypervisor"), "0 0 0")
	if s := open(t, m, "auto"); s.Info().Name != "model" {
		t.Errorf("auto is %s", s.Info().Name)
	}
	m2 := tree(t, cpuinfo("GenuineIntel", 6, 0x55, "")+cpus("0 0 0")+zoneTree("intel-rapl:0", "package-0", 5, spanESU14))
	if s := open(t, m2, "auto"); s.Info().Name != "powercap" {
		t.Errorf("auto is %s", s.Info().Name)
	}
	var kinds []string
	for _, s := range Probe(m) {
		kinds = append(kinds, s.Kind)
		if s.Usable != (s.Err == nil) || s.Usable != (s.Kind == "model") || s.Usable && len(s.Info.Domains) == 0 {
			t.Errorf("%+v", s)
		}
		if !s.Usable && !errors.Is(s.Err, ErrNoHardware) {
			t.Errorf("%s: %v, want %v", s.Kind, s.Err, ErrNoHardware)
		}
	}
	if fmt.Sprint(kinds) != fmt.Sprint(Kinds()) {
		t.Errorf("probed %v, want %v", kinds, Kinds())
	}
	if _, err := Open(m, "coal"); !errors.Is(err, ErrUnknownKind) {
		t.Errorf("%v, want %v", err, ErrUnknownKind)
	}
}

func FuzzBusyTicks(f *testing.F) {
	f.Add([]byte(statOf(1, 2)))
	f.Add([]byte("cpu0 1 2 3\n"))
	f.Add([]byte("cpu65535 1 2 3 4 5 6 7\nintr"))
	f.Fuzz(func(t *testing.T, stat []byte) {
		ticks, err := busyTicks(stat)
		if err == nil && (len(ticks) == 0 || len(ticks) > 1<<16) {
			t.Errorf("%d CPUs of %q", len(ticks), stat)
		}
	})
}
