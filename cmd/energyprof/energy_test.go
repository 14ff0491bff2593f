package main

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/rapl"
)

func TestWhyEstimated(t *testing.T) {
	missing := func(err error) error { return fmt.Errorf("no counter: %w", err) }
	denied := &fs.PathError{Op: "open", Path: "/sys/class/powercap/intel-rapl:0/energy_uj", Err: os.ErrPermission}
	for _, c := range []struct {
		name    string
		sources []rapl.Status
		want    []string // parts of the one line; nil for no line
	}{
		{"no counter at all", []rapl.Status{{Kind: "perf-power", Err: missing(rapl.ErrNoHardware)}, {Kind: "model", Usable: true}}, nil},
		{"no driver", []rapl.Status{{Kind: "perf-power", Err: missing(rapl.ErrNoDriver)}, {Kind: "hwmon", Err: missing(rapl.ErrNoHardware)}},
			[]string{"perf-power", "modprobe"}},
		{"not this user", []rapl.Status{{Kind: "perf-power", Err: missing(rapl.ErrNoDriver)}, {Kind: "powercap", Err: denied}},
			[]string{"powercap", "permission denied", "chmod o+r"}},
	} {
		got := whyEstimated(c.sources)
		if len(got) != min(1, len(c.want)) {
			t.Errorf("%s: %q", c.name, got)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(got[0], part) {
				t.Errorf("%s: %q lacks %q", c.name, got[0], part)
			}
		}
	}
}
