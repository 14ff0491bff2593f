package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/energyprof/energyprof/internal/collect"
	"github.com/energyprof/energyprof/internal/perfdata"
	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/rapl"
)

// Whatever a file says, it is refused or becomes a valid profile that holds all of the energy beside it.
func FuzzConvert(f *testing.F) {
	root := os.Getenv("ENERGYPROF_CORPUS")
	if root == "" {
		root = "../../../shared/corpus"
	}
	for _, name := range []string{"quipper/perf.data.ctx_switch_namespaces-4.14", "quipper/perf.data.group_desc-4.14", "quipper/perf.data.i686-3.4",
		"quipper/perf.data.piped.target.throttled-3.4", "linux-perf-data/sleep.compressed2.data", "simpleperf/perf_with_two_event_types.data"} {
		if data, err := os.ReadFile(filepath.Join(root, "perfdata", name)); err == nil {
			f.Add(data)
		}
	}
	f.Add([]byte("PERFILE2"))
	empty := f.TempDir() // nothing to read, whatever path a mapping names
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := perfdata.NewFile(bytes.NewReader(data), int64(len(data)), "fuzz")
		if err != nil {
			return
		}
		trace := &traceFeed{last: 1 << 62}
		for i := range int64(64) {
			trace.points = append(trace.points, rapl.TracePoint{Time: i << 40, Joules: float64(i)})
		}
		c := conversion{flags: &convertFlags{attributionFlags: attributionFlags{method: "auto", baseline: "auto"},
			changed: func(string) bool { return false }}, path: "fuzz", file: file, trace: trace,
			info: rapl.Info{Name: "fuzz", Measured: true, Domains: []rapl.Domain{{Name: "package", Sum: true}}}}
		opt, err := c.options()
		if err != nil {
			return
		}
		opt.Resolver = symbol.New(symbol.Options{Proc: empty, Sys: empty, Root: empty, Debug: empty})
		if c.Collector, err = collect.New(opt); err != nil {
			return
		}
		result, err := file.Read(&c)
		if err != nil || c.judge(result) != nil {
			return
		}
		rec := c.Finish()
		c.describe(rec, result)
		p, err := rec.Profile()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.CheckValid(); err != nil {
			t.Fatal(err)
		}
		var sum int64
		for _, s := range p.Sample {
			sum += s.Value[len(s.Value)-1]
		}
		if sum != 63e6 {
			t.Errorf("%d uJ of 63 J", sum)
		}
	})
}
