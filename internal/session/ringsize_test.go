package session

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/energyprof/energyprof/internal/bpf"
	"github.com/energyprof/energyprof/internal/pmu"
)

// Rings are as large as what comes needs, and all together no more than the machine can spare.
func TestRings(t *testing.T) {
	large, all := stackRing/pageSize, largeRing/pageSize
	clock := func(frequency, period uint64) []Event {
		return []Event{{Event: pmu.Event{Name: "cpu-clock", Clock: true}, Frequency: frequency, Period: period}}
	}
	for _, c := range []struct {
		name           string
		opt            Options
		cpus           int
		allowed        uint64 // 0: any
		pages, pending int
	}{
		{"callchains", Options{}, 2, 0, DefaultPages, DefaultMaxPending},
		{"asked for", Options{Pages: 64, Stacks: Stacks{Copy: 8192}}, 2, 0, 64, DefaultMaxPending},
		{"copies", Options{Stacks: Stacks{Copy: 8192}}, 2, 0, large, DefaultMaxPending},
		{"program", Options{Stacks: Stacks{BPF: new(bpf.Stacks)}}, 16, 0, large, 3 * 16 * stackRing},
		{"copies at 997 Hz", Options{Events: clock(997, 0), Stacks: Stacks{Copy: 8192}}, 2, 0, large, DefaultMaxPending},
		{"copies at 3 kHz", Options{Events: clock(3000, 0), Stacks: Stacks{Copy: 8192}}, 2, 0, 2 * large, 6 * 2 * stackRing},
		{"copies at 10 kHz", Options{Events: clock(0, 100_000), Stacks: Stacks{Copy: 8192}}, 2, 0, all, 6 * largeRing},
		{"program at 10 kHz", Options{Events: clock(9999, 0), Stacks: Stacks{BPF: new(bpf.Stacks)}}, 2, 0, large, DefaultMaxPending},
		{"many CPUs", Options{Stacks: Stacks{Copy: 8192}}, 128, 0, large / 2, MostPending},
		{"more CPUs", Options{Stacks: Stacks{Copy: 8192}}, 4096, 0, DefaultPages, MostPending},
		{"256 CPUs", Options{Stacks: Stacks{BPF: new(bpf.Stacks)}}, 256, 0, large / 4, MostPending},
		{"a user's 8 CPUs", Options{Stacks: Stacks{Copy: 8192}}, 8, 8*516<<10 + 8<<20, large / 8, DefaultMaxPending},
		{"a user without an allowance", Options{Stacks: Stacks{Copy: 8192}}, 8, 8 * 516 << 10, DefaultPages, DefaultMaxPending},
		{"a user who asks", Options{Pages: 1024, Stacks: Stacks{Copy: 8192}}, 8, 8*516<<10 + 32<<20, 1024, 3 * 8 * 1024 * pageSize},
		{"a user who asks for too much", Options{Pages: 1024, Stacks: Stacks{Copy: 8192}}, 8, 8*516<<10 + 8<<20, 256, DefaultMaxPending},
		{"a user who asks without an allowance", Options{Pages: 1024}, 8, 1, DefaultPages, DefaultMaxPending},
		{"a user who asks for little", Options{Pages: 16}, 8, 1, 16, DefaultMaxPending},
		{"held back as asked for", Options{MaxPending: 1 << 20}, 2, 0, DefaultPages, 1 << 20},
	} {
		if c.allowed == 0 {
			c.allowed = math.MaxUint64
		}
		pages, pending := c.opt.rings(c.cpus, c.allowed)
		if pages != c.pages || pending != c.pending {
			t.Errorf("%s: %d pages, %d bytes held back; want %d, %d", c.name, pages, pending, c.pages, c.pending)
		}
	}
}

// The loop is woken early for what a program lacks, if there is room for more until the rings are drained.
func TestWatermark(t *testing.T) {
	pages := stackRing / pageSize
	program := Stacks{BPF: new(bpf.Stacks)}
	for _, c := range []struct {
		name    string
		opt     Options
		want    uint32
		hurries bool
	}{
		{"program", Options{Pages: pages, Stacks: program}, newsWatermark, true},
		{"program, small rings", Options{Pages: 128, Stacks: program}, uint32(128 * pageSize * watermarkPercent / 100), false},
		{"copies", Options{Pages: pages, Stacks: Stacks{Copy: 8192}}, stackWatermark, false},
		{"callchains", Options{Pages: pages}, stackRing * watermarkPercent / 100, false},
	} {
		if got := c.opt.watermark(); got != c.want || c.opt.hurries() != c.hurries {
			t.Errorf("%s: %d bytes, hurries: %v; want %d, %v", c.name, got, c.opt.hurries(), c.want, c.hurries)
		}
	}
}

// What a user may have in rings is for all CPUs together. Where the kernel sets no limit, or tells none, it is no limit.
func TestAllowance(t *testing.T) {
	const most = math.MaxUint64
	for _, c := range []struct {
		each, paranoid string
		locked, want   uint64
	}{
		{"516\n", "2\n", 8 << 20, 4*516<<10 + 8<<20},
		{"516\n", "0\n", 0, 4 * 516 << 10},
		{"516\n", "-1\n", 0, most},
		{"516\n", "2\n", most, most},
		{"", "2\n", 0, most},
		{"516\n", "", 0, most},
	} {
		proc := t.TempDir()
		dir := filepath.Join(proc, "sys/kernel")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"perf_event_mlock_kb": c.each, "perf_event_paranoid": c.paranoid} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := allowance(proc, 4, c.locked); got != c.want {
			t.Errorf("%q KiB for each of 4 CPUs, paranoid %q, %d bytes to lock: %d, want %d", c.each, c.paranoid, c.locked, got, c.want)
		}
	}
}
