package pebs_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/perfring"
)

// writeAccesses writes a perf.data file of one event with a sample for each value: a header, the event's
// attributes, the records (tools/perf/Documentation/perf.data-file-format.txt).
func writeAccesses(t *testing.T, values []DataSource) string {
	t.Helper()
	attr := perfring.Attr{Type: 4, Config: 0x1cd, Sample: 1, Flags: perfring.FlagDisabled,
		SampleFormat: perfring.SampleIP | perfring.SampleTID | perfring.SampleTime | perfring.SampleAddr |
			perfring.SampleWeight | perfring.SampleDataSrc}
	attrs, err := attr.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	attrs = append(attrs, make([]byte, 16)...) // no ids
	const header = 104
	var b []byte
	put := func(words ...uint64) {
		for _, w := range words {
			b = binary.NativeEndian.AppendUint64(b, w)
		}
	}
	b = append(b, "PERFILE2"...)
	data := header + uint64(len(attrs))
	const record = 8 * 7
	put(header, uint64(len(attrs)), header, uint64(len(attrs)), data, uint64(len(values))*record, 0, 0, 0, 0, 0, 0)
	b = append(b, attrs...)
	for i, v := range values {
		const user = 2
		b = binary.NativeEndian.AppendUint32(b, uint32(perfring.RecordSample))
		b = binary.NativeEndian.AppendUint16(b, user)
		b = binary.NativeEndian.AppendUint16(b, record)
		put(0x1000, 7|7<<32, uint64(i+1), 0x2000, 30, uint64(v))
	}
	path := filepath.Join(t.TempDir(), "perf.data")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// perf runs the installed perf.
func perf(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "perf", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PERF_CONFIG=/dev/null")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("perf %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return string(out)
}

// sameAsPerf tells whether perf 6.1 names and holds what is printed: it has no name for the numbers 5 to
// 8 and for the bits from 46 on, reads beyond a table at hops above 4, and writes beyond its 100 bytes
// where the text is longer.
func sameAsPerf(d DataSource) bool {
	number := d & NumMask >> 33
	return (number < 5 || number > 8) && d>>46 == 0 && d.Hops() <= 3 && len(d.String()) < 100
}

// TestPerfScript holds what is printed against the installed perf: all values of each field, in values
// that otherwise say nothing or are real, the known accesses, and random values.
func TestPerfScript(t *testing.T) {
	skipWithoutPerf(t)
	values := known(t)
	for _, f := range fields {
		for v := range DataSource(1) << f.width {
			for _, other := range []DataSource{0, 0x10668100842} {
				mask := DataSource(1)<<f.width - 1
				values = append(values, other&^(mask<<f.shift)|v<<f.shift)
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		v := random.Uint64() & (1<<46 - 1)
		if random.IntN(2) == 0 { // of few bits, which fit perf's line
			v &= random.Uint64() & random.Uint64()
		}
		values = append(values, DataSource(v))
	}
	values = slices.DeleteFunc(values, func(d DataSource) bool { return !sameAsPerf(d) })
	if len(values) < 10000 {
		t.Fatalf("%d values to compare", len(values))
	}
	lines := strings.Split(strings.TrimRight(perf(t, "script", "-i", writeAccesses(t, values), "-F", "data_src"), "\n"), "\n")
	if len(lines) != len(values) {
		t.Fatalf("perf prints %d lines for %d samples", len(lines), len(values))
	}
	for i, d := range values {
		// The number takes 16 columns, and perf cuts the line at 99.
		want := fmt.Sprintf("%16x %s", uint64(d), d)
		if want = want[:min(len(want), 99)]; strings.TrimSpace(lines[i]) != strings.TrimSpace(want) {
			t.Errorf("perf prints\n%s\nwant\n%s", strings.TrimSpace(lines[i]), strings.TrimSpace(want))
		}
	}
}

// TestPerfMemReport holds the words against the columns of perf mem report, which are not cut there.
// perf puts accesses into one row that differ in nothing but the number of their level, so each report
// has one of those.
func TestPerfMemReport(t *testing.T) {
	skipWithoutPerf(t)
	row := func(d DataSource) string {
		return strings.Join([]string{d.LevelWords(), d.SnoopWords(), d.TLBWords(), d.LockWords(), d.BlockWords()}, ";")
	}
	left := slices.DeleteFunc(known(t), func(d DataSource) bool { return !sameAsPerf(d) || !d.Accesses() })
	reports := 0
	for ; len(left) > 0; reports++ {
		var now, later []DataSource
		taken, want := map[DataSource]bool{}, map[string]int{}
		for _, d := range left {
			key := d &^ (NumMask | RemoteBit | SnoopForward | SnoopPeer | DataSource(7)<<43 | OpLoad | OpStore | OpPrefetch)
			if taken[key] {
				later = append(later, d)
				continue
			}
			taken[key] = true
			now = append(now, d)
			want[row(d)]++
		}
		got := map[string]int{}
		out := perf(t, "mem", "-x", ";", "report", "-i", writeAccesses(t, now), "--stdio", "-F", "sample,mem,snoop,tlb,locked,blocked")
		for line := range strings.Lines(out) {
			columns := strings.Split(strings.TrimSpace(line), ";")
			if n, err := strconv.Atoi(strings.TrimSpace(columns[0])); err == nil && len(columns) == 6 {
				for i := range columns {
					columns[i] = strings.TrimSpace(columns[i])
				}
				got[strings.Join(columns[1:], ";")] += n
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("perf mem report counts %v\nwant %v", got, want)
		}
		left = later
	}
	if reports < 2 {
		t.Errorf("%d reports: none had accesses of different numbers to tell apart", reports)
	}
}

func skipWithoutPerf(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("perf"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if version := perf(t, "--version"); !strings.HasPrefix(version, "perf version 6.1") {
		t.Skipf("%s has other words than perf 6.1", strings.TrimSpace(version))
	}
}
