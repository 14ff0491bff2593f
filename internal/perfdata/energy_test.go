package perfdata

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

// groupFile is of a machine of two packages with two CPUs each, on which a clock leads
// energy and instructions: perf record -C 0,2 -e '{cpu-clock,power/energy-pkg/,instructions}:S'.
func groupFile(order binary.ByteOrder) *built {
	const format = perfring.SampleIdentifier | perfring.SampleIP | perfring.SampleTID | perfring.SampleTime | perfring.SampleCPU |
		perfring.SamplePeriod | perfring.SampleRead
	attr := func(kind uint32, config, sample uint64) perfring.Attr {
		return perfring.Attr{Type: kind, Config: config, Sample: sample, SampleFormat: format,
			ReadFormat: perfring.ReadGroup | perfring.ReadID, Flags: perfring.FlagSampleIDAll}
	}
	f := &built{order: order, events: []builtEvent{
		{attr: attr(unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_CPU_CLOCK, 1e6), ids: []uint64{1, 2}},
		{attr: attr(23, 2, 0), ids: []uint64{3, 4}},
		{attr: attr(unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_INSTRUCTIONS, 0), ids: []uint64{5, 6}},
	}}
	f.features = map[feature][]byte{
		featNrCPUs:      f.enc().u32(4, 4).b,
		featCPUTopology: f.enc().u32(2).text("0-1").text("2-3").u32(4).text("0").text("1").text("2").text("3").u32(0, 0, 1, 0, 0, 1, 1, 1).b,
		featPMUMappings: f.enc().u32(1).u32(23).text("power").b,
		featGroupDesc:   f.enc().u32(1).text("{anon_group}").u32(0, 3).b,
	}
	sample := func(t uint64, cpu uint32, clock, energy, instructions uint64) {
		ids := []uint64{1, 3, 5}
		if cpu == 2 {
			ids = []uint64{2, 4, 6}
		}
		f.sample(0, perfring.Sample{ID: ids[0], Time: t, CPU: cpu, TID: 7, Period: 1e6, Read: []perfring.ReadValue{
			{Value: clock, ID: ids[0]}, {Value: energy, ID: ids[1]}, {Value: instructions, ID: ids[2]},
		}})
	}
	const ms = 1e6
	const joule = 1 << 32
	sample(100*ms, 0, 1e6, 1*joule, 5000)
	sample(101*ms, 2, 1e6, 7*joule, 0)       // no instruction: no sample of them
	sample(101*ms, 0, 2e6, 1.25*joule, 6000) // sooner after the one before than is of use
	f.round()
	sample(120*ms, 0, 3e6, 2*joule, 6000)
	sample(121*ms, 2, 3e6, 6*joule, 1000) // energy goes back
	sample(140*ms, 0, 4e6, 2*joule, 9000)
	f.round()
	sample(142*ms, 2, 4e6, 9*joule, 1001)
	sample(143*ms, 2, 4e6, 10*joule, 1001)
	return f
}

func TestEnergyOfGroup(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		var sink transcript
		f, r := readFile(t, groupFile(order).file(), &sink)
		want := []EnergyDomain{
			{Name: "package", Package: 0, CPUs: []int{0, 1}, Sum: true, Event: 1, JoulesPerCount: 0x1p-32},
			{Name: "package", Package: 1, CPUs: []int{2, 3}, Sum: true, Event: 1, JoulesPerCount: 0x1p-32},
		}
		if diff := cmp.Diff(want, f.EnergyDomains); diff != "" {
			t.Errorf("domains (-want +got):\n%s", diff)
		}
		golden(t, "group.txt", sink.String())
		if r.EnergyReadings != 8 || r.EnergyBack != 1 || !slices.Equal(r.Samples, []uint64{7, 0, 5}) {
			t.Errorf("%+v", r)
		}
		if name := f.Events[1].Name; name != "power/config=0x2/" || f.Events[2].Leader != 0 {
			t.Errorf("energy event is %q", name)
		}
	}
}

func TestEnergyNames(t *testing.T) {
	type domains []string
	tests := []struct {
		name   string
		config uint64
		pmu    string
		want   domains
	}{
		{"power/energy-pkg/", 2, "power", domains{"package 0", "package 1"}},
		{"power/energy-ram/u", 3, "power", domains{"dram 0", "dram 1"}},
		{"power/energy-cores/", 1, "power", domains{"cores 0", "cores 1"}},
		{"power/energy-gpu/", 4, "power", domains{"gpu 0", "gpu 1"}},
		{"power/energy-psys/", 5, "power", domains{"psys 0"}},
		{"energy-psys", 5, "power", domains{"psys 0"}},
		{"power_core/energy-core/", 1, "power_core", domains{"core 0", "core 0", "core 1", "core 1"}},
		{"power/event=0x02/", 2, "power", domains{"package 0", "package 1"}},
		{"energy-pkg", 2, "uncore", nil},
		{"cstate_core/c6-residency/", 2, "cstate_core", nil},
		{"power/unknown/", 99, "power", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := groupFile(binary.LittleEndian)
			f.events[1].attr.Config = test.config
			f.features[featPMUMappings] = f.enc().u32(1).u32(23).text(test.pmu).b
			f.record(recFinishedRound, 0, f.enc())
			update := &built{order: f.order}
			update.record(recEventUpdate, 0, update.enc().u64(updateName, 4).name(test.name, 8))
			update.record(recEventUpdate, 0, update.enc().u64(updateScale, 3, scale(0.5)))
			update.record(recEventUpdate, 0, update.enc().u64(updateUnit, 3).name("Joules", 8))
			f.records = append(update.records, f.records...)
			var sink transcript
			file, _ := readFile(t, f.file(), &sink)
			var got domains
			for _, d := range file.EnergyDomains {
				got = append(got, d.String())
				if d.JoulesPerCount != 0.5 {
					t.Errorf("%v: %v J in a count", d, d.JoulesPerCount)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(sink.energy) == 0 != (len(got) == 0) {
				t.Errorf("%d readings", len(sink.energy))
			}
		})
	}
}

// Parts of the machine on which the event was not opened have no domain.
func TestEnergyWhereOpened(t *testing.T) {
	f := groupFile(binary.LittleEndian)
	index := &built{order: f.order}
	index.record(recIDIndex, 0, index.enc().u64(1, 3, 0, 2, 1<<64-1))
	f.events[1].ids = []uint64{3}
	f.records = append(index.records, f.records...)
	file, err := NewFile(bytesOf(f.file()))
	must(t, err)
	if len(file.EnergyDomains) != 1 || file.EnergyDomains[0].Package != 1 {
		t.Errorf("domains %v", file.EnergyDomains)
	}
}

// A counter of a command's threads stands still while they do not run.
func TestEnergyPerThread(t *testing.T) {
	const anyThread = 1<<64 - 1
	index := func(tid uint64) func(f *built) {
		return func(f *built) {
			b := &built{order: f.order}
			b.record(recIDIndex, 0, b.enc().u64(4, 3, 0, 0, tid, 4, 1, 2, tid, 5, 0, 0, tid, 6, 1, 2, tid))
			f.records = append(b.records, f.records...)
		}
	}
	onExec := func(f *built) { f.events[0].attr.Flags |= perfring.FlagEnableOnExec }
	noCPU := func(f *built) {
		for i := range f.events {
			f.events[i].attr.SampleFormat &^= perfring.SampleCPU
		}
	}
	tests := []struct {
		name string
		with []func(*built)
		want error
	}{
		{"whole CPUs by the index", []func(*built){index(anyThread)}, nil},
		{"threads by the index", []func(*built){index(77)}, ErrPerThread},
		{"the index knows best", []func(*built){index(anyThread), onExec, noCPU}, nil},
		{"whole CPUs by the attributes", nil, nil},
		{"enabled by execve", []func(*built){onExec}, ErrPerThread},
		{"samples without a CPU", []func(*built){noCPU}, ErrPerThread},
	}
	for _, test := range tests {
		b := groupFile(binary.LittleEndian)
		for _, with := range test.with {
			with(b)
		}
		f, err := NewFile(bytesOf(b.file()))
		must(t, err)
		if err := f.UseEnergy("instructions", 1); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

// Any counter can be named as one of energy.
func TestUseEnergy(t *testing.T) {
	open := func() *File {
		f, err := NewFile(bytesOf(groupFile(binary.LittleEndian).file()))
		must(t, err)
		return f
	}
	f := open()
	must(t, f.UseEnergy("instructions", 0.25))
	if want := "instructions"; f.EnergyDomains[0].Name != want || len(f.EnergyDomains) != 2 {
		t.Errorf("domains %v", f.EnergyDomains)
	}
	var sink transcript
	r, err := f.Read(&sink)
	must(t, err)
	if last := sink.energy[len(sink.energy)-1]; last != [2]float64{1, 250.25} || r.EnergyBack != 0 {
		t.Errorf("last reading %v, %+v", last, r)
	}
	for _, scale := range []float64{1, 0} {
		if err := open().UseEnergy("cycles", scale); !errors.Is(err, ErrNoSuchEvent) {
			t.Errorf("event that is not there: %v", err)
		}
	}
	if err := open().UseEnergy("instructions", 0); !errors.Is(err, ErrNoScale) {
		t.Errorf("event without a scale: %v", err)
	}
	lone := testFile(binary.LittleEndian)
	f, err = NewFile(bytesOf(lone.file()))
	must(t, err)
	if err := f.UseEnergy("cpu-clock", 1); !errors.Is(err, ErrNoSuchEvent) {
		t.Errorf("event that is not read: %v", err)
	}
	for name, want := range map[string]string{"msr/tsc/": "msr_tsc", "///": "energy", "Power 2": "power_2"} {
		if got := label(name); got != want {
			t.Errorf("label of %q is %q, want %q", name, got, want)
		}
	}
	if powerScale != math.Ldexp(1, -32) {
		t.Error("the kernel's scale is 2^-32")
	}
}
