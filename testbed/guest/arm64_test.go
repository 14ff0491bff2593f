package guest

import (
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// QEMU's PMUv3 counts the guest's time as cycles of 1 GHz, and instructions for
// what they are. The testbed's clock gives each of them 8 ns, whoever runs it.
const (
	armCycles       = 1e9 // per second
	armPerInstr     = 8   // cycles
	armGuest        = "arm64-6.1"
	armCyclesConfig = 0x11 // CPU_CYCLES, as the architecture numbers it
)

// burn keeps the calling thread on its CPU for this long, and hardly ever looks at
// the clock.
//
//go:noinline
func burn(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		for i := range 100_000 {
			burnt = burnt*33 ^ i
		}
	}
}

var burnt int

// The processor's own PMU is found under the name that its driver gives it, with
// the CPUs that it covers and its events.
func TestARM64PMU(t *testing.T) {
	only(t, armGuest)
	p, err := pmu.NewFS("", "").PMU("armv8_pmuv3")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.CPUs, []int{0, 1}) || p.Type <= unix.PERF_TYPE_BREAKPOINT || len(p.Faults) != 0 {
		t.Errorf("%+v, want CPUs 0 and 1, a type of its own, and no fault", p)
	}
	if e := parse(t, "armv8_pmuv3/cpu_cycles/"); e.Type != p.Type || e.Config != armCyclesConfig {
		t.Errorf("cpu_cycles is event %#x of PMU %d, want %#x of %d", e.Config, e.Type, armCyclesConfig, p.Type)
	}
}

// A group of cycles and instructions has the ratio of the testbed's clock, by the
// generic names and by the PMU's own.
func TestARM64Counts(t *testing.T) {
	only(t, armGuest)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, names := range [][2]string{{"cycles", "instructions"}, {"armv8_pmuv3/cpu_cycles/", "armv8_pmuv3/inst_retired/"}} {
		leader := attrOf(parse(t, names[0]))
		leader.ReadFormat |= perfring.ReadGroup
		leader.Flags = perfring.FlagDisabled
		member := attrOf(parse(t, names[1]))
		member.ReadFormat = leader.ReadFormat
		cycles := open(t, leader, 0, -1, nil)
		open(t, member, 0, -1, cycles)
		must(t, cycles.EnableGroup())
		burn(200 * time.Millisecond)
		must(t, cycles.DisableGroup())
		group, err := cycles.ReadGroupCount(nil)
		must(t, err)
		if len(group) != 2 || group[0].Running == 0 || group[0].Running != group[0].Enabled {
			t.Fatalf("%s: %+v, want two counts that ran all the time", names, group)
		}
		c, i, ns := float64(group[0].Value), float64(group[1].Value), float64(group[0].Running)
		t.Logf("%s: %.0f and %.0f in %.0f ns", names, c, i, ns)
		if math.Abs(c/i-armPerInstr) > 0.001*armPerInstr {
			t.Errorf("%s: %.0f and %.0f, want %d cycles for each instruction", names, c, i, armPerInstr)
		}
		if math.Abs(c-ns) > 0.01*ns {
			t.Errorf("%s: %.0f cycles in %.0f ns, want 1 GHz", names, c, ns)
		}
	}
}

// sampleCycles samples cycles of the calling thread while it burns, and returns its
// samples, how many cycles there were, and the books of the ring.
func sampleCycles(t *testing.T, a *perfring.Attr, d time.Duration) (samples []perfring.Sample, cycles uint64, books perfring.Counts) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	a.SampleFormat = perfring.SampleIdentifier | perfring.SampleIP | perfring.SampleTID | perfring.SampleTime | perfring.SamplePeriod | perfring.SampleCallchain
	a.Flags |= perfring.FlagDisabled | perfring.FlagSampleIDAll | perfring.FlagExcludeKernel
	e := open(t, a, 0, -1, nil)
	r, err := perfring.MapRing(e, 64)
	must(t, err)
	defer func() { must(t, r.Close()) }()
	must(t, e.Enable())
	burn(d)
	must(t, e.Disable())
	decoder := perfring.NewDecoder()
	must(t, decoder.Add(a, e.ID))
	var b perfring.Books
	r.Drain(func(raw []byte) {
		rec, err := decoder.Decode(raw)
		must(t, err)
		b.Count(rec, 0)
		if s, ok := rec.(*perfring.Sample); ok {
			if s.ID != e.ID || int(s.TID) != unix.Gettid() || len(s.Callchain) < 2 || s.Callchain[1] != s.IP {
				t.Fatalf("sample %+v of event %d", s, e.ID)
			}
			samples = append(samples, perfring.Sample{IP: s.IP, Time: s.Time, Period: s.Period})
		}
	})
	if r.Bad != 0 {
		t.Errorf("%d bad records", r.Bad)
	}
	return samples, countOf(t, e).Value, b.Total()
}

// A fixed period gives a sample for each, and a frequency as many as it says
// once the kernel has found the period.
func TestARM64Sampling(t *testing.T) {
	only(t, armGuest)
	const period = 1_000_000
	a := attrOf(parse(t, "cycles"))
	a.Sample = period
	samples, cycles, books := sampleCycles(t, a, 300*time.Millisecond)
	t.Logf("period: %d samples of %d cycles", len(samples), cycles)
	if n := cycles / period; uint64(len(samples)) > n || uint64(len(samples))+2 < n || books.Lost != 0 {
		t.Errorf("%d samples of %d cycles each, %d lost, of %d cycles", len(samples), period, books.Lost, cycles)
	}
	in := 0
	for i, s := range samples {
		if s.Period != period || i > 0 && s.Time <= samples[i-1].Time {
			t.Fatalf("sample %d: %+v behind %+v, want a period of %d", i, s, samples[max(0, i-1)], period)
		}
		if f := runtime.FuncForPC(uintptr(s.IP)); f != nil && strings.HasSuffix(f.Name(), ".burn") {
			in++
		}
	}
	if in < len(samples)*9/10 {
		t.Errorf("%d of %d samples in burn, which ran", in, len(samples))
	}

	const frequency = 500
	a = attrOf(parse(t, "cycles"))
	a.Sample, a.Flags = frequency, perfring.FlagFreq
	samples, cycles, _ = sampleCycles(t, a, time.Second)
	var sum, late uint64
	for i, s := range samples {
		sum += s.Period
		if i >= len(samples)/2 {
			late += s.Period
		}
	}
	mean := float64(late) / float64(len(samples)-len(samples)/2)
	t.Logf("frequency: %d samples, %d cycles of %d in them, the later ones %.0f each", len(samples), sum, cycles, mean)
	if want := armCycles / frequency; math.Abs(mean-want) > 0.2*want {
		t.Errorf("periods of %.0f cycles in the end, want %.0f for %d Hz", mean, want, frequency)
	}
	if float64(sum) < 0.95*float64(cycles) || sum > cycles+cycles/100 {
		t.Errorf("samples stand for %d of %d cycles", sum, cycles)
	}
}

// More samples than the kernel allows: it throttles, says so, and goes on.
func TestARM64Throttle(t *testing.T) {
	only(t, armGuest)
	// What the kernel allows a tick is settled when an event is opened.
	set(t, "/proc/sys/kernel/perf_event_max_sample_rate", "1000")
	a := attrOf(parse(t, "cycles"))
	a.Sample = 100_000 // 10 kHz
	samples, _, books := sampleCycles(t, a, 200*time.Millisecond)
	if books.Throttles == 0 || books.Unthrottles > books.Throttles || books.Throttles > books.Unthrottles+1 || len(samples) == 0 {
		t.Errorf("%d samples, %+v; want throttling, and an end of it each time", len(samples), books)
	}
}
