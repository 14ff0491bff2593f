package rapl

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestReadTrace(t *testing.T) {
	const file = TraceHeader + `
1000009682675,package,0,0-3,188293.457
1000009682675,package,1,"4,6",12
1000009682675,core,0,0,1
1000009682675,core,0,1,2
1000019682675,package,0,0-3,288293.457
1000019682675,package,0,0-3,288293.457
1000019682675,psys,0,,1e3
`
	got, err := ReadTrace(strings.NewReader(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &Trace{
		Domains: []Domain{
			{Name: "package", Package: 0, CPUs: []int{0, 1, 2, 3}, Sum: true},
			{Name: "package", Package: 1, CPUs: []int{4, 6}, Sum: true},
			{Name: "core", Package: 0, CPUs: []int{0}}, {Name: "core", Package: 0, CPUs: []int{1}},
			{Name: "psys", CPUs: []int{}},
		},
		Points: []TracePoint{{0, 1000009682675, 188293.457e-6}, {1, 1000009682675, 12e-6}, {2, 1000009682675, 1e-6},
			{3, 1000009682675, 2e-6}, {0, 1000019682675, 288293.457e-6}, {4, 1000019682675, 1e-3}},
	}
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-12 })
	if d := cmp.Diff(want, got, near); d != "" {
		t.Errorf("trace (-want +got):\n%s", d)
	}
}

func TestReadTraceRefuses(t *testing.T) {
	const ok = "10,package,0,0-1,5\n"
	for _, c := range []struct {
		name, rows string
		line       int
		want       string
	}{
		{"header", "time,domain,package,cpus,energy_uj\n", 1, "header"},
		{"header without the last field", "time_ns,domain,package,cpus\n", 1, "header"},
		{"nothing", "", 1, "no reading"},
		{"no row", TraceHeader + "\n", 2, "no reading"},
		{"empty line", TraceHeader + "\n" + ok + "\n", 3, "fewer than 5"},
		{"four fields", TraceHeader + "\n10,package,0,5\n", 2, "fewer than 5"},
		{"six fields", TraceHeader + "\n10,package,0,0,1,5\n", 2, "more than 5"},
		{"time goes back", TraceHeader + "\n" + ok + "9,package,0,0-1,6\n", 3, "time goes back from 10 to 9 ns"},
		{"two readings at a time", TraceHeader + "\n" + ok + "10,package,0,0-1,6\n", 3, "two readings"},
		{"energy goes back", TraceHeader + "\n" + ok + "11,package,0,0-1,4.9\n", 3, "energy goes back from 5 to 4.9"},
		{"a CPU in two packages", TraceHeader + "\n" + ok + "10,package,1,1-2,5\n", 3, "CPU 1 is in package 0 and in package 1"},
		{"a CPU twice in a package", TraceHeader + "\n" + ok + "10,package,0,1-2,5\n", 3, "CPU 1"},
		{"a series without CPUs, in two spellings", TraceHeader + "\n10,psys,0,,1\n10,psys,00,,1\n", 3, "two ways"},
		{"no time", TraceHeader + "\n1.5,package,0,0,5\n", 2, "time_ns"},
		{"negative time", TraceHeader + "\n-1,package,0,0,5\n", 2, "time_ns"},
		{"no energy", TraceHeader + "\n10,package,0,0,abc\n", 2, "energy_uj"},
		{"empty energy", TraceHeader + "\n10,package,0,0,\n", 2, "energy_uj"},
		{"not a number", TraceHeader + "\n10,package,0,0,NaN\n", 2, "energy_uj"},
		{"infinite", TraceHeader + "\n10,package,0,0,1e999\n", 2, "energy_uj"},
		{"a petajoule", TraceHeader + "\n10,package,0,0,1e21\n", 2, "more than 1e+18"},
		{"hexadecimal", TraceHeader + "\n10,package,0,0,0x10p0\n", 2, "energy_uj"},
		{"negative energy", TraceHeader + "\n10,package,0,0,-5\n", 2, "energy_uj"},
		{"no package", TraceHeader + "\n10,package,x,0,5\n", 2, "package"},
		{"no CPU", TraceHeader + "\n10,package,0,a,5\n", 2, "cpus"},
		{"too many CPUs", TraceHeader + "\n10,package,0,0-99999,5\n", 2, "0 to 8191"},
		{"CPUs out of order", TraceHeader + "\n10,package,0,\"3,1\",5\n", 2, "CPU 1 stands behind CPU 3"},
		{"a range upside down", TraceHeader + "\n10,package,0,3-1,5\n", 2, "CPU 1 stands behind"},
		{"half a range", TraceHeader + "\n10,package,0,3-,5\n", 2, "cpus"},
		{"open quote", TraceHeader + "\n10,package,0,\"3,5\n", 2, "quote"},
		{"no domain", TraceHeader + "\n10,,0,0,5\n", 2, "domain"},
		{"odd domain", TraceHeader + "\n10,a b,0,0,5\n", 2, "domain"},
		{"long line", TraceHeader + "\n" + strings.Repeat("1", 70000), 2, "too long"},
	} {
		_, err := ReadTrace(strings.NewReader(c.rows), nil)
		var te *TraceError
		if !errors.As(err, &te) || te.Line != c.line || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want line %d: %s", c.name, err, c.line, c.want)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("%s: a message of %d bytes", c.name, len(err.Error()))
		}
	}
}

func TestReadTraceWraps(t *testing.T) {
	const file = TraceHeader + "\n1,package,0,0,90\n2,package,0,0,5\n3,package,0,0,95\n4,package,0,0,0\n"
	got, err := ReadTrace(strings.NewReader(file), map[string]float64{"package": 100})
	if err != nil {
		t.Fatal(err)
	}
	var uj []float64
	for _, p := range got.Points {
		uj = append(uj, math.Round(p.Joules*1e6))
	}
	if d := cmp.Diff([]float64{90, 105, 195, 200}, uj); d != "" {
		t.Errorf("µJ (-want +got):\n%s", d)
	}
	if _, err := ReadTrace(strings.NewReader(file), map[string]float64{"package": 80}); err == nil || !strings.Contains(err.Error(), "no wrap at 80") {
		t.Errorf("a wrap beyond the range gave %v", err)
	}
	for _, at := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if _, err := ReadTrace(strings.NewReader(file), map[string]float64{"package": at}); err == nil {
			t.Errorf("a wrap at %v was taken", at)
		}
	}
	if _, err := ReadTrace(strings.NewReader(file), map[string]float64{"dram": 100}); err == nil {
		t.Error("a wrap of another domain was taken")
	}
}

// What is written is read again, to half a nanojoule.
func TestTraceRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		domains := []Domain{
			{Name: "package", Package: 0, CPUs: []int{0, 1, 5}, Sum: true}, {Name: "package", Package: 3, CPUs: []int{2}, Sum: true},
			{Name: "rail_12v", CPUs: []int{}},
		}[:rapid.IntRange(1, 3).Draw(t, "domains")]
		var points []TracePoint
		now, joules := int64(0), make([]float64, len(domains))
		for range rapid.IntRange(1, 50).Draw(t, "rounds") {
			now += rapid.Int64Range(1, 1e12).Draw(t, "ns")
			for d := range domains {
				joules[d] += rapid.Float64Range(0, 1e4).Draw(t, "joules")
				points = append(points, TracePoint{d, now, joules[d]})
			}
		}
		var b bytes.Buffer
		w, err := NewTraceWriter(&b, domains)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range points {
			if err := w.Write(p.Domain, p.Time, p.Joules); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		got, err := ReadTrace(&b, nil)
		if err != nil {
			t.Fatal(err)
		}
		near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-9 })
		if d := cmp.Diff(&Trace{domains, points}, got, near); d != "" {
			t.Fatalf("trace (-want +got):\n%s", d)
		}
	})
}

func TestTraceWriterRefuses(t *testing.T) {
	for _, domains := range [][]Domain{{{Name: "a,b"}}, {{Name: ""}}, {{Name: "psys"}, {Name: "psys"}}} {
		if _, err := NewTraceWriter(&bytes.Buffer{}, domains); err == nil {
			t.Errorf("%+v was taken", domains)
		}
	}
}

// Any bytes give an error with a line or a trace that keeps the rules.
func FuzzReadTrace(f *testing.F) {
	f.Add([]byte(TraceHeader+"\n1000009682675,package,0,0-3,188293.457\n1000019682675,package,0,0-3,188393.457\n"), 0.0)
	f.Add([]byte(TraceHeader+"\r\n1,package,0,\"0,2\",90\r\n2,package,0,\"0,2\",5\r\n"), 100.0)
	f.Add([]byte(TraceHeader+"\n1,core,0,0,1\n1,core,0,1,1\n1,psys,0,,1\n"), 0.0)
	f.Fuzz(func(t *testing.T, file []byte, wrapAt float64) {
		var ranges map[string]float64
		if wrapAt > 0 && wrapAt <= maxTraceEnergy {
			ranges = map[string]float64{"package": wrapAt}
		}
		trace, err := ReadTrace(bytes.NewReader(file), ranges)
		if err != nil {
			var te *TraceError
			if !errors.As(err, &te) || te.Line < 1 || te.Line > bytes.Count(file, []byte("\n"))+2 {
				t.Fatalf("%v", err)
			}
			return
		}
		last := make([]TracePoint, len(trace.Domains))
		seen := map[string]bool{}
		for _, d := range trace.Domains {
			for _, cpu := range d.CPUs {
				key := fmt.Sprint(d.Name, " ", cpu)
				if seen[key] {
					t.Fatalf("CPU %d is in two domains %s", cpu, d.Name)
				}
				seen[key] = true
			}
		}
		for i, p := range trace.Points {
			before := last[p.Domain]
			if i > 0 && before.Time > p.Time || before.Joules > p.Joules || math.IsNaN(p.Joules) {
				t.Fatalf("%+v behind %+v", p, before)
			}
			last[p.Domain] = p
		}
		if sumless(trace.Domains) {
			t.Fatal("no domain is summed")
		}
	})
}
