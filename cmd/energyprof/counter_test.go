package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/energyprof/energyprof/internal/perfdata"
	"github.com/energyprof/energyprof/report"
)

// ends keeps the last count of each series.
type ends struct {
	nothing
	last map[int]float64
}

func (e *ends) Count(series int, _ int64, counts float64) { e.last[series] = counts }

// TestCountsAddUp reads real counters beside the samples and wants every count of theirs in the profile: in functions,
// in what belongs to none, and nowhere twice.
func TestCountsAddUp(t *testing.T) {
	needTSC(t)
	binary := buildC(t, "threads.c")
	events := []string{"msr/tsc/", "page-faults"}
	for name, args := range map[string][]string{
		"alone":          {"--energy", "none"},
		"with a model":   {"--energy", "model", "-F", "25000"},
		"with a counter": {"--energy-event", "msr/tsc/", "--energy-scale", "1e-9"},
		"proportional":   {"--energy", "none", "--attribution", "proportional"},
		"shared":         {"--energy", "none", "--attribution", "share"},
		"all CPUs":       {"--energy", "none", "-a"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			out, data, summary := filepath.Join(dir, "out.pb.gz"), filepath.Join(dir, "perf.data"), filepath.Join(dir, "summary.json")
			all := append([]string{"record", "-q", "-o", out, "--perf-data", data, "--summary", summary}, args...)
			for _, e := range events {
				all = append(all, "--counter", e)
			}
			if args[len(args)-1] == "-a" {
				all = append(all, "--duration", "300ms")
			} else {
				all = append(all, "--", binary, "0.1", "0")
			}
			energyprof(t, 0, all...)
			p := readProfile(t, out)
			if err := p.CheckValid(); err != nil {
				t.Error(err)
			}
			f, err := perfdata.Open(data)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			counted := &ends{last: map[int]float64{}}
			if _, err := f.Read(counted); err != nil {
				t.Fatal(err)
			}
			var s report.Summary
			b, err := os.ReadFile(summary)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(b, &s); err != nil {
				t.Fatal(err)
			}
			series := 0
			for i, c := range f.Own.Counters {
				var want int64
				for range c.Domains {
					want += int64(counted.last[series])
					series++
				}
				counts, err := report.ReadCounts(p, events[i], report.ByFunction)
				if err != nil {
					t.Fatal(err)
				}
				var sum int64
				for _, sample := range p.Sample {
					for k, st := range p.SampleType {
						if st.Type == events[i] {
							sum += sample.Value[k]
						}
					}
				}
				of := s.Counters[i]
				parts := of.Baseline + of.Active + of.Other + of.Lost + of.Unattributed + of.Idle
				for _, f := range of.Functions {
					parts += f.Count
				}
				if want == 0 || sum != want || counts.Count != want || of.Count != want || parts != want {
					t.Errorf("%s: %d in the profile, %d in its table, %d in the summary with parts of %d; the counter says %d",
						c.Name, sum, counts.Count, of.Count, parts, want)
				}
			}
		})
	}
}
