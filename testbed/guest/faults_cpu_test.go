package guest

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/report"
)

// hotplug is a shell's line that takes a CPU offline or brings it back.
func hotplug(cpu, value int) string {
	return fmt.Sprintf("echo %d > /sys/devices/system/cpu/cpu%d/online", value, cpu)
}

// readersReturn is for tests that take CPU 2 of icx2s-6.12 offline: CPU 3 then reads the
// counters of their package, and hands them back when it goes itself, as it does once all that
// the test sets after this is as it was.
func readersReturn(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		for _, value := range []int{0, 1} {
			run(t, "sh", "-c", hotplug(3, value))
		}
	})
}

// seconds is the CPU time of a function.
func seconds(s report.Summary, name string) float64 {
	for _, f := range s.Functions {
		if f.Name == "main."+name {
			return f.CPUSeconds
		}
	}
	return 0
}

// ran wants the CPU time of functions to be what they ran, but for what [lost] carries: a
// thread that is moved from CPU to CPU leaves part of a period of 5 ms on each, and where only user code is
// sampled the kernel's time in it, interrupts for others too, is excluded.
func ran(t *testing.T, s report.Summary, b books, names ...string) {
	t.Helper()
	for _, name := range names {
		got, want := seconds(s, name), b.functions[name].seconds
		if want == 0 || got > 1.15*want || got < 0.85*want-s.LostSeconds {
			t.Errorf("%s: %.3f s, ran for %.3f s, %.3f s are lost", name, got, want, s.LostSeconds)
		}
	}
}

// A CPU that goes offline and comes back takes neither its samples nor the
// energy of the other with it: parse runs before, hash meanwhile, sort afterwards.
func TestCPUOfflineAndBack(t *testing.T) {
	only(t, "icx-6.1")
	quiet(t)
	set(t, "/sys/devices/system/cpu/cpu1/online", "1")
	script := "workload -seconds 0.7 -naps 0 -functions parse=10000; " + hotplug(1, 0) +
		"; workload -seconds 1 -naps 0 -functions hash=10000; " + hotplug(1, 1) +
		"; workload -seconds 1 -naps 0 -functions sort=10000"
	t.Run("command", func(t *testing.T) {
		openBooks(t)
		s := record(t, "-F", "199", "-g", "none", "--energy", "perf", "--", "sh", "-c", script)
		b := readBooks(t)
		ran(t, s, b, "parse", "hash", "sort")
		accounted(t, s, b)
		modest(t, s, b)
		near(t, "package", domain(s, "package", 0), drawn(t), 0.01)
		noted(t, s, "CPU 1 went offline")
		sane(t, s)
	})
	t.Run("all CPUs", func(t *testing.T) {
		dir := scratch(t)
		file := filepath.Join(dir, "summary.json")
		// It records once its rings are mapped. A CPU that came back is seen at a tick; a
		// program that starts there before has no names. The recording ends with a signal:
		// not INT, to which a shell's background is deaf.
		ready := "until grep -q perf_event /proc/$!/maps; do sleep 0.1; done; sleep 0.5; "
		seen := hotplug(1, 1) + "; sleep 0.6"
		openBooks(t)
		_, stderr, code := run(t, "sh", "-c", "energyprof record -q -a "+strings.Join(lean, " ")+" --energy perf -o "+dir+"/p --summary "+file+" & "+
			ready+strings.Replace(script, hotplug(1, 1), seen, 1)+"; kill -TERM $!; wait $!")
		if code != 0 {
			t.Fatalf("exit code %d\n%s", code, stderr)
		}
		s := readSummary(t, file)
		b := readBooks(t)
		ran(t, s, b, "parse", "hash", "sort")
		near(t, "package", domain(s, "package", 0), drawn(t), 0.01)
		noted(t, s, "CPU 1 went offline")
		noted(t, s, "CPU 1 came online during the recording and is sampled from then on")
		sane(t, s)
	})
}

// The counter of a package is read on one of its CPUs. Where that one goes
// offline, another takes over, and no joule is lost.
func TestCounterCPUOffline(t *testing.T) {
	only(t, "icx2s-6.12")
	quiet(t)
	readersReturn(t)
	set(t, "/sys/devices/system/cpu/cpu2/online", "1")
	const work = "workload -threads 3 -seconds 1 -naps 0 -functions "
	script := work + "parse=10000; " + hotplug(2, 0) + "; " + work + "hash=10000; " + hotplug(2, 1) + "; " + work + "sort=10000"
	for _, source := range []string{"perf", "msr"} {
		t.Run(source, func(t *testing.T) {
			openBooks(t)
			s := record(t, append(lean, "--energy", source, "--", "sh", "-c", script)...)
			b := readBooks(t)
			for pkg := range 2 {
				near(t, fmt.Sprintf("package %d", pkg), domain(s, "package", pkg), b.packages[pkg].functions(), 0.01)
			}
			ran(t, s, b, "parse", "hash", "sort")
			accounted(t, s, b)
			noted(t, s, "CPU 2 went offline")
			sane(t, s)
		})
	}
}
