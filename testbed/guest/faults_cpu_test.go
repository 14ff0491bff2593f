package guest

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/energyprof/energyprof/report"
)

// hotplug is a shell's line that takes a CPU offline or brings it back.
func hotplug(cpu, value int) string {
	return fmt.Sprintf("echo %d > /sys/devices/system/cpu/cpu%d/online", value, cpu)
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

// ran wants the CPU time of functions to be what they ran, within a few samples.
func ran(t *testing.T, s report.Summary, b books, names ...string) {
	t.Helper()
	for _, name := range names {
		got, want := seconds(s, name), b.functions[name].seconds
		if want == 0 || math.Abs(got-want) > 0.02*want+0.02 {
			t.Errorf("%s: %.3f s, ran for %.3f s", name, got, want)
		}
	}
}

// A CPU that goes offline and comes back takes neither its samples nor the
// energy of the other with it: parse runs before, hash meanwhile, sort afterwards.
func TestCPUOfflineAndBack(t *testing.T) {
	only(t, "icx-6.1")
	quiet(t)
	set(t, "/sys/devices/system/cpu/cpu1/online", "1")
	script := "workload -seconds 1 -naps 0 -functions parse=10000; " + hotplug(1, 0) +
		"; workload -seconds 1 -naps 0 -functions hash=10000; " + hotplug(1, 1) +
		"; workload -seconds 1.5 -naps 0 -functions sort=10000"
	t.Run("command", func(t *testing.T) {
		openBooks(t)
		s := record(t, "--energy", "perf", "--", "sh", "-c", script)
		b := readBooks(t)
		ran(t, s, b, "parse", "hash", "sort")
		near(t, "package", domain(s, "package", 0), drawn(t), 0.01)
		noted(t, s, "CPU 1 went offline")
		sane(t, s)
	})
	t.Run("all CPUs", func(t *testing.T) {
		dir := scratch(t)
		file := filepath.Join(dir, "summary.json")
		openBooks(t)
		// The recording ends with the signal, after all has run.
		_, stderr, code := run(t, "sh", "-c", "energyprof record -q -a --energy perf -o "+dir+"/p --summary "+file+" & sleep 1; "+script+"; kill -INT $!; wait $!")
		if code != 0 {
			t.Fatalf("exit code %d\n%s", code, stderr)
		}
		s := readSummary(t, file)
		b := readBooks(t)
		ran(t, s, b, "parse", "hash")
		// A CPU that came back is seen at a tick, within 0.25 s.
		if got, want := seconds(s, "sort"), b.functions["sort"].seconds; got > want*1.01 || got < want-0.5 {
			t.Errorf("sort: %.3f s of %.3f s on a CPU that came back", got, want)
		}
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
	set(t, "/sys/devices/system/cpu/cpu2/online", "1")
	const work = "workload -threads 3 -seconds 1 -naps 0 -functions "
	script := work + "parse=10000; " + hotplug(2, 0) + "; " + work + "hash=10000; " + hotplug(2, 1) + "; " + work + "sort=10000"
	for _, source := range sources {
		t.Run(source, func(t *testing.T) {
			openBooks(t)
			s := record(t, "--energy", source, "--", "sh", "-c", script)
			b := readBooks(t)
			for pkg := range 2 {
				p := b.packages[pkg]
				near(t, fmt.Sprintf("package %d", pkg), domain(s, "package", pkg), p.total-p.static-p.idle-p.other, 0.01)
			}
			ran(t, s, b, "parse", "hash", "sort")
			noted(t, s, "CPU 2 went offline")
			sane(t, s)
		})
	}
}
