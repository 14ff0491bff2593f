package guest

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/internal/perfdata"
	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
)

// seen is a sample as perf script and package perfdata both tell it.
type seen struct {
	time, ip uint64
	access
}

// memory is a sink for the accesses of a file.
type memory struct{ samples []seen }

func (m *memory) Record(rec perfring.Record, _, _ int) {
	if s, ok := rec.(*perfring.Sample); ok {
		m.samples = append(m.samples, seen{s.Time, s.IP, access{s.Addr, s.DataSrc, s.WeightVar1}})
	}
}

func (*memory) Existing(int) error              { return nil }
func (*memory) Busy(int, int64, int64, int64)   {}
func (*memory) Others(int, int64, int64, int64) {}
func (*memory) Missed(int, int64, int64, int64) {}
func (*memory) Energy(int, int64, float64)      {}
func (*memory) Count(int, int64, float64)       {}
func (*memory) Advance(int64)                   {}

// inOrder sorts samples as no two are alike.
func inOrder(s []seen) []seen {
	slices.SortFunc(s, func(a, b seen) int {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.source, b.source), cmp.Compare(a.addr, b.addr))
	})
	return s
}

// A file of Debian's perf reads the same by perf and by us, to the last bit, and
// its words for the levels are right.
func TestPerfMem(t *testing.T) {
	only(t, "icx-6.1")
	file := filepath.Join(scratch(t), "perf.data")
	// Build ids, BPF programs and the map of the kernel take perf 25 s of a slow guest. Its ldlat is the
	// given one or'ed with the 3 of the event's alias.
	_, stderr, code := run(t, "perf", "mem", "record", "--all-user", "--ldlat", "3", "-B", "-N", "--no-bpf-event", "-o", file, "--",
		"workload", "-mute", "-seconds", "0.2", "-naps", "0", "-functions", "parse=1")
	if code != 0 {
		t.Fatalf("perf mem record: exit code %d\n%s", code, stderr)
	}
	f, err := perfdata.Open(file)
	must(t, err)
	defer f.Close()
	var ours memory
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
