package pmu

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// table is an event table as those of uncore are.
func table(name string) (string, bool) {
	spec, ok := map[string]string{
		"UNC_READS": "uncore_imc/event=0x04,umask=0x03/",
		"READS":     "cpu/event=0xd0,umask=0x81/",
		"UNC_GONE":  "uncore_gone/event=1/",
		"UNC_WIDE":  "uncore_imc/event=0x100/",
		"UNC_BAD":   "event=1",
		// The kernel's own names are not replaced.
		"energy-pkg": "cpu/event=1/",
		"cycles":     "cpu/event=1/",
	}[name]
	return spec, ok
}

func describeGroup(g Group) string {
	text := ""
	for _, ev := range g.Events {
		text += fmt.Sprintf("%d %s", ev.Term, ev.Name)
		for _, part := range []string{ev.PMU, ev.Label, ev.Alias} {
			text += "|" + part
		}
		text += " "
	}
	for _, flag := range []struct {
		name string
		set  bool
	}{{"braces", g.Braces}, {"sample", g.Sample}, {"weak", g.Weak}, {"name " + g.Name, g.Name != ""}} {
		if flag.set {
			text += flag.name + " "
		}
	}
	return strings.TrimSpace(text)
}

// What is not in the attribute: the attributes are in TestOracleTable.
func TestParseGroups(t *testing.T) {
	server, _ := openTree(t, "server")
	for spec, want := range map[string][]string{
		"cycles":   {"0 cycles|||"},
		"cycles:S": {"0 cycles:S||| sample"},
		"cycles:W": {"0 cycles:W||| weak"},
		"{cycles}": {"0 cycles||| braces"},
		" g{ cycles:u , faults , mem:0x10/4:w }:kSpW , cs": {
			"0 cycles:ukp||| 1 faults:kp||| 2 mem:0x10/4:w:kp||| braces sample weak name g", "3 cs|||",
		},
		"{cycles/name=a/,cpu/edge,name=b/u}:uD": {"0 cycles/name=a/u||a| 1 cpu/edge,name=b/u|cpu|b|edge braces"},
		"faults,{imc/cas_count_read/,uncore_imc/event=4,name='w,r'/}:D,cs": {
			"0 faults|||",
			"1 imc/cas_count_read/|uncore_imc_0||cas_count_read 2 uncore_imc/event=4,name='w,r'/|uncore_imc_0|w,r| braces",
			"1 imc/cas_count_read/|uncore_imc_2||cas_count_read 2 uncore_imc/event=4,name='w,r'/|uncore_imc_2|w,r| braces",
			"1 imc/cas_count_read/|uncore_imc_10||cas_count_read 2 uncore_imc/event=4,name='w,r'/|uncore_imc_10|w,r| braces",
			"3 cs|||",
		},
		"uncore_imc_1?/event=4/": {"0 uncore_imc_1?/event=4/|uncore_imc_10||"},
		"124:2":                  {"0 124:2|broken||"},
	} {
		groups, err := server.ParseGroups(spec)
		if err != nil {
			t.Errorf("%q: %v", spec, err)
			continue
		}
		var got []string
		for _, g := range groups {
			got = append(got, describeGroup(g))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", spec, diff)
		}
	}
}

// An error names the event it is about, or the group where it is about that.
func TestParseGroupsRefused(t *testing.T) {
	server, _ := openTree(t, "server")
	for spec, element := range map[string]string{
		"cs,{cycles,nosuch}:u":                 "nosuch",
		"cs,{cycles,power/energy-pkg/},faults": "{cycles,power/energy-pkg/}",
		"cs, {cycles,faults}:x ":               "{cycles,faults}:x",
		"{cycles,faults},{":                    "{",
		"lost/event=1/":                        "lost/event=1/",
		"125:1":                                "125:1",
	} {
		_, err := server.ParseGroups(spec)
		if bad := (*EventError)(nil); !errors.As(err, &bad) || bad.Spec != element {
			t.Errorf("%q: %v, want an EventError of %q", spec, err, element)
		}
	}
}

// Where there are several kinds of core, an event of each: with the CPUs it can
// be opened on.
func TestParseGroupsHybrid(t *testing.T) {
	hybrid, _ := openTree(t, "hybrid")
	groups, err := hybrid.ParseGroups("task-clock,cycles:u")
	if err != nil {
		t.Fatal(err)
	}
	user := Event{Name: "cycles:u", Term: 1, ExcludeKernel: true, ExcludeHV: true, ExcludeGuest: true}
	core, atom := user, user
	core.PMU, core.Config, core.CPUs = "cpu_core", 4<<32, []int{0, 1}
	atom.PMU, atom.Config, atom.CPUs = "cpu_atom", 10<<32, []int{2, 3}
	want := []Group{
		{Events: []Event{{Name: "task-clock", Type: 1, Config: 1, Clock: true, ExcludeGuest: true}}},
		{Events: []Event{core}}, {Events: []Event{atom}},
	}
	if diff := cmp.Diff(want, groups); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// One Event is for a CPU, where the kernel finds the kind.
	if ev, err := hybrid.Parse("cycles"); err != nil || ev.Config != 0 || ev.PMU != "" {
		t.Errorf("cycles alone: %+v, %v; want a generic event", ev, err)
	}
}

func TestWithNames(t *testing.T) {
	server, _ := openTree(t, "server")
	server = server.WithNames(table)
	for spec, want := range map[string]string{
		"UNC_READS":                           "30:0x304; 31:0x304; 40:0x304",
		"UNC_READS:D":                         "30:0x304 pinned; 31:0x304 pinned; 40:0x304 pinned",
		"READS:u":                             "4:0x81d0 -kernel -hv -guest",
		"cpu/READS,cmask=1/u":                 "4:0x10081d0 -kernel -hv -guest",
		"imc_2/UNC_READS/":                    "31:0x304",
		"{UNC_READS,uncore_imc/event=1/}":     "30:0x304 & 30:0x1; 31:0x304 & 31:0x1; 40:0x304 & 40:0x1",
		"energy-pkg,cycles,cpu/energy-pkg/":   "23:0x2; 0:0x0 -guest; 4:0x1 -guest",
		"uncore_*/UNC_READS,umask=4/,nosuch?": "",
	} {
		groups, err := server.ParseGroups(spec)
		if want == "" {
			if !errors.Is(err, ErrNoEvent) {
				t.Errorf("%q: %v, %v; want ErrNoEvent", spec, groups, err)
			}
			continue
		}
		if got := describeGroups(groups); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", spec, got, err, want)
		}
	}
	if ev, err := server.Parse("READS:u"); err != nil || ev.Alias != "READS" || ev.Name != "READS:u" || ev.PMU != "cpu" {
		t.Errorf("READS:u: %+v, %v; want the alias READS of cpu", ev, err)
	}
	for spec, want := range map[string]string{
		"UNC_GONE":        `event "UNC_GONE": the table has it as uncore_gone/event=1/: "uncore_gone": no such PMU; there are `,
		"UNC_WIDE":        `"event": 0x100 is out of range 0-0xff (config:0-7)`,
		"UNC_BAD":         `event "UNC_BAD": the table has it as "event=1", which is no pmu/terms/`,
		"cpu/UNC_READS/":  `PMU cpu has no such event or field`,
		"power/UNC_GONE/": `PMU power has no such event or field`,
	} {
		if _, err := server.ParseGroups(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", spec, err, want)
		}
	}
	if _, err := server.ParseGroups("UNC_GONE"); !errors.Is(err, ErrNoPMU) {
		t.Errorf("UNC_GONE: %v, want ErrNoPMU", err)
	}
	// The user says of which kind of core a table is that knows none.
	hybrid, _ := openSysfs(t, "hybrid")
	hybrid = hybrid.WithNames(table)
	groups, err := hybrid.ParseGroups("cpu_atom/READS/u")
	if got, want := describeGroups(groups), "10:0x81d0 -kernel -hv -guest"; err != nil || got != want {
		t.Errorf("cpu_atom/READS/u: %q, %v; want %q", got, err, want)
	}
	if _, err := hybrid.ParseGroups("READS"); !errors.Is(err, ErrNoPMU) {
		t.Errorf("READS on two kinds of core: %v, want ErrNoPMU", err)
	}
}
