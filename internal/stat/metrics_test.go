package stat

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/energyprof/energyprof/internal/counting"
	"github.com/energyprof/energyprof/uncore"
)

// sapphireRapids is a written tree of a machine with two packages of four CPUs.
func sapphireRapids(t *testing.T) uncore.Machine {
	t.Helper()
	archive, err := txtar.ParseFile("../../uncore/testdata/spr.txtar")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := txtar.Write(archive, root); err != nil {
		t.Fatal(err)
	}
	return uncore.Machine{Sys: filepath.Join(root, "sys"), Proc: filepath.Join(root, "proc")}
}

// Metrics are shown of what was counted, whether it was called by its name or its code, and
// bring what they are made of along.
func TestMetrics(t *testing.T) {
	const (
		readName = "UNC_CXLCM_RxC_PACK_BUF_INSERTS.MEM_DATA"
		reads    = "uncore_cxlcm/event=0x41,umask=0x10/"
		writes   = "uncore_cxlcm/event=0x2,umask=0x10/"
	)
	machine := sapphireRapids(t)
	known, err := machine.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	// Both ports of package 0, and one of package 1 that somebody else holds.
	two := reading(0, 2*time.Second, []float64{128, 64, 64, 500},
		counted{term: 0, cpu: 0, pmu: "uncore_cxlcm_0", value: 3e9, enabled: time.Second, running: time.Second},
		counted{term: 0, cpu: 0, pmu: "uncore_cxlcm_1", value: 1e9, enabled: time.Second, running: time.Second / 2},
		counted{term: 0, cpu: 4, pmu: "uncore_cxlcm_0", err: uncore.ErrBusy})
	both := two
	for i := range two.Counters {
		c := two.Counters[i]
		c.Term = 1
		both.Counters = append(both.Counters, c)
		both.Counts = append(both.Counts, two.Counts[i])
	}
	for _, test := range []struct {
		name    string
		metrics []string
		specs   []string
		reading counting.Reading
		terms   []string
		want    map[string]float64 // what it is worth by metric and place; all the others have no value
	}{
		{"an event by its name", nil, []string{readName}, two, []string{readName},
			map[string]float64{"cxl_read_bandwidth S0-uncore_cxlcm_0": 96e9, "cxl_read_bandwidth S0-uncore_cxlcm_1": 64e9}},
		{"an event by its code", nil, []string{reads}, two, []string{reads},
			map[string]float64{"cxl_read_bandwidth S0-uncore_cxlcm_0": 96e9, "cxl_read_bandwidth S0-uncore_cxlcm_1": 64e9}},
		{"a metric alone", []string{"cxl_joules_per_byte"}, nil, both, []string{reads, writes},
			map[string]float64{"cxl_read_bandwidth S0-uncore_cxlcm_0": 96e9, "cxl_read_bandwidth S0-uncore_cxlcm_1": 64e9,
				"cxl_write_bandwidth S0-uncore_cxlcm_0": 96e9, "cxl_write_bandwidth S0-uncore_cxlcm_1": 64e9,
				"cxl_joules_per_byte S0": (128 + 64) / (64 * 10e9)}},
		{"a metric that is there anyway", []string{"ipc"}, nil, two, []string{"instructions", "cycles"}, map[string]float64{}},
		{"what makes no metric", nil, []string{"page-faults"}, two, []string{"page-faults"}, map[string]float64{}},
	} {
		named, specs, err := NamedMetrics(known, test.metrics, test.specs)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		events, err := machine.Events(strings.Join(specs, ","))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		b := &Builder{Terms: events.Terms(), Source: twoSockets}
		if err := b.AddMetrics(machine, named, known); err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		var terms []string
		for _, term := range b.Terms {
			terms = append(terms, term.Name)
		}
		if diff := cmp.Diff(test.terms, terms); diff != "" {
			t.Errorf("%s: counted (-want +got):\n%s", test.name, diff)
		}
		got := map[string]float64{}
		for _, m := range b.derived([]counting.Reading{test.reading}, []rates{b.rates(test.reading, nil)}) {
			if m.ok() {
				got[strings.TrimSpace(m.Name+" "+m.Where)] = *m.Value
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: metrics (-want +got):\n%s", test.name, diff)
		}
		b.Source = oneModel
		for _, m := range b.derived([]counting.Reading{test.reading}, []rates{b.rates(test.reading, nil)}) {
			if strings.Contains(m.Name, "joules") && m.ok() {
				t.Errorf("%s: %s is made of an estimate", test.name, m.Name)
			}
		}
	}
}
