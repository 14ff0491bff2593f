package pebs

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// Trees of internal/pmu that serve here, too: a server without mem-loads-aux, an AMD of
// before Zen 4, an Arm server.
const (
	iceLake = "../internal/pmu/testdata/oracle/server.sysfs"
	zen3    = "../internal/pmu/testdata/oracle/epyc.sysfs"
	arm     = "../internal/pmu/testdata/oracle/arm.sysfs"

	sapphireRapids = "testdata/sapphirerapids.sysfs"
	alderLake      = "testdata/alderlake.sysfs"
	zen5           = "testdata/zen5.sysfs"
	guest          = "testdata/guest.sysfs"
)

// What is chosen where. Lines behind "=" are why PMUs give none of what was asked.
func TestChoose(t *testing.T) {
	const all = fields
	open := openMachines(t)
	for _, test := range []struct {
		name, machine string
		kernel        rules
		opt           Options
		want          string
	}{
		{"a server of before Sapphire Rapids", iceLake, rules{precise: 3, fields: all}, Options{Physical: true, PageSizes: true}, `
loads cpu/mem-loads,ldlat=30/ppp with addr src weights phys page code
stores cpu/mem-stores/ppp with addr src weights phys page code`},

		{"loads want their leader", sapphireRapids, rules{precise: 3, fields: all, aux: true}, Options{Physical: true}, `
loads cpu/mem-loads,ldlat=30/ppp after cpu/mem-loads-aux/ with addr src weights phys
stores cpu/mem-stores/ppp with addr src weights phys`},

		{"loads alone, of any latency that the processor has", iceLake, rules{precise: 3, fields: all}, Options{Loads: true, Latency: 3}, `
loads cpu/mem-loads,ldlat=3/ppp with addr src weights`},
		{"slow loads", sapphireRapids, rules{precise: 3, fields: all, aux: true}, Options{Loads: true, Latency: 512, AllCPUs: true}, `
loads cpu/mem-loads,ldlat=512/ppp after cpu/mem-loads-aux/ with addr src weights`},
		{"stores alone", sapphireRapids, rules{precise: 3, fields: all, aux: true}, Options{Stores: true, Latency: 512}, `
stores cpu/mem-stores/ppp with addr src weights`},

		{"two kinds of core", alderLake, rules{precise: 3, fields: all, aux: true}, Options{}, `
loads cpu_atom/mem-loads,ldlat=30/ppp on 2-3 with addr src weights
stores cpu_atom/mem-stores/ppp on 2-3 with addr src weights
loads cpu_core/mem-loads,ldlat=30/ppp after cpu_core/mem-loads-aux/ on 0-1 with addr src weights
stores cpu_core/mem-stores/ppp on 0-1 with addr src weights`},

		{"an old kernel and two precise levels", iceLake, rules{precise: 2, fields: fields510}, Options{Loads: true, Physical: true, PageSizes: true}, `
loads cpu/mem-loads,ldlat=30/pp with addr src weight phys
	not precise_ip 3: the PMU has no samples as precise as that (ENOTSUP)
	not the three parts of the weight: this kernel does not tell them, as Linux does from 5.12 on (EINVAL)
	not sizes of pages of data: this kernel does not tell them, as Linux does from 5.11 on (EINVAL)
	not sizes of pages of code: this kernel does not tell them, as Linux does from 5.11 on (EINVAL)`},

		{"a user without rights", iceLake, rules{precise: 3, fields: all, noKernel: true}, Options{Loads: true, Physical: true}, `
loads cpu/mem-loads,ldlat=30/ppp with addr src weights, user only
	not samples in the kernel: this user may not sample the kernel (EACCES)
	not physical addresses: this user may not see physical addresses (EACCES)`},
		{"a user without rights who wants user space alone", iceLake, rules{precise: 3, fields: all, noKernel: true}, Options{Loads: true, UserOnly: true}, `
loads cpu/mem-loads,ldlat=30/ppp with addr src weights`},
		{"a user without rights who wants whole CPUs", iceLake, rules{precise: 3, fields: all, noKernel: true}, Options{Loads: true, AllCPUs: true}, `
= cpu/mem-loads/: this user may not sample it (EACCES)`},
		{"a user who may nothing", iceLake, rules{precise: 3, fields: all, nothing: true}, Options{Stores: true}, `
= cpu/mem-stores/: this user may not sample it (EACCES)`},

		{"a kernel that names loads which it does not sample", sapphireRapids, rules{fields: all}, Options{}, `
= cpu/mem-loads/: the PMU has no samples as precise as that (ENOTSUP)
= cpu/mem-stores/: the PMU has no samples as precise as that (ENOTSUP)`},
		{"loads that only counters without the highest level take", sapphireRapids, rules{precise: 3, fields: all, aux: true, notHighest: 0x1cd}, Options{Loads: true}, `
loads cpu/mem-loads,ldlat=30/pp after cpu/mem-loads-aux/ with addr src weights
	not precise_ip 3: no counter of the PMU takes the event with that precision (EINVAL)`},
		{"stores that cannot be sampled", iceLake, rules{precise: 3, fields: all, impossible: 0x2cd}, Options{}, `
loads cpu/mem-loads,ldlat=30/ppp with addr src weights
= cpu/mem-stores/: no counter of the PMU takes the event with that precision (EINVAL)`},

		{"IBS", zen5, rules{fields: all, perTask: true, filters: true}, Options{Physical: true}, `
accesses ibs_op/cnt_ctl=1/ with addr src weights phys`},
		{"IBS samples loads alone by their latency", zen5, rules{fields: all, perTask: true, filters: true}, Options{Loads: true, Latency: 200}, `
loads ibs_op/cnt_ctl=1,ldlat=200/ with addr src weights`},
		{"IBS with a latency and stores", zen5, rules{fields: all, perTask: true, filters: true}, Options{Latency: 200}, `
accesses ibs_op/cnt_ctl=1/ with addr src weights
	not ldlat: IBS with this filter samples no stores: accesses of any latency are sampled`},
		{"IBS with a latency out of its range", zen5, rules{fields: all, perTask: true, filters: true}, Options{Loads: true, Latency: 100}, `
accesses ibs_op/cnt_ctl=1/ with addr src weights
	not ldlat: IBS filters by 128 to 2048 cycles: accesses of any latency are sampled`},
		{"IBS leaves out the kernel", zen5, rules{fields: all, perTask: true, filters: true}, Options{UserOnly: true}, `
accesses ibs_op/cnt_ctl=1,swfilt=1/ with addr src weights`},
		{"IBS of a user without rights", zen5, rules{fields: all, perTask: true, filters: true, noKernel: true}, Options{}, `
accesses ibs_op/cnt_ctl=1,swfilt=1/ with addr src weights, user only
	not samples in the kernel: this user may not sample the kernel (EACCES)`},
		{"old IBS cannot leave out the kernel", zen3, rules{fields: all, perTask: true}, Options{UserOnly: true}, `
= ibs_op//: IBS samples user space and the kernel alike; from Linux 6.14 on the kernel can pass over the samples of one (EINVAL)`},
		{"old IBS of whole CPUs", zen3, rules{fields: all}, Options{AllCPUs: true, Latency: 30}, `
accesses ibs_op/cnt_ctl=1/ with addr src weights
	not ldlat: this processor's IBS has no such filter: accesses of any latency are sampled`},
		{"old IBS of a process", zen3, rules{fields: all}, Options{}, `
= ibs_op//: before Linux 6.2 IBS samples whole CPUs, and no single processes (EINVAL)`},
		{"IBS with an odd period", zen5, rules{fields: all, perTask: true, filters: true}, Options{Period: 1000}, `
= ibs_op//: the period of IBS is a multiple of 16, and 1000 is none (EINVAL)`},

		{"Arm", arm, rules{fields: all}, Options{}, `
= arm_spe_0: it writes a trace, which perf has to decode into samples
= armv8_pmuv3_0: the kernel names no mem-loads and no mem-stores of it, as it does where the processor has precise samples of them`},
		{"Arm without SPE", "testdata/arm.sysfs", rules{fields: all}, Options{Stores: true}, `
= armv8_cortex_a76: the kernel names no mem-stores of it, as it does where the processor has precise samples of them
= arm_spe_0: no such PMU; the processor has no statistical profiling, or its driver (arm_spe_pmu) is not loaded`},
		{"a virtual machine with counters", guest, rules{fields: all}, Options{Loads: true}, `
= cpu: the kernel names no mem-loads of it, as it does where the processor has precise samples of them
= ibs_op: no such PMU; AMD's processors have it`},
		{"a virtual machine without", "testdata/bare.sysfs", rules{fields: all}, Options{}, `
= cpu: there is no PMU of the cores; virtual machines often have none
= ibs_op: no such PMU; AMD's processors have it`},
	} {
		t.Run(test.name, func(t *testing.T) {
			choice, err := open(test.machine).choose(test.opt, test.kernel.ask)
			got, reasons := "", choice.Reasons
			if none := (*NoneError)(nil); errors.As(err, &none) && errors.Is(err, ErrNone) {
				reasons = none.Reasons
			} else if err != nil {
				t.Fatal(err)
			}
			for _, s := range choice.Samplers {
				got += "\n" + describe(s)
			}
			for _, r := range reasons {
				got += "\n= " + r.Error()
			}
			if got != test.want {
				t.Errorf("%s\nwant%s", got, test.want)
			}
			if got, want := errors.Is(err, ErrWholeCPUs), strings.Contains(test.want, "samples whole CPUs"); got != want {
				t.Errorf("%v: %v is %v, want %v", err, ErrWholeCPUs, got, want)
			}
			for _, q := range test.kernel.asked {
				checkQuestion(t, q, test.opt)
			}
		})
	}
}

// checkQuestion holds what the kernel was asked against how a recording opens events.
func checkQuestion(t *testing.T, q question, opt Options) {
	t.Helper()
	a := q.attr
	const always = perfring.FlagSampleIDAll | perfring.FlagUseClockID
	first := a
	if q.aux != nil {
		first = *q.aux
	}
	inherited := a.Flags&perfring.FlagInherit != 0
	if a.Flags&always != always || a.ClockID != unix.CLOCK_MONOTONIC || a.Sample == 0 || a.SampleFormat&perfring.SampleCallchain == 0 ||
		first.Flags&perfring.FlagDisabled == 0 || q.aux != nil && a.Flags&(perfring.FlagPinned|perfring.FlagExclusive) != 0 ||
		q.cpu < 0 || inherited != (q.pid == 0) || opt.AllCPUs && q.pid != -1 {
		t.Errorf("asked for %+v of process %d on CPU %d", a, q.pid, q.cpu)
	}
	if opt.UserOnly && a.Flags&perfring.FlagExcludeKernel == 0 || opt.KernelOnly && a.Flags&perfring.FlagExcludeUser == 0 {
		t.Errorf("flags %#x with %+v", uint64(a.Flags), opt)
	}
	if q.aux != nil && (q.aux.Sample != 0 || q.aux.Flags&always != always || (q.aux.Flags^a.Flags)&perfring.FlagInherit != 0 || q.aux.ClockID != a.ClockID) {
		t.Errorf("asked for %+v to lead %+v", *q.aux, a)
	}
}

// A latency that does not fit is the user's mistake and no property of the machine.
func TestChooseWrongOptions(t *testing.T) {
	machine := openMachine(t, iceLake)
	kernel := rules{precise: 3, fields: fields}
	for _, test := range []struct {
		opt  Options
		want string
	}{
		{Options{Latency: 65536}, "a latency of 65536 cycles is out of the range of cpu, whose ldlat is at most 65535"},
		{Options{UserOnly: true, KernelOnly: true}, "samples in user space alone and in the kernel alone leave nothing"},
		{Options{Period: 1, Frequency: 1}, "samples have a period or a frequency, not both"},
	} {
		choice, err := machine.choose(test.opt, kernel.ask)
		if err == nil || err.Error() != test.want || errors.Is(err, ErrNone) {
			t.Errorf("%+v: %+v, %v; want %s", test.opt, choice, err, test.want)
		}
	}
	if choice, err := machine.choose(Options{Loads: true, Latency: 65535}, kernel.ask); err != nil || !strings.Contains(choice.Samplers[0].Spec, "ldlat=65535") {
		t.Errorf("the greatest latency: %+v, %v", choice, err)
	}
}

// Whatever a kernel knows: it takes what is chosen, and nothing more than that.
func TestChoiceIsTheBest(t *testing.T) {
	open := openMachines(t)
	rapid.Check(t, func(t *rapid.T) {
		path := rapid.SampledFrom([]string{sapphireRapids, alderLake, zen5}).Draw(t, "machine")
		kernel := rules{
			precise: rapid.Uint8Range(1, 3).Draw(t, "precise"), aux: true, perTask: true, filters: true,
			noKernel: rapid.Bool().Draw(t, "no kernel"),
		}
		for bit := perfring.SampleFormat(1); bit <= perfring.SampleWeightStruct; bit <<= 1 {
			if fields&bit != 0 && rapid.Bool().Draw(t, "field") {
				kernel.fields |= bit
			}
		}
		choice, err := open(path).choose(Options{Physical: true, PageSizes: true}, kernel.ask)
		if err != nil {
			t.Fatal(err)
		}
		fs := pmu.NewFS(open(path).Sys, "")
		for _, s := range choice.Samplers {
			ev, err := fs.Parse(s.Spec)
			if err != nil {
				t.Fatal(err)
			}
			q := question{attr: perfring.Attr{Type: ev.Type, Config: ev.Config, Config1: ev.Config1, Config2: ev.Config2, Flags: perfring.Flags(ev.Flags()) | perfring.FlagFreq, PreciseIP: ev.Precise, SampleFormat: s.Format}}
			if s.UserOnly {
				q.attr.Flags |= perfring.FlagExcludeKernel
			}
			if s.AuxSpec != "" {
				q.aux = &perfring.Attr{Config: 0x8203}
			}
			if err := kernel.ask(q); err != nil || s.UserOnly != kernel.noKernel || s.Precise != ev.Precise {
				t.Fatalf("%+v is refused: %v", s, err)
			}
			better := q
			better.attr.PreciseIP++
			if s.Kind != Accesses && s.Precise < 3 && kernel.ask(better) == nil {
				t.Fatalf("%+v, and precise level %d opens", s, s.Precise+1)
			}
			for bit := perfring.SampleFormat(1); bit <= perfring.SampleWeightStruct; bit <<= 1 {
				more := q
				if more.attr.SampleFormat |= bit & fields; more != q && bit != perfring.SampleWeight && kernel.ask(more) == nil {
					t.Fatalf("%+v, and with the field %#x it opens", s, uint64(bit))
				}
			}
		}
	})
}
