package session

import (
	"testing"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// A callchain without the kernel must say so: there are kernels that refuse a
// user without rights otherwise.
func TestCallchainWithoutKernel(t *testing.T) {
	const without = perfring.FlagExcludeKernel | perfring.FlagExcludeCallchainKernel
	for _, c := range []struct {
		name string
		opt  Options
		has  features
		want perfring.Flags
	}{
		{"kernel and user", Options{Callchains: true}, features{}, 0},
		{"user alone is asked for", Options{Callchains: true, ExcludeKernel: true}, features{}, without},
		{"user alone is allowed", Options{Callchains: true}, features{userOnly: true}, without},
		{"no callchain", Options{ExcludeKernel: true}, features{}, perfring.FlagExcludeKernel},
	} {
		c.opt.Events = []Event{{Event: pmu.Event{Name: "cpu-clock", Clock: true}, Frequency: 997}}
		c.opt.Pages = DefaultPages
		r := &recording{opt: c.opt, features: c.has}
		a := r.attr(0, 1)
		if got := a.Flags & without; got != c.want {
			t.Errorf("%s: flags %#x, want %#x", c.name, got, c.want)
		}
	}
}
