package perfdata

import (
	"bytes"
	"errors"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
)

// memoryOwn is a section of memory accesses, and its tokens: of two loads, the second of which was served by memory of
// another node.
func memoryOwn() (*Own, []byte) {
	var tokens bytes.Buffer
	w := tokenTo(&tokens)
	w.records(tokRecords, 1)
	w.served(5)
	w.records(tokRecords, 3) // what was looked up because of the load comes before it
	w.flush()
	w.w.Flush()
	own, _ := sampleOwn()
	own.Events[1].Memory = true
	own.Counters = []rapl.CountedEvent{{Name: "uncore_imc/cas_count_read/", Domains: []rapl.Domain{{Name: "uncore_imc/cas_count_read/"}}}}
	own.Memory = &OwnMemory{Addresses: true, Weigh: true, Traffic: []int{0}}
	own.Books = []perfring.EventBooks{{Name: "cpu-clock", Samples: 1, Represented: 2, HasCount: true, Counted: 3, Enabled: 4, Running: 5}, {Name: "cycles", HasLost: true, Lost: 6, LostSamples: 7, Throttles: 8, Unthrottles: 9}}
	return own, tokens.Bytes()
}

// asking is a sink that asks for whose memory served a sample.
type asking struct {
	calls
	servedBy func(s *perfring.Sample, cpu int) int
}

func (a *asking) Record(rec perfring.Record, cpu, event int) {
	switch r := rec.(type) {
	case *perfring.Sample:
		a.add("%d by %d", r.IP, a.servedBy(r, cpu))
	case *perfring.Throttle:
		a.add("throttle of event %d on CPU %d", event, cpu)
	}
}

// TestOwnMemory reads the section of memory accesses as it was first written, which programs of before refuse: they
// would make counts of one more event of them. It says again which memory served a load.
func TestOwnMemory(t *testing.T) {
	const path = "testdata/own-v3"
	want, tokens := memoryOwn()
	if *update {
		if err := os.WriteFile(path, encoded(t, want, tokens)[6:], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b[24] != ownMemory {
		t.Errorf("version %d, want %d", b[24], ownMemory)
	}
	got, err := decodeOwn(bytes.NewReader(b), 0, int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := sameOwn(got, want); err != nil {
		t.Error(err)
	}
	records := []perfring.Record{&perfring.Sample{IP: 1}, &perfring.Comm{}, &perfring.Sample{IP: 2}, &perfring.Sample{IP: 3}}
	sink := &asking{servedBy: got.ServedBy}
	if err := got.replay(func() (perfring.Record, int, int, error) {
		rec := records[0]
		records = records[1:]
		return rec, 4, 1, nil
	}, sink); err != nil {
		t.Error(err)
	}
	if expected := []string{"1 by 4", "2 by 5", "3 by 4"}; !slices.Equal(sink.list, expected) {
		t.Errorf("replayed %q, want %q", sink.list, expected)
	}
	for name, damage := range map[string]func(o *Own){
		"traffic of a counter that is not there": func(o *Own) { o.Memory.Traffic[0] = 1 },
		"books of fewer events":                  func(o *Own) { o.Books = o.Books[1:] },
	} {
		bad, _ := memoryOwn()
		damage(bad)
		b := encoded(t, bad, nil)
		if _, err := decodeOwn(bytes.NewReader(b), 6, int64(len(b))-6); !errors.Is(err, errOwnDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOwnAmounts: energy and counts are numbers, of which no table and no JSON can hold others.
func TestOwnAmounts(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, kind := range []byte{tokEnergy, tokCount} {
			var tokens bytes.Buffer
			w := tokenTo(&tokens)
			w.point(kind, 0, 1, v)
			w.w.Flush()
			own, _ := memoryOwn()
			own.tokens = &tokens
			sink := &calls{}
			if err := own.replay(nil, sink); !errors.Is(err, errOwnDamaged) || len(sink.list) != 0 {
				t.Errorf("token %d of %v: error %v and calls %q, want that the section is damaged", kind, v, err, sink.list)
			}
		}
	}
}
