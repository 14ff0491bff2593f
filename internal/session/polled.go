package session

import (
	"fmt"

	"github.com/energyprof/energyprof/rapl"
)

// polled is a recorder whose readings are due now and then: of energy, or of counters.
type polled struct {
	*rapl.Recorder
	kind  NoteKind
	what  string // "energy"
	point func(series int, t int64, value float64)
	next  int64 // when the next reading is due
}

// startPolled takes the first readings.
func (r *recording) startPolled() error {
	for _, p := range []polled{
		{Recorder: r.opt.Energy, kind: NoteEnergy, what: "energy", point: r.sink.Energy},
		{Recorder: r.opt.Counters, kind: NoteCounters, what: "counters", point: r.sink.Count},
	} {
		if p.Recorder == nil {
			continue
		}
		if err := p.Start(); err != nil {
			return fmt.Errorf("%s: %w", p.what, err)
		}
		p.next = monotonic() + int64(p.Every())
		r.polled = append(r.polled, p)
	}
	return nil
}

// poll takes the readings that are due.
func (r *recording) poll(now int64) {
	for i := range r.polled {
		p := &r.polled[i]
		if now < p.next {
			continue
		}
		if err := p.Poll(); err != nil {
			r.note(p.kind, "a reading of %s failed: %v", p.what, err)
		}
		p.next = now + int64(p.Every())
	}
}

// stopPolled takes the last readings.
func (r *recording) stopPolled() {
	for _, p := range r.polled {
		if err := p.Stop(); err != nil {
			r.note(p.kind, "the last reading of %s failed: %v", p.what, err)
		}
	}
}
