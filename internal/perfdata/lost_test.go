package perfdata

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/energyprof/energyprof/perfring"
)

type lostRecords struct {
	counter
	lines []string
}

func (s *lostRecords) Record(rec perfring.Record, cpu, event int) {
	switch r := rec.(type) {
	case *perfring.Lost:
		s.lines = append(s.lines, fmt.Sprintf("CPU %d event %d at %d: %d records", cpu, event, r.Time, r.Lost))
	case *perfring.LostSamples:
		s.lines = append(s.lines, fmt.Sprintf("CPU %d event %d at %d: %d samples", cpu, event, r.Time, r.Lost))
	}
}

// What the kernel counted is handed on as far as LOST records have not told it.
func TestLostTwice(t *testing.T) {
	for _, index := range []bool{true, false} {
		f := &built{order: binary.LittleEndian, events: testEvents()[:1]}
		f.events[0].attr.ReadFormat = perfring.ReadID | perfring.ReadLost
		if index {
			f.record(recIDIndex, 0, f.enc().u64(2, 11, 0, 0, 1<<64-1, 12, 1, 1, 1<<64-1))
		}
		id := func(t, id uint64, cpu uint32) perfring.SampleID {
			return perfring.SampleID{Time: t, ID: id, CPU: cpu}
		}
		f.kernel(perfring.RecordLost, 0, f.enc().u64(11, 5), 0, id(50, 11, 0))
		f.kernel(perfring.RecordLost, 0, f.enc().u64(12, 4), 0, id(60, 12, 1))
		f.kernel(perfring.RecordLostSamples, 0, f.enc().u64(1), 0, id(70, 12, 1))                 // by the hardware
		f.kernel(perfring.RecordLostSamples, miscLostSamplesBPF, f.enc().u64(9), 0, id(0, 12, 0)) // by a filter
		f.kernel(perfring.RecordLostSamples, 0, f.enc().u64(7), 0, id(0, 11, 0))                  // by the ring
		f.kernel(perfring.RecordLostSamples, 0, f.enc().u64(3), 0, id(0, 12, 0))
		want := []string{"CPU 0 event -1 at 50: 5 records", "CPU 1 event -1 at 60: 4 records", "CPU 1 event 0 at 70: 1 samples"}
		total := perfring.Counts{Lost: 11, LostSamples: 1}
		if index {
			want = append(want, "CPU 0 event -1 at 70: 2 records")
		} else {
			want = append(want, "CPU -1 event -1 at 70: 1 records")
			total.Lost = 10
		}
		var sink lostRecords
		_, r := readFile(t, f.file(), &sink)
		if diff := cmp.Diff(want, sink.lines); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := r.Books.Total(); got != total {
			t.Errorf("books %+v, want %+v", got, total)
		}
		if b := (perfring.EventBooks{Name: r.Events[0].Name, HasLost: true, Lost: 10, LostSamples: 1}); r.Events[0] != b {
			t.Errorf("books %+v of the event, want %+v", r.Events[0], b)
		}
	}
}
