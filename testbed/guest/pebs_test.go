package guest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
)

// What samples memory is listed as it was chosen, with what the kernel refused of it, to who asks.
func TestMemListed(t *testing.T) {
	only(t, "amd-6.12")
	list := func(run func(*testing.T, string, ...string) (string, string, int), want ...string) {
		t.Helper()
		stdout, stderr, code := run(t, "energyprof", "list")
		if code != 0 {
			t.Errorf("list: exit code %d: %s", code, stderr)
		}
		says(t, "list", stdout, want...)
	}
	list(run, "cpu/mem-loads,ldlat=30/ppp yes loads, precise level 3", "cpu/mem-stores/ppp yes stores, precise level 3")
	stdout, _, _ := run(t, "energyprof", "doctor")
	says(t, "doctor", stdout, "ok sample loads and stores (mem) cpu/mem-loads,ldlat=30/ppp, cpu/mem-stores/ppp")

	set(t, paranoidFile, "2")
	const kernel = "samples in the kernel: this user may not sample the kernel (EACCES)"
	list(asUser, "cpu/mem-loads,ldlat=30/ppp yes loads, precise level 3; without "+kernel, "cpu/mem-stores/ppp yes stores, precise level 3; without "+kernel)
	set(t, paranoidFile, "3") // of Debian's kernels alone
	list(asUser, "cpu/mem-loads/ no this user may not sample it (EACCES); kernel.perf_event_paranoid is 3*")

	param(t, "simpmu", "max_precise", "1")
	const imprecise = ": the highest precise level of cpu is 1 (caps/max_precise) (ENOTSUP)"
	list(run, "cpu/mem-loads,ldlat=30/p yes loads, precise level 1; without precise_ip 3"+imprecise+"; precise_ip 2"+imprecise)
	param(t, "simpmu", "open_errno", fmt.Sprint(int(unix.EBUSY)))
	list(run, "cpu/mem-loads/ no somebody else has the PMU to themselves (EBUSY); another tool holds the counter *")
}

// An event by hand opens at the level that is written or not at all, and with P at the
// highest that there is, for a process and for whole CPUs.
func TestMemByHand(t *testing.T) {
	only(t, "icx-6.1")
	param(t, "simpmu", "max_precise", "2")
	for _, test := range []struct {
		spec, want string // "" if the kernel refuses
		kind       pebs.Kind
	}{
		{"cpu/event=0xcd,umask=0x1,ldlat=3/P", "cpu/event=0xcd,umask=0x1,ldlat=3/pp", pebs.Accesses},
		{"cpu/event=0xcd,umask=0x1,ldlat=65535/pp", "cpu/event=0xcd,umask=0x1,ldlat=65535/pp", pebs.Accesses},
		{"cpu/mem-stores/p", "cpu/mem-stores/p", pebs.Stores},
		{"mem-loads:uP", "mem-loads:upp", pebs.Loads},
		{"cpu/mem-loads/ppp", "", pebs.Loads},
		{"page-faults", "page-faults", pebs.Faults},
		{"mem:0x1000/8:w", "mem:0x1000/8:w", pebs.Breakpoints},
	} {
		for _, opt := range []pebs.Options{{}, {AllCPUs: true}, {UserOnly: true}, {Period: 10007}} {
			samplers, err := pebs.Machine{}.Try(test.spec, opt)
			if test.want == "" {
				if reason := (pebs.Reason{}); !errors.As(err, &reason) || !errors.Is(err, unix.EOPNOTSUPP) {
					t.Errorf("%s with %+v: %+v, %v; want %v", test.spec, opt, samplers, err, unix.EOPNOTSUPP)
				}
				continue
			}
			if err != nil || len(samplers) != 1 || samplers[0].Spec != test.want || samplers[0].Kind != test.kind {
				t.Errorf("%s with %+v: %+v, %v; want %s", test.spec, opt, samplers, err, test.want)
			}
		}
	}
	_, err := pebs.Machine{}.Try("cpu/mem-loads,ldlat=65536/p", pebs.Options{})
	if err == nil || !strings.Contains(err.Error(), "out of range 0-0xffff") {
		t.Errorf("ldlat=65536: %v; want the range", err)
	}
	samplers, err := pebs.Machine{}.Try("page-faults", pebs.Options{Physical: true, PageSizes: true})
	if want := fields &^ (perfring.SampleDataSrc | perfring.SampleWeightStruct); err != nil || samplers[0].Format != want {
		t.Errorf("page faults: %+v, %v; want the fields %#x", samplers, err, want)
	}
}
