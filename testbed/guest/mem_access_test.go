package guest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/internal/memory"
)

// A user who may sample neither the kernel nor physical addresses has all else, and is told.
func TestMemAsUser(t *testing.T) {
	only(t, "spr-6.12")
	set(t, paranoidFile, "2")
	stdout, stderr, code := asUser(t, "energyprof", "mem", "-o", scratch(t)+"/profile.pb.gz", "--json", "-t", "load", "--ldlat", "3", "-c", "164002", "-g", "none", "--energy", "none", "--",
		"sh", "-c", "i=0; while [ $i -lt 10000 ]; do i=$((i+1)); done")
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	var r memory.Result
	must(t, json.Unmarshal([]byte(stdout), &r))
	const note = "cpu/mem-loads,ldlat=3/ppp is recorded without samples in the kernel (this user may not sample the kernel), physical addresses (this user may not see physical addresses)"
	if !slices.Contains(r.Notes, note) {
		t.Errorf("notes %q, want %q", r.Notes, note)
	}
	places := map[string]bool{}
	for _, f := range r.Functions {
		places[f.Level] = true
	}
	if len(places) != 12 {
		t.Errorf("the levels are %v, want all 12", places)
	}
	for _, p := range r.Pages {
		if p.PhysicalAddress != "" || p.Node == nil || *p.Node != 0 {
			t.Errorf("page %+v, want it on node 0 at an unknown address", p)
		}
	}
}

// Where no PMU samples accesses that is said, and page faults are recorded; where loads are
// asked for it is an error.
func TestMemWithoutPMU(t *testing.T) {
	only(t, armGuest)
	args := []string{"--", "workload", "-mute", "-threads", "1", "-seconds", "0.02", "-naps", "0", "-functions", "parse=0"}
	const why = "armv8_pmuv3"
	r := memTables(t, args...)
	if len(r.Events) != 2 || r.Events[1].Event != "page-faults" || r.Events[1].Memory || r.Events[1].Samples < 100 || r.Total.Counts["page-faults"] != r.Events[1].StandsFor {
		t.Errorf("events %+v, %+v in all; want page faults", r.Events, r.Total)
	}
	if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, why) }) {
		t.Errorf("notes %q, want %q", r.Notes, why)
	}
	if _, stderr, code := run(t, "energyprof", append([]string{"mem", "-t", "load"}, args...)...); code != 125 || !strings.Contains(stderr, why) {
		t.Errorf("with -t load: exit code %d, %s", code, stderr)
	}
}
