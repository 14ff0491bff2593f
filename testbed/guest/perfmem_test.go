package guest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/internal/memory"
	"github.com/energyprof/energyprof/internal/perfdata"
	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
)

// seen is a sample as perf script and package perfdata both tell it.
type seen struct {
	time, ip uint64
	access
}

// accesses is a sink for the accesses of a file.
type accesses struct{ samples []seen }

func (m *accesses) Record(rec perfring.Record, _, _ int) {
	if s, ok := rec.(*perfring.Sample); ok {
		m.samples = append(m.samples, seen{s.Time, s.IP, access{s.Addr, s.DataSrc, s.WeightVar1}})
	}
}

func (*accesses) Existing(int) error              { return nil }
func (*accesses) Busy(int, int64, int64, int64)   {}
func (*accesses) Others(int, int64, int64, int64) {}
func (*accesses) Missed(int, int64, int64, int64) {}
func (*accesses) Energy(int, int64, float64)      {}
func (*accesses) Count(int, int64, float64)       {}
func (*accesses) Advance(int64)                   {}

// inOrder sorts samples as no two are alike.
func inOrder(s []seen) []seen {
	slices.SortFunc(s, func(a, b seen) int {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.source, b.source), cmp.Compare(a.addr, b.addr))
	})
	return s
}

// A file of Debian's perf reads the same by perf and by us, to the last bit, and
// its words for the levels are right; and what perf mem report and perf c2c report make of it
// is what energyprof mem does.
func TestPerfMem(t *testing.T) {
	only(t, "icx-6.1")
	file := filepath.Join(scratch(t), "perf.data")
	// Build ids, BPF programs and the map of the kernel take perf 25 s of a slow guest. Its ldlat is the
	// given one or'ed with the 3 of the event's alias.
	_, stderr, code := run(t, "perf", "mem", "-p", "--data-page-size", "record", "--all-user", "--ldlat", "3", "-B", "-N", "--no-bpf-event",
		"--sample-cpu", "-o", file, "--", "workload", "-mute", "-seconds", "0.1", "-naps", "0", "-functions", "stream=1:0:line")
	if code != 0 {
		t.Fatalf("perf mem record: exit code %d\n%s", code, stderr)
	}
	f, err := perfdata.Open(file)
	must(t, err)
	defer f.Close()
	var ours accesses
	if _, err := f.Read(&ours); err != nil {
		t.Fatal(err)
	}
	text, stderr, code := run(t, "perf", "script", "--ns", "-i", file, "-F", "time,addr,data_src,weight,ip")
	if code != 0 {
		t.Fatalf("perf script: exit code %d\n%s", code, stderr)
	}
	a, b := inOrder(ours.samples), inOrder(script(t, text))
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("sample %d is %#x to us and %#x to perf", i, a[i], b[i])
		}
	}
	if len(a) != len(b) {
		t.Errorf("we read %d samples, perf %d", len(a), len(b))
	}
	kinds := map[uint64]int{}
	for _, s := range a {
		if s.access != loadAt(s.addr) && s.access != storeAt(s.addr) {
			t.Fatalf("no access is like %#x", s)
		}
		kinds[s.source]++
	}
	if len(kinds) != 64+2 {
		t.Errorf("%d kinds of access in %d samples, want each level with and without TLB and lock, and both stores", len(kinds), len(a))
	}

	listed := samplesIn(t, mem(t, "--samples", "-i", file))
	var c []seen
	for _, s := range listed {
		want := loadAt(s.addr)
		if s.store {
			want = storeAt(s.addr)
		}
		if words := pebs.DataSource(want.source).String(); s.source != words || s.cycles != want.latency {
			t.Fatalf("energyprof mem lists %+v, want %s and %d cycles", s, words, want.latency)
		}
		c = append(c, seen{time: nanoseconds(t, s.time), access: want})
	}
	for i := range a {
		a[i].ip = 0 // the list has functions
	}
	if c = inOrder(c); !slices.Equal(a, c) {
		t.Errorf("energyprof mem lists %d samples, the file has %d, or others", len(c), len(a))
	}
	memPerf(t, file, listed)
	c2c(t, file, memTables(t, "-i", file))
}

// nanoseconds reads a time in seconds.
func nanoseconds(t *testing.T, text string) uint64 {
	t.Helper()
	var seconds, ns uint64
	if _, err := fmt.Sscanf(text, "%d.%9d", &seconds, &ns); err != nil {
		t.Fatalf("time %q: %v", text, err)
	}
	return seconds*1e9 + ns
}

// c2c wants the lines that perf c2c report finds to be fought for, with its counts.
func c2c(t *testing.T, file string, r *memory.Result) {
	t.Helper()
	type counts struct{ local, remote, hits, misses uint64 }
	text, stderr, code := run(t, "perf", "c2c", "report", "-i", file, "--stdio", "-NN", "--no-source")
	if code != 0 {
		t.Fatalf("perf c2c report: exit code %d\n%s", code, stderr)
	}
	_, text, _ = strings.Cut(text, "Shared Data Cache Line Table")
	text, _, _ = strings.Cut(text, "Shared Cache Line Distribution Pareto")
	theirs := map[string]counts{}
	for line := range strings.Lines(text) {
		// index, address, node, count, share; HITM in all, local, remote; records, loads, stores; stores' hits, misses, unknown
		f := strings.Fields(line)
		if len(f) < 14 || !strings.HasPrefix(f[1], "0x") {
			continue
		}
		var n [8]uint64
		for i := range n {
			var err error
			n[i], err = strconv.ParseUint(f[6+i], 10, 64)
			must(t, err)
		}
		theirs[f[1]] = counts{n[0], n[1], n[5], n[6]}
	}
	ours := map[string]counts{}
	for _, l := range r.Lines {
		if l.LocalHitM+l.RemoteHitM > 0 {
			ours[l.Address] = counts{l.LocalHitM, l.RemoteHitM, l.StoreHits, l.StoreMisses}
		}
	}
	if !maps.Equal(ours, theirs) || len(theirs) < 8 {
		t.Errorf("perf c2c report has %+v, we have %+v", theirs, ours)
	}
}

// script reads the lines of perf script, and checks the words of each source.
func script(t *testing.T, text string) []seen {
	t.Helper()
	var samples []seen
	for line := range strings.Lines(text) {
		// 28.125000000:  10000240  13668800042 |OP LOAD|LVL Remote Any cache hit|SNP HitM|TLB ...  260  ffffffffb6bc29b7
		numbers, words, _ := strings.Cut(line, "|")
		last := strings.Fields(words)
		if len(last) < 2 {
			t.Fatalf("perf says %q", line)
		}
		var s seen
		var seconds, ns uint64
		_, err1 := fmt.Sscanf(numbers, "%d.%d: %x %x", &seconds, &ns, &s.addr, &s.source)
		_, err2 := fmt.Sscanf(last[len(last)-2]+" "+last[len(last)-1], "%d %x", &s.latency, &s.ip)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		s.time = seconds*1e9 + ns
		samples = append(samples, s)
		want := "OP STORE|LVL L1 or N/A miss|SNP N/A|"
		switch level := levels[s.addr/64%16]; s.source {
		case storeHit:
			want = "OP STORE|LVL L1 or N/A hit|SNP N/A|"
		case loadAt(s.addr).source:
			want = "OP LOAD|LVL " + level.words + "|"
		}
		if !strings.HasPrefix(words, want) {
			t.Fatalf("perf says of %#x %q, want %q", s.source, words, want)
		}
		ours := pebs.DataSource(s.source).String()
		// perf cuts the number and the words off at 99 bytes, 17 of which are the number's.
		if ours = ours[:min(len(ours), 82)]; !strings.HasPrefix("|"+words, ours+" ") {
			t.Fatalf("perf says of %#x %q, we say %q", s.source, "|"+words, ours)
		}
	}
	return samples
}
