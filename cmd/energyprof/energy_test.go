package main

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
)

// A counter that the kernel has and refuses is said where another takes its
// place; one that is missing, or another user's, is nothing unusual.
func TestWhyNotBetter(t *testing.T) {
	refused := func(errno unix.Errno) error {
		return fmt.Errorf("package 0: %w", &perfring.OpenError{PID: -1, Errno: errno})
	}
	for _, c := range []struct {
		used string
		err  error // of perf-power
		want string
	}{
		{"powercap", refused(unix.EBUSY), "energy comes from powercap because the kernel refuses perf-power: package 0: open perf event"},
		{"powercap", refused(unix.EACCES), ""},
		{"powercap", rapl.ErrNoDriver, ""},
		{"perf-power", refused(unix.EBUSY), ""},
	} {
		got := strings.Join(whyNotBetter(c.used, []rapl.Status{{Kind: "perf-power", Err: c.err}, {Kind: "powercap", Usable: true}}), "")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s, %v: %q, want %q", c.used, c.err, got, c.want)
		}
	}
}

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
