package collect

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report/attribution"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A shell starts a program that reads files, compiles code and forks, beside work of others.
func TestGoldenRecording(t *testing.T) {
	opt := withKernel(t, map[string]string{
		"10/status":       fmt.Sprintf("Name:\tapp\nUid:\t0\t%d\t0\t0\n", os.Getuid()),
		"tmp/perf-10.map": "600000 100 compiled::loop\n600100 80 compiled::sum\n",
	})
	energy := withEnergy(attribution.Proportional)
	opt.Energy, opt.Attribution = energy.Energy, attribution.Options{Method: attribution.Proportional, BaselineWatts: []float64{2}}
	opt.Events = []Event{{Name: "cpu-clock", Clock: true, Period: 10 * ms}, {Name: "page-faults"}}
	s := newStream(t, opt)
	at := func(cpu, event int, pid, tid uint32, period uint64, misc uint16, chain ...uint64) {
		s.now += 10 * ms
		s.Record(&perfring.Sample{Header: perfring.Header{Misc: misc}, PID: pid, TID: tid, Time: s.now, Period: period,
			IP: chain[1], Callchain: chain}, cpu, event)
	}
	const user, kernel = perfring.ContextUser, perfring.ContextKernel
	s.Energy(0, int64(s.now), 0)
	s.exec(10, "sh")
	s.mmap(10, 0x400000, 0x1000, 0, "/bin/sh")
	at(0, 0, 10, 10, 10*ms, perfring.MiscUser, user, 0x400010, 0x400020)
	s.exec(10, "app")
	s.mmap(10, 0x500000, 0x10000, 0x1000, "/bin/app")
	s.mmap(10, 0x600000, 0x10000, 0, "")
	s.clone(10, 11)
	s.comm(10, 11, "reader")
	for range 3 {
		at(0, 0, 10, 10, 10*ms, perfring.MiscUser, user, 0x600010, 0x600105, 0x500200)
		at(1, 0, 10, 11, 10*ms, perfring.MiscKernel, kernel, kRead, kEntry, user, 0x500300, 0x500200)
	}
	at(1, 1, 10, 11, 2, perfring.MiscUser, user, 0x500304)
	s.fork(10, 12)
	at(0, 0, 12, 12, 10*ms, perfring.MiscUser, user, 0x600010, 0x500200)
	s.exit(12, 12)
	s.Record(&perfring.Lost{SampleID: perfring.SampleID{Time: s.now + 20*ms}, Lost: 2}, 0, -1)
	s.now = 2 * second
	s.Busy(0, second, 2*second, 500*ms)
	s.Busy(1, second, 2*second, 0)
	s.Energy(0, int64(s.now), 12)
	s.Advance(int64(s.now))

	r := s.Finish()
	r.Data.Start, r.Data.Duration, r.Data.Period = time.Unix(1_000_000_000, 0).UTC(), time.Second, 10*time.Millisecond
	p, err := r.Profile()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(p.String(), opt.Proc, "ROOT")
	path := filepath.Join("testdata", "recording.golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got), -update writes it anew:\n%s", path, d)
	}
}
