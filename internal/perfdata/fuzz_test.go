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
	for _, b := range hostileForms(f) {
		f.Add(b, false)
		f.Add(b, true)
	}
	group := groupFile(binary.LittleEndian)
	f.Add(group.file(), false)
	lbr := lbrFile()
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
