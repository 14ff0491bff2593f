package main

import (
	"testing"

	"github.com/spf13/pflag"
)

// With -a counting finds the CPUs itself, so that it can tell of those that come and go.
func TestStatCPUs(t *testing.T) {
	for _, test := range []struct {
		flags  statFlags
		chosen int
	}{
		{statFlags{all: true, repeats: 1}, 0},
		{statFlags{cpus: "1,3", repeats: 1}, 2},
	} {
		opt, err := test.flags.options(pflag.NewFlagSet("stat", pflag.ContinueOnError), []int{0, 1, 2, 3}, nil)
		if err != nil || !opt.All || len(opt.CPUs) != test.chosen {
			t.Errorf("%+v: counts on %v, %v; want %d chosen CPUs", test.flags, opt.CPUs, err, test.chosen)
		}
	}
}
