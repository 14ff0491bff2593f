package guest

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// boxRate is what testbed/modules/README.md says that an uncore event counts on a box
// of a package, per millisecond that it is on its counter.
func boxRate(config uint64, box, pkg int) float64 {
	return float64(1000*(config&0xff) + 10*(config>>8&0xff) + uint64(box) + 1 + 100_000*uint64(pkg))
}

// packagesOf are the packages of CPUs that are online.
func packagesOf(t *testing.T, cpus []int) []int {
	t.Helper()
	topology, err := pmu.NewFS("", "").Topology()
	must(t, err)
	var packages []int
	for _, cpu := range topology {
		if cpu.Online && slices.Contains(cpus, cpu.ID) {
			packages = append(packages, cpu.Package)
		}
	}
	return packages
}

// allPackages are those of the guest.
func allPackages() []int {
	if os.Getenv(guestEnv) == "icx2s-6.12" {
		return []int{0, 1}
	}
	return []int{0}
}

// The boxes are there as the kernel names them, one CPU of each package counts,
// and their files make sense.
func TestUncoreBoxes(t *testing.T) {
	simulated(t)
	format := map[string]string{
		"event": "config:0-7", "umask": "config:8-15,32-55", "edge": "config:18", "inv": "config:23", "thresh": "config:24-31",
	}
	imc := []pmu.Alias{
		{Name: "cas_count_read", Terms: "event=0x05,umask=0xcf", Scale: 6.103515625e-5, Unit: "MiB"},
		{Name: "cas_count_write", Terms: "event=0x05,umask=0xf0", Scale: 6.103515625e-5, Unit: "MiB"},
		{Name: "clockticks", Terms: "event=0x01,umask=0x00"},
	}
	all, err := pmu.NewFS("", "").PMUs()
	must(t, err)
	var names []string
	for _, p := range all {
		if !strings.HasPrefix(p.Name, "uncore_") {
			continue
		}
		names = append(names, p.Name)
		fields := map[string]string{}
		for name, field := range p.Format {
			fields[name] = field.String()
		}
		if diff := cmp.Diff(format, fields); diff != "" {
			t.Errorf("%s: format (-want +got):\n%s", p.Name, diff)
		}
		var events []pmu.Alias
		if strings.HasPrefix(p.Name, "uncore_imc") {
			events = imc
		}
		if diff := cmp.Diff(events, p.Events); diff != "" {
			t.Errorf("%s: events (-want +got):\n%s", p.Name, diff)
		}
		if got := packagesOf(t, p.CPUs); !p.Uncore || !slices.Equal(got, allPackages()) || len(p.Faults) > 0 {
			t.Errorf("%s: uncore %v, CPUs %v of packages %v, want one each of %v; faults %v", p.Name, p.Uncore, p.CPUs, got, allPackages(), p.Faults)
		}
	}
	want := []string{"uncore_cxlcm_0", "uncore_cxlcm_1", "uncore_cxldp_0", "uncore_cxldp_1", "uncore_imc_0", "uncore_imc_1", "uncore_imc_2", "uncore_imc_3"}
	if !slices.Equal(names, want) {
		t.Errorf("boxes %v, want %v", names, want)
	}

	// One box has no number, as the kernel has it.
	reload(t, "simpmu", "imc=1", "cxlcm=0")
	all, err = pmu.NewFS("", "").PMUs()
	must(t, err)
	names = nil
	for _, p := range all {
		if strings.HasPrefix(p.Name, "uncore_") {
			names = append(names, p.Name)
		}
	}
	if want := []string{"uncore_cxldp_0", "uncore_cxldp_1", "uncore_imc"}; !slices.Equal(names, want) {
		t.Errorf("boxes %v, want %v", names, want)
	}
}

// Every box of every package counts at its own rate, all of them together.
func TestUncoreCounts(t *testing.T) {
	simulated(t)
	type counter struct {
		event *perfring.Event
		name  string
		rate  float64
	}
	var counters []counter
	for _, spec := range []string{
		"uncore_imc/clockticks/", "uncore_imc/cas_count_read/", "uncore_imc/cas_count_write/",
		"uncore_cxlcm/event=0x43,umask=0x01/", "uncore_cxldp/event=0x02,umask=0x20,thresh=1,edge,inv/",
	} {
		events, err := pmu.NewFS("", "").ParseList(spec)
		must(t, err)
		for _, e := range events {
			for pkg, cpu := range e.CPUs {
				box := int(e.PMU[len(e.PMU)-1] - '0')
				counters = append(counters, counter{
					open(t, attrOf(e), -1, cpu, nil), fmt.Sprintf("%s of %s on CPU %d", spec, e.PMU, cpu), boxRate(e.Config, box, pkg),
				})
			}
		}
	}
	if want := (3*4 + 2 + 2) * len(allPackages()); len(counters) != want {
		t.Fatalf("%d counters, want %d", len(counters), want)
	}
	time.Sleep(100 * time.Millisecond)
	for _, c := range counters {
		got := countOf(t, c.event)
		counted(t, c.name, float64(got.Value), c.rate, got.Running)
		if got.Running != got.Enabled {
			t.Errorf("%s: ran for %d of %d ns, though there are counters for all", c.name, got.Running, got.Enabled)
		}
	}
}

// More events than a box has counters take turns.
func TestUncoreMultiplexing(t *testing.T) {
	simulated(t)
	for _, test := range []struct {
		box    string
		events []uint64
		fit    int // how many of them run at a time
	}{
		{"uncore_imc_1", []uint64{1, 2, 3, 4}, 4},
		{"uncore_imc_1", []uint64{1, 2, 3, 4, 5, 6}, 4},
		// Four counters of a cxlcm take what is sent, the others what is received.
		{"uncore_cxlcm_1", []uint64{0x102, 0x202, 0x402, 0x802, 0x141, 0x241, 0x441, 0x841}, 8},
		{"uncore_cxlcm_1", []uint64{0x102, 0x202, 0x402, 0x802, 0x1002}, 4},
	} {
		t.Run(fmt.Sprintf("%s,%d", test.box, len(test.events)), func(t *testing.T) {
			box := parse(t, test.box+"/event=0/")
			var events []*perfring.Event
			var rates []float64
			for _, config := range test.events {
				a := attrOf(box)
				a.Config = config
				events = append(events, open(t, a, -1, box.CPUs[0], nil))
				rates = append(rates, boxRate(config, 1, 0))
			}
			multiplexed(t, events, rates, test.fit, func() { time.Sleep(200 * time.Millisecond) }) // 50 turns of 4 ms
		})
	}

	// A group that never fits is refused at once.
	box := parse(t, "uncore_cxlcm_0/event=0x02/")
	leader := open(t, attrOf(box), -1, box.CPUs[0], nil)
	for range 3 {
		open(t, attrOf(box), -1, box.CPUs[0], leader)
	}
	if _, err := perfring.Open(attrOf(box), -1, box.CPUs[0], leader); !errors.Is(err, unix.EINVAL) {
		t.Errorf("the fifth of a group for four counters: %v, want EINVAL", err)
	}
}

// What the kernel's drivers refuse is refused.
func TestUncoreRefusals(t *testing.T) {
	simulated(t)
	box := parse(t, "uncore_imc_0/clockticks/")
	sampling := attrOf(box)
	sampling.Sample = 1000
	user := attrOf(box)
	user.Flags = perfring.FlagExcludeKernel
	for _, test := range []struct {
		what     string
		a        *perfring.Attr
		pid, cpu int
	}{{"of a task", attrOf(box), 0, -1}, {"sampling", sampling, -1, box.CPUs[0]}, {"in user space", user, -1, box.CPUs[0]}} {
		if _, err := perfring.Open(test.a, test.pid, test.cpu, nil); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%s: %v, want EINVAL", test.what, err)
		}
	}
	// Boxes that somebody else has.
	param(t, "simpmu", "open_pmu", "uncore")
	param(t, "simpmu", "open_errno", strconv.Itoa(int(unix.EBUSY)))
	if _, err := perfring.Open(attrOf(box), -1, box.CPUs[0], nil); !errors.Is(err, unix.EBUSY) {
		t.Errorf("in use: %v, want EBUSY", err)
	}
	open(t, attrOf(parse(t, "cycles")), 0, -1, nil) // of the CPU

	_, stderr, code := run(t, "energyprof", "record", "-e", "uncore_imc_0/clockticks/", "--", "true")
	if code != 125 || !strings.Contains(stderr, "cannot be sampled") {
		t.Errorf("recorded: exit code %d, %s", code, stderr)
	}
}

// A CPU that goes offline hands the counters of its package to another one. What
// was counted is kept; while they move, the kernel counts nothing.
func TestUncoreHotplug(t *testing.T) {
	only(t, "icx2s-6.12")
	readersReturn(t)
	box := parse(t, "uncore_imc_2/cas_count_write/")
	old := box.CPUs[1]
	e := open(t, attrOf(box), -1, old, nil)
	rate := boxRate(box.Config, 2, 1)
	time.Sleep(20 * time.Millisecond)
	before := countOf(t, e)
	counted(t, "counter", float64(before.Value), rate, before.Running)
	set(t, fmt.Sprintf("/sys/devices/system/cpu/cpu%d/online", old), "0")
	after := countOf(t, e)
	counted(t, "counter that moved", float64(after.Value), rate, after.Running)
	time.Sleep(20 * time.Millisecond)
	later := countOf(t, e)
	counted(t, "counter that moved, later", float64(later.Value-after.Value), rate, later.Running-after.Running)
	if after.Value < before.Value || later.Running-after.Running < 20e6 {
		t.Errorf("before %+v, after the move %+v, 20 ms later %+v", before, after, later)
	}
	if now := parse(t, "uncore_imc_2/cas_count_write/").CPUs; len(now) != 2 || now[1] == old {
		t.Errorf("CPUs %v after CPU %d went, want another one in its place", now, old)
	}
}

// perf counts what we count.
func TestPerfStat(t *testing.T) {
	only(t, "icx-6.1")
	file := scratch(t) + "/stat"
	_, stderr, code := run(t, "perf", "stat", "-a", "-x,", "-o", file, "-e",
		"uncore_imc_0/cas_count_read/,uncore_imc_2/clockticks/,uncore_cxlcm_1/event=0x43,umask=0x1/", "sleep", "0.2")
	if code != 0 {
		t.Fatalf("perf: exit code %d\n%s", code, stderr)
	}
	b, err := os.ReadFile(file)
	must(t, err)
	for spec, want := range map[string]struct {
		unit string
		box  int
	}{
		"uncore_imc_0/cas_count_read/": {"MiB", 0}, "uncore_imc_2/clockticks/": {"", 2}, "uncore_cxlcm_1/event=0x43,umask=0x1/": {"", 1},
	} {
		e := parse(t, spec)
		rate := boxRate(e.Config, want.box, 0)
		if e.Scale > 0 {
			rate *= e.Scale
		}
		// value,unit,event,ns that it ran,percentage of the time
		_, line, found := strings.Cut("\n"+string(b), ","+want.unit+","+spec+",")
		if !found {
			t.Fatalf("perf stat says nothing of %s in %q:\n%s", spec, want.unit, b)
		}
		before, _, _ := strings.Cut("\n"+string(b), ","+want.unit+","+spec+",")
		var value float64
		var ran uint64
		if _, err := fmt.Sscan(before[strings.LastIndexByte(before, '\n')+1:], &value); err != nil {
			t.Fatalf("%s: %v", spec, err)
		}
		if _, err := fmt.Sscanf(line, "%d,", &ran); err != nil {
			t.Fatalf("%s: %v", spec, err)
		}
		counted(t, "perf's "+spec, value, rate, ran)

		ours := open(t, attrOf(e), -1, e.CPUs[0], nil)
		time.Sleep(50 * time.Millisecond)
		c := countOf(t, ours)
		own := float64(c.Value)
		if e.Scale > 0 {
			own *= e.Scale
		}
		counted(t, "our "+spec, own, rate, c.Running)
	}
}
