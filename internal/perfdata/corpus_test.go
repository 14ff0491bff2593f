package perfdata

import (
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/energyprof/energyprof/perfring"
)

// corpus is where captures of other machines are; they are not part of the repository.
func corpus(t *testing.T) string {
	t.Helper()
	root := os.Getenv("ENERGYPROF_CORPUS")
	if root == "" {
		root = "../../../shared/corpus"
	}
	if _, err := os.Stat(filepath.Join(root, "perfdata")); err != nil {
		t.Skipf("no corpus: %v", err)
	}
	return root
}

// What is in the captures: samples by event, and what is particular about a
// file. The counts of those that perf 6.1 reads are its own.
var captures = map[string]struct {
	samples   map[string]uint64
	truncated int64 // where the rest is lost; 0: nowhere
	others    perfring.Counts
	refused   error
}{
	"linux-perf-data/sleep.compressed.data":                    {samples: map[string]uint64{"cycles:P": 8}},
	"linux-perf-data/sleep.compressed.pipe.data":               {samples: map[string]uint64{"cycles:P": 8}},
	"linux-perf-data/sleep.compressed2.data":                   {samples: map[string]uint64{"cycles:Pu": 7}},
	"linux-perf-data/sleep.compressed2.pipe.data":              {samples: map[string]uint64{"cycles:P": 7}, truncated: 0x7c40},
	"linux-perf-data/sleep.data":                               {samples: map[string]uint64{"cycles:Pu": 7}},
	"perf_data_converter/single-event-multi-process.perf.data": {samples: map[string]uint64{"cpu-clock": 19989}},
	"perf_data_converter/with-callchain.perf.data":             {samples: map[string]uint64{"cpu-clock": 48399}},
	"quipper/perf.data.branch-4.14":                            {samples: map[string]uint64{"cycles:ppp": 13}},
	"quipper/perf.data.callgraph-3.8":                          {samples: map[string]uint64{"cycles": 1768}},
	"quipper/perf.data.ctx_switch_namespaces-4.14":             {samples: map[string]uint64{"cycles": 2}},
	"quipper/perf.data.group_desc-4.14":                        {samples: map[string]uint64{"cache-references": 7, "branch-misses": 6}},
	"quipper/perf.data.hw_and_sw-3.4": {samples: map[string]uint64{"cycles": 207, "cpu-clock": 4734},
		others: perfring.Counts{Throttles: 27, Unthrottles: 26}},
	"quipper/perf.data.hybrid_topology": {samples: map[string]uint64{"cpu_core/cycles:ppp/": 7}},
	"quipper/perf.data.i686-3.4": {samples: map[string]uint64{"cycles": 147, "instructions": 155, "cache-references": 116,
		"cache-misses": 89, "branches": 95, "branch-misses": 101}},
	"quipper/perf.data.intel_pt-4.14": {samples: map[string]uint64{"cycles": 15}},
	"quipper/perf.data.lost_samples-4.4": {samples: map[string]uint64{"cycles:pp": 97, "instructions:pp": 80, "branch-instructions:pp": 14},
		others: perfring.Counts{LostSamples: 2}},
	"quipper/perf.data.piped.corrupted.zero_size_sample-3.2": {truncated: 0xbfd0},
	"quipper/perf.data.piped.ctx_switch_namespaces-4.14":     {samples: map[string]uint64{"cycles": 7}},
	"quipper/perf.data.piped.header_features_aligned-6.12":   {samples: map[string]uint64{"cycles:u": 9}},
	"quipper/perf.data.piped.target.throttled-3.4": {samples: map[string]uint64{"cycles": 228},
		others: perfring.Counts{Throttles: 1, Unthrottles: 1}},
	"quipper/perf.data.throttle-3.8": {samples: map[string]uint64{"cycles": 9036, "instructions": 5944},
		others: perfring.Counts{Throttles: 68, Unthrottles: 64}},
	"quipper/perf.data.weight_struct":           {samples: map[string]uint64{"MEM_TRANS_RETIRED.LOAD_LATENCY:ldlat=64:precise=2:mh:mg:pinned": 14}},
	"simpleperf/invalid_perf.data":              {refused: ErrNotPerfData},
	"simpleperf/perf_with_add_counter.data":     {samples: map[string]uint64{"cycles": 12, "instructions": 12}},
	"simpleperf/perf_with_two_event_types.data": {samples: map[string]uint64{"cycles": 8, "cpu-clock": 2}},
	"simpleperf/perf_with_trace_offcpu.data": {samples: map[string]uint64{"cycles": 2270, "sched:sched_switch": 99},
		others: perfring.Counts{Lost: 191, Throttles: 309, Unthrottles: 307}},
}

// samplesOf are the samples of a file by the name of their event.
func samplesOf(f *File, r *Result) map[string]uint64 {
	samples := make(map[string]uint64)
	for i, n := range r.Samples {
		if n > 0 {
			samples[f.Events[i].Name] += n
		}
	}
	return samples
}

// Every capture opens and is read as far as it is whole, or is refused with a reason.
func TestCorpus(t *testing.T) {
	root := filepath.Join(corpus(t), "perfdata")
	files, err := filepath.Glob(filepath.Join(root, "*", "*"))
	must(t, err)
	for _, path := range files {
		name, err := filepath.Rel(root, path)
		must(t, err)
		want, known := captures[name]
		if !known {
			want.truncated = -2
		}
		t.Run(name, func(t *testing.T) {
			f, err := Open(path)
			if !errors.Is(err, want.refused) || err != nil && want.refused == nil {
				t.Fatalf("refused for %v, want %v", err, want.refused)
			}
			if err != nil {
				if !strings.Contains(err.Error(), path) {
					t.Errorf("%v does not name the file", err)
				}
				return
			}
			defer f.Close()
			var sink counter
			r, err := f.Read(&sink)
			must(t, err)
			if sink.back > 0 {
				t.Errorf("%d samples are not in the order of time", sink.back)
			}
			if !known {
				return
			}
			if got := samplesOf(f, r); !maps.Equal(got, want.samples) {
				t.Errorf("samples (-want +got):\n%s", gocmp.Diff(want.samples, got))
			}
			got := r.Books.Total()
			var throttles uint64
			for i, b := range r.Events {
				throttles += b.Throttles
				if b.Name != f.Events[i].Name || b.Samples != r.Samples[i] || b.HasCount || b.HasLost && f.Events[i].Attr.ReadFormat&perfring.ReadLost == 0 {
					t.Errorf("books %+v of event %s with %d samples", b, f.Events[i].Name, r.Samples[i])
				}
			}
			if throttles != got.Throttles {
				t.Errorf("%d throttles in the books of the events, of %d", throttles, got.Throttles)
			}
			want.others.Samples = got.Samples
			if got != want.others || r.Foreign > 0 || r.Late > 0 || len(r.Notes) > 0 {
				t.Errorf("books %+v, want %+v; %+v", got, want.others, r)
			}
			if r.Truncated != want.truncated && !(r.Truncated == -1 && want.truncated == 0) {
				t.Errorf("read up to %#x (%v), want %#x", r.Truncated, r.Reason, want.truncated)
			}
		})
	}
}

// perf script counts the same samples of events with the same names.
func TestCorpusAgainstPerfScript(t *testing.T) {
	root := filepath.Join(corpus(t), "perfdata")
	needPerf(t)
	files, err := filepath.Glob(filepath.Join(root, "*", "*"))
	must(t, err)
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			out, err := runPerf("script", "-i", path, "-F", "event", "--no-itrace")
			if err != nil {
				t.Skipf("perf cannot read it: %v", err)
			}
			want := make(map[string]uint64)
			for line := range strings.Lines(out) {
				name := strings.TrimSuffix(strings.TrimSpace(line), ":")
				// perf 6.1 marks events that were not told to leave out guests.
				want[strings.TrimSuffix(name, ":HG")]++
			}
			f, err := Open(path)
			must(t, err)
			defer f.Close()
			r, err := f.Read(&counter{})
			must(t, err)
			if got := samplesOf(f, r); !maps.Equal(got, want) {
				t.Errorf("(-perf +perfdata):\n%s", gocmp.Diff(want, got))
			}
		})
	}
}

// goldenLine is a line of perf script -D: CPU if it is known, time, place.
var goldenLine = regexp.MustCompile(`^(?:(\d+) )?(\d+) 0x[0-9a-f]+ \[0x[0-9a-f]+\]: PERF_RECORD_(\w+)`)

type told struct {
	counter
	lines []string
}

func (s *told) Record(rec perfring.Record, cpu, event int) {
	s.counter.Record(rec, cpu, event)
	switch r := rec.(type) {
	case *perfring.Throttle:
		s.lines = append(s.lines, fmt.Sprintf("%d %d THROTTLE", cpu, r.SampleID.Time))
	case *perfring.Unthrottle:
		s.lines = append(s.lines, fmt.Sprintf("%d %d UNTHROTTLE", cpu, r.SampleID.Time))
	case *perfring.LostSamples:
		s.lines = append(s.lines, fmt.Sprintf("%d %d LOST_SAMPLES", cpu, r.SampleID.Time))
	}
}

// What perf says of throttling and losses, in its order.
func TestCorpusThrottle(t *testing.T) {
	root := corpus(t)
	goldens, err := filepath.Glob(filepath.Join(root, "golden", "*-throttle-lost.txt"))
	must(t, err)
	for _, path := range goldens {
		name := strings.TrimSuffix(filepath.Base(path), ".perf6.1-throttle-lost.txt")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(path)
			must(t, err)
			var want []string
			for line := range strings.Lines(string(text)) {
				if m := goldenLine.FindStringSubmatch(line); m != nil {
					want = append(want, fmt.Sprintf("%s %s %s", cmp.Or(m[1], "-1"), m[2], m[3]))
				}
			}
			f, err := Open(filepath.Join(root, "perfdata", strings.Replace(name, "_", "/", 1)))
			must(t, err)
			defer f.Close()
			var sink told
			_, err = f.Read(&sink)
			must(t, err)
			if diff := gocmp.Diff(want, sink.lines); diff != "" || len(want) == 0 {
				t.Errorf("(-perf +perfdata):\n%s", diff)
			}
		})
	}
}

// quipper's decoder sees as many records of each type.
func TestCorpusQuipper(t *testing.T) {
	root := corpus(t)
	goldens, err := filepath.Glob(filepath.Join(root, "golden", "*.pb_text.gz"))
	must(t, err)
	head := regexp.MustCompile(`(?m)^events \{\n  header \{\n    type: (\d+)`)
	for _, path := range goldens {
		name := strings.TrimSuffix(filepath.Base(path), ".pb_text.gz")
		t.Run(name, func(t *testing.T) {
			zipped, err := os.Open(path)
			must(t, err)
			defer zipped.Close()
			r, err := gzip.NewReader(zipped)
			must(t, err)
			text, err := io.ReadAll(r)
			must(t, err)
			want := make(map[perfring.RecordType]int)
			for _, m := range head.FindAllSubmatch(text, -1) {
				kind, err := strconv.Atoi(string(m[1]))
				must(t, err)
				if kind < 64 {
					want[perfring.RecordType(kind)]++
				}
			}
			f, err := Open(filepath.Join(root, "perfdata", strings.Replace(name, "_", "/", 1)))
			must(t, err)
			defer f.Close()
			sink := counter{kinds: make(map[perfring.RecordType]int)}
			_, err = f.Read(&sink)
			must(t, err)
			if diff := gocmp.Diff(want, sink.kinds); diff != "" || len(want) == 0 {
				t.Errorf("(-quipper +perfdata):\n%s", diff)
			}
		})
	}
}

// The features of captures that have many.
func TestCorpusInfo(t *testing.T) {
	root := filepath.Join(corpus(t), "perfdata")
	open := func(name string) *File {
		t.Helper()
		f, err := Open(filepath.Join(root, name))
		must(t, err)
		t.Cleanup(func() { f.Close() })
		return f
	}
	f := open("quipper/perf.data.hybrid_topology")
	in := f.Info
	if in.CPUsOnline != 12 || len(in.CPUs) != 12 || in.HybridCPUs["cpu_core"] != "0-3" || in.HybridCPUs["cpu_atom"] != "4-11" ||
		in.PMUCaps["cpu_core"]["branches"] != "32" || in.PMUs[10] == "" || in.Arch != "x86_64" || in.CPUDesc == "" || in.MemoryKiB == 0 ||
		!slices.Equal(in.Cmdline[1:], []string{"record", "-e", "cycles:ppp", "--", "sleep", "1"}) {
		t.Errorf("%+v", in)
	}
	if want := (CPU{Package: 0, Die: 0, Core: 4}); in.CPUs[2] != want || in.CPUs[3] != want {
		t.Errorf("CPUs %+v", in.CPUs)
	}
	f = open("quipper/perf.data.group_desc-4.14")
	if want := []Group{{"{anon_group}", 0, 2}}; !slices.Equal(f.Info.Groups, want) || f.Events[1].Leader != 0 {
		t.Errorf("groups %+v, leader %d", f.Info.Groups, f.Events[1].Leader)
	}
	b := f.Info.BuildIDs[0]
	if b.Filename != "[kernel.kallsyms]" || fmt.Sprintf("%x", b.ID) != "672679ceaecf17b7a879e56c56802afc568aa242" || !b.Kernel || b.Guest || b.PID != -1 {
		t.Errorf("build id %+v", b)
	}
	f = open("linux-perf-data/sleep.data")
	if f.Info.First != 0 && f.Info.First >= f.Info.Last || f.Info.Clock.Resolution != 1 || f.CheckClock() != nil || f.Info.Clock.WallNS == 0 {
		t.Errorf("clock %+v, samples from %d to %d", f.Info.Clock, f.Info.First, f.Info.Last)
	}
	f = open("quipper/perf.data.intel_pt-4.14")
	r, err := f.Read(&counter{})
	must(t, err)
	if !f.Info.Trace || r.AuxRecords != 10 || r.Aux != 149968 {
		t.Errorf("trace %v, %d records, %d bytes", f.Info.Trace, r.AuxRecords, r.Aux)
	}
}
