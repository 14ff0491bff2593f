package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/pprof/profile"
)

// corpus finds a file of the captures of other machines.
func corpus(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("ENERGYPROF_CORPUS")
	if root == "" {
		root = "../../../shared/corpus"
	}
	path := filepath.Join(root, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no corpus: %v", err)
	}
	return path
}

// Of a file of perf, too, energy that an event of it counted is that of memory, and page faults have none of it.
func TestMemEnergyOfPerf(t *testing.T) {
	needPerf(t)
	needTSC(t)
	data := filepath.Join(t.TempDir(), "perf.data")
	perfRecord(t, "-a", "-d", "-F", "500", "-e", "{cpu-clock,msr/tsc/}:S", "-e", "page-faults", "-o", data, "sleep", "0.3")
	r, _, _ := memJSON(t, 0, "-i", data, "--energy-event", "msr/tsc/", "--energy-scale", "1e-9")
	if r.Total.Joules == nil || *r.Total.Joules <= 0 {
		t.Fatalf("%v joules", r.Total.Joules)
	}
	var baseline float64
	for _, s := range r.Synthetic {
		baseline += s.Joules
	}
	if math.Abs(baseline-*r.Total.Joules) > 1e-6 {
		t.Errorf("%.6f J are nobody's, want all %.6f", baseline, *r.Total.Joules)
	}
	if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "do not tell what memory served") }) {
		t.Errorf("notes %q do not say whose the joules are not", r.Notes)
	}
}

// accessOf is what perf script and this program tell of one access.
type accessOf struct {
	time, address, source, latency string
	pid, tid                       string
}

// perfAccesses reads the text of perf script -F comm,pid,tid,time,event,addr,data_src,weight,phys_addr,ip.
func perfAccesses(t *testing.T, path string) []accessOf {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^ *\S+ +(\d+)/(\d+) +([0-9.]+): \S+ +([0-9a-f]+) +[0-9a-f]+ (\|OP .*\|BLK .*?\S) +(\d+) +0 +[0-9a-f]+$`)
	var all []accessOf
	for l := range strings.Lines(string(text)) {
		l = strings.TrimSuffix(l, "\n")
		m := line.FindStringSubmatch(l)
		if m == nil {
			t.Fatalf("no sample: %q", l)
		}
		all = append(all, accessOf{pid: m[1], tid: m[2], time: m[3], address: "0x" + m[4], source: m[5], latency: m[6]})
	}
	return all
}

// Samples of another machine are those that perf finds in the file, in the list and in the profile.
func TestMemOfPerf(t *testing.T) {
	file := corpus(t, "perfdata/quipper/perf.data.weight_struct")
	want := perfAccesses(t, corpus(t, "golden/quipper_perf.data.weight_struct.perf6.1-script.txt"))
	if len(want) != 14 {
		t.Fatalf("perf finds %d samples", len(want))
	}
	t.Run("samples", func(t *testing.T) {
		stdout, _ := energyprof(t, 0, "mem", "-q", "--samples", "-i", file)
		line := regexp.MustCompile(`^ *([0-9.]+) +\S+ +(\d+)/(\d+) +\d+ +\S+ +(0x[0-9a-f]+) +(\d+) .*(\|OP .*\|BLK  N/A) `)
		var got []accessOf
		for l := range strings.Lines(stdout) {
			if m := line.FindStringSubmatch(l); m != nil {
				got = append(got, accessOf{time: m[1], pid: m[2], tid: m[3], address: m[4], latency: m[5], source: m[6]})
			}
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(accessOf{})); d != "" {
			t.Errorf("samples (-perf +mem):\n%s\n%s", d, stdout)
		}
	})
	t.Run("convert", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "out.pb.gz")
		energyprof(t, 0, "convert", "-q", "--addresses", "-o", out, file)
		checkAccesses(t, readProfile(t, out), want)
	})
	t.Run("mem", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "out.pb.gz")
		energyprof(t, 0, "mem", "-q", "--addresses", "-o", out, "-i", file)
		checkAccesses(t, readProfile(t, out), want)
	})
	t.Run("books", func(t *testing.T) {
		r, _, _ := memJSON(t, 0, "-i", file)
		const period = 10_009 // of perf record -c
		b := r.Events[0]
		if len(r.Events) != 1 || b.Samples != 14 || b.Used == nil || *b.Used != 14 || b.StandsFor != 14*period || b.Counted != nil || !b.Memory {
			t.Errorf("books %+v, want 14 samples of %d loads each and no count", r.Events, period)
		}
		if r.Total.Samples != 14 || r.Total.Loads != 14*period || r.Total.Stores != 0 || r.Total.Joules != nil {
			t.Errorf("total %+v", r.Total)
		}
	})
}

// checkAccesses wants the accesses as samples of a profile: loads of 10009 each, in any order.
func checkAccesses(t *testing.T, p *profile.Profile, accesses []accessOf) {
	t.Helper()
	column := map[string]int{}
	for i, v := range p.SampleType {
		column[v.Type+"/"+v.Unit] = i
	}
	for _, need := range []string{"samples/count", "loads/count", "stores/count", "latency/cycles"} {
		if _, ok := column[need]; !ok {
			t.Fatalf("no %s among %v", need, p.SampleType)
		}
	}
	text := func(pid, tid int64, address uint64, cycles int64, source string) string {
		return fmt.Sprintf("%d/%d %#x %d cycles %s", pid, tid, address, cycles, source)
	}
	var got, want []string
	for _, s := range p.Sample {
		label := func(key string) string {
			if len(s.Label[key]) != 1 {
				t.Fatalf("label %s is %q", key, s.Label[key])
			}
			return s.Label[key][0]
		}
		if s.Value[column["samples/count"]] != 1 || s.Value[column["loads/count"]] != 10_009 || s.Value[column["stores/count"]] != 0 {
			t.Errorf("values %v, want one sample of 10009 loads", s.Value)
		}
		source := fmt.Sprintf("|OP %s|LVL %s|SNP %s|TLB %s|LCK %s|BLK  N/A", label("op"), label("data_src"), label("snoop"), label("tlb"), label("locked"))
		if len(s.NumLabel["address"]) != 1 {
			t.Fatalf("labels %v", s.NumLabel)
		}
		got = append(got, text(s.NumLabel["pid"][0], s.NumLabel["tid"][0], uint64(s.NumLabel["address"][0]), s.Value[column["latency/cycles"]]/10_009, source))
	}
	for _, a := range accesses {
		number := func(text string) int64 {
			n, err := strconv.ParseUint(text, 0, 64)
			if err != nil {
				t.Fatal(err)
			}
			return int64(n)
		}
		want = append(want, text(number(a.pid), number(a.tid), uint64(number(a.address)), number(a.latency), a.source))
	}
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("accesses (-perf +profile):\n%s", d)
	}
}
