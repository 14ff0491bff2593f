package pebs

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/energyprof/energyprof/internal/pmu"
)

// What is written by hand, on machines and kernels that take it or do not.
func TestTry(t *testing.T) {
	const all = fields
	open := openMachines(t)
	for _, test := range []struct {
		name, machine, spec string
		kernel              rules
		opt                 Options
		want                string
	}{
		{"raw", iceLake, "cpu/event=0xd3,umask=0x1/pp", rules{precise: 3, fields: all}, Options{}, `
accesses cpu/event=0xd3,umask=0x1/pp with addr src weights`},
		{"the highest that opens", iceLake, "cpu/event=0xd3,umask=0x1/P", rules{precise: 2, fields: all}, Options{}, `
accesses cpu/event=0xd3,umask=0x1/pp with addr src weights
	not precise_ip 3: the PMU has no samples as precise as that (ENOTSUP)`},
		{"as written, and no higher", iceLake, "cpu/mem-loads,ldlat=100/p", rules{precise: 3, fields: all}, Options{Latency: 7}, `
loads cpu/mem-loads,ldlat=100/p with addr src weights`},
		{"as written, and no lower", guest, "cpu/event=0xd3,umask=0x1/pp", rules{fields: all}, Options{}, `
= cpu/event=0xd3,umask=0x1/pp: the highest precise level of cpu is 0 (caps/max_precise) (ENOTSUP)`},
		{"no precise level at all", guest, "r1d3:uP", rules{fields: all}, Options{}, `
accesses r1d3:u with addr src weights
	not precise_ip 3: the PMU has no samples as precise as that (ENOTSUP)
	not precise_ip 2: the PMU has no samples as precise as that (ENOTSUP)
	not precise_ip 1: the PMU has no samples as precise as that (ENOTSUP)
	not addresses: Intel's processors tell them with precise samples alone`},
		{"not with precision", iceLake, "cpu/event=0x3c/ppp", rules{precise: 3, fields: all, impossible: 0x3c}, Options{}, `
= cpu/event=0x3c/ppp: no counter of the PMU takes the event with that precision (EINVAL)`},
		{"loads by their number want their leader, too", sapphireRapids, "cpu/event=0xcd,umask=0x1,ldlat=30/pp", rules{precise: 3, fields: all, aux: true}, Options{}, `
accesses cpu/event=0xcd,umask=0x1,ldlat=30/pp after cpu/mem-loads-aux/ with addr src weights`},
		{"what is always on its counter is so with its leader", sapphireRapids, "cpu/mem-loads/pD", rules{precise: 3, fields: all, aux: true}, Options{}, `
loads cpu/mem-loads/pD after cpu/mem-loads-aux/ with addr src weights`},
		{"a leader that sysfs does not name", iceLake, "cpu/mem-loads/pp", rules{precise: 3, fields: all, aux: true}, Options{}, `
= cpu/mem-loads/pp: loads have their data sources only beside mem-loads-aux, and sysfs names none (ENODATA)`},
		{"two kinds of core", alderLake, "mem-loads:uP,page-faults", rules{precise: 3, fields: all, aux: true}, Options{}, `
loads cpu_atom/mem-loads/uppp on 2-3 with addr src weights
loads cpu_core/mem-loads/uppp after cpu_core/mem-loads-aux/ on 0-1 with addr src weights
page faults page-faults with addr`},
		{"a generic event of two kinds of core", alderLake, "cycles:P", rules{precise: 3, fields: all}, Options{}, `
accesses cpu_core/cycles/ppp on 0-1 with addr src weights
accesses cpu_atom/cycles/ppp on 2-3 with addr src weights`},
		{"page faults", iceLake, "page-faults:u", rules{fields: all}, Options{Physical: true, PageSizes: true}, `
page faults page-faults:u with addr phys page code`},
		{"a breakpoint", iceLake, "mem:0x1000/8:w", rules{fields: all}, Options{}, `
a breakpoint mem:0x1000/8:w with addr`},
		{"IBS fetch", zen5, "ibs_fetch/rand_en=1/", rules{fields: all}, Options{Physical: true, PageSizes: true}, `
fetches ibs_fetch/rand_en=1/ with code`},
		{"IBS op", zen5, "ibs_op//", rules{fields: all, perTask: true}, Options{}, `
accesses ibs_op// with addr src weights`},
		{"IBS op without the kernel", zen5, "ibs_op//", rules{fields: all, perTask: true, filters: true}, Options{UserOnly: true}, `
= ibs_op//: IBS samples user space and the kernel alike, unless swfilt=1 is among the event's terms (EINVAL)`},
		{"SPE", arm, "arm_spe_0/load_filter=1/", rules{fields: all}, Options{}, `
= arm_spe_0/load_filter=1/: it writes a trace, which perf has to decode into samples`},
		{"a clock", iceLake, "cpu-clock", rules{fields: all}, Options{}, `
= cpu-clock: its samples have no address of data`},
		{"a box outside the cores", iceLake, "uncore_imc_0/cas_count_read/", rules{fields: all}, Options{}, `
= uncore_imc_0/cas_count_read/: uncore_imc_0 counts outside the cores, and has no samples`},
	} {
		t.Run(test.name, func(t *testing.T) {
			samplers, err := open(test.machine).try(test.spec, test.opt, test.kernel.ask)
			got := ""
			for _, s := range samplers {
				got += "\n" + describe(s)
			}
			if reason := (Reason{}); errors.As(err, &reason) {
				got += "\n= " + reason.Error()
			} else if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("%s\nwant%s", got, test.want)
			}
			for _, q := range test.kernel.asked {
				checkQuestion(t, q, test.opt)
			}
		})
	}
}

// What cannot be read is no matter of the kernel.
func TestTryUnreadable(t *testing.T) {
	machine := openMachine(t, iceLake)
	for spec, want := range map[string]string{
		"cpu/mem-loads,ldlat=65536/P":  "out of range 0-0xffff",
		"nonsense":                     "no such event",
		"{cpu/mem-loads/P,cycles}":     "memory is sampled by single events, not by groups",
		"cpu/mem-loads/P,ibs_op//":     "no such PMU",
		"cpu/mem-loads/S":              "memory is sampled by single events, not by groups",
		"cpu/mem-loads,ldlat=30/ppppp": "too many of modifier p",
	} {
		kernel := rules{precise: 3, fields: fields}
		samplers, err := machine.try(spec, Options{}, kernel.ask)
		if err == nil || !strings.Contains(err.Error(), want) || errors.As(err, new(Reason)) || len(kernel.asked) > 0 {
			t.Errorf("%s: %+v, %v; want an error with %q, and no question", spec, samplers, err, want)
		}
	}
}

// A level in place of the modifier P changes nothing else of an event but what every
// precise one has.
func TestWithPrecise(t *testing.T) {
	fs := pmu.NewFS(openMachine(t, iceLake).Sys, "")
	rapid.Check(t, func(t *rapid.T) {
		spec := rapid.SampledFrom([]string{
			"cycles:", "r1d3:", "4:0x1cd:", "cpu/mem-loads,ldlat=7/", "cpu/mem-loads/:", "cpu/cpu-cycles,name='a:P/b'/", "cycles/name='P'/", "mem:0x1000/4:rw:", "mem:4096:",
		}).Draw(t, "event") + strings.Join(rapid.Permutation([]string{"P", "u", "p", "H"}).Draw(t, "letters")[:rapid.IntRange(1, 4).Draw(t, "few")], "")
		written, err := fs.Parse(spec)
		if err != nil || !written.MaxPrecise {
			t.Skip()
		}
		level := rapid.Uint8Range(written.Precise, 3).Draw(t, "level")
		name := withPrecise(spec, level)
		got, err := fs.Parse(name)
		if err != nil {
			t.Fatalf("%s: %s: %v", spec, name, err)
		}
		if got.MaxPrecise || got.Precise != level {
			t.Fatalf("%s: %s has precise level %d, want %d", spec, name, got.Precise, level)
		}
		got.Name, got.MaxPrecise, got.Precise, got.ExcludeGuest = written.Name, true, written.Precise, written.ExcludeGuest
		if !reflect.DeepEqual(got, written) {
			t.Fatalf("%s: %s is %+v, want %+v", spec, name, got, written)
		}
	})
}
