package perfdata

import (
	"encoding/binary"
	"testing"

	"github.com/energyprof/energyprof/perfring"
)

// ordered is a sink that checks what every stream keeps to.
type ordered struct {
	counter
	t        testing.TB
	file     *File
	advanced int64
	joules   []float64
	readAt   []int64
}

func (s *ordered) Record(rec perfring.Record, cpu, event int) {
	s.counter.Record(rec, cpu, event)
	if cpu < -1 || event < -1 || event >= len(s.file.Events) {
		s.t.Errorf("record of CPU %d and event %d of %d", cpu, event, len(s.file.Events))
	}
}

func (s *ordered) Energy(domain int, t int64, joules float64) {
	for len(s.joules) < len(s.file.EnergyDomains) {
		s.joules, s.readAt = append(s.joules, 0), append(s.readAt, 0)
	}
	if joules < s.joules[domain] {
		s.t.Errorf("domain %d goes back from %v to %v J", domain, s.joules[domain], joules)
	}
	s.joules[domain] = joules
}

func (s *ordered) Advance(t int64) {
	if t < s.advanced && s.file.result.Books.Total().Bad == 0 && s.file.hold.late == 0 {
		s.t.Errorf("time goes back from %d to %d", s.advanced, t)
	}
	s.advanced = t
}

// FuzzRead reads anything, as a file and as a pipe.
func FuzzRead(f *testing.F) {
	// Small ones: what is found in large ones takes minutes to be made small.
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		small := &built{order: order, events: testEvents()[:1]}
		small.events[0].size = 64
		small.kernel(perfring.RecordComm, 0, small.enc().u32(7, 7).name("c", 8), 0, perfring.SampleID{Time: 10, ID: 11, CPU: 1})
		small.sample(0, perfring.Sample{Time: 20, ID: 12, CPU: 1})
		small.round()
		small.features = map[feature][]byte{featPMUMappings: small.enc().u32(1, 9, 4).name("msr", 4).b}
		f.Add(small.file(), false)
		f.Add(small.piped(), true)
		small.compress(f, 0, 1, 40, order == binary.BigEndian)
		f.Add(small.piped(), true)
	}
	lbr := lbrFile()
	lbr.sample(0, perfring.Sample{Time: 1, Callchain: []uint64{perfring.ContextUser, 1}, Branches: []perfring.Branch{{From: 3, To: 2}}})
	f.Add(lbr.piped(), true)
	f.Fuzz(func(t *testing.T, b []byte, pipe bool) {
		if len(b) > 1<<16 {
			return
		}
		samples, _ := try(t, b, pipe)
		if samples > len(b)*len(b) {
			t.Errorf("%d samples in %d bytes", samples, len(b))
		}
	})
}
