package counting

import (
	"errors"
	"slices"

	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
)

// errLost says that a domain's counter could not be followed, so that its joules are not all
// that it used.
var errLost = errors.New("the energy counter could not be followed")

// errNotBegun says that a delay was longer than what was to be counted.
var errNotBegun = errors.New("counting had not begun")

// point is all counters at one moment, since they were opened.
type point struct {
	t      int64
	counts []perfring.Count
	joules []float64
	failed []error // by domain: why joules are not those of this moment
	lost   []int   // by domain: how often its counter could not be followed so far
}

// newPoint is a point at which nothing has been read.
func (r *repetition) newPoint() point {
	p := point{counts: make([]perfring.Count, len(r.Counters))}
	if r.opt.Energy != nil {
		n := len(r.opt.Energy.Info().Domains)
		p.joules, p.failed, p.lost = make([]float64, n), make([]error, n), make([]int, n)
	}
	return p
}

// read takes a point: the energy first, which goes on.
func (r *repetition) read(now int64) point {
	p := r.newPoint()
	p.t = now
	if r.opt.Energy != nil {
		p.readEnergy(r.opt.Energy, &r.latest)
		r.latest = p
	}
	if r.counters != nil {
		copy(p.counts, r.last.counts)
		if err := r.counters.Read(p.counts); err != nil {
			r.result.note(NoteCounters, "%v", err)
		}
	}
	return p
}

// readEnergy takes the joules of src after the point before.
func (p *point) readEnergy(src rapl.Source, before *point) {
	moment, err := src.Read(p.joules)
	for i := range p.failed {
		p.failed[i] = err
		if err == nil && moment.Failed != nil {
			p.failed[i] = moment.Failed[i]
		}
	}
	if before == nil {
		return
	}
	copy(p.lost, before.lost)
	if err != nil {
		copy(p.joules, before.joules)
	}
	if moment.Dropped == 0 {
		return
	}
	// The source tells how many, not which: none of them has grown.
	var still []int
	for i, j := range p.joules {
		if j == before.joules[i] && p.failed[i] == nil {
			still = append(still, i)
		}
	}
	for i := range p.lost {
		if len(still) < moment.Dropped || slices.Contains(still, i) {
			p.lost[i]++
		}
	}
}

// pollEnergy reads the energy so that its counters do not wrap unseen.
func (r *repetition) pollEnergy() {
	p := r.newPoint()
	p.readEnergy(r.opt.Energy, &r.latest)
	r.latest = p
}

// reading is what was counted between two points.
func (r *repetition) reading(from, to point) Reading {
	reading := Reading{Repeat: r.Repeat, From: from.t, To: to.t, Counters: r.Counters}
	reading.Counts = make([]perfring.Count, len(to.counts))
	for i, now := range to.counts {
		reading.Counts[i] = since(from.counts[i], now)
	}
	if to.joules == nil {
		return reading
	}
	reading.Joules = make([]float64, len(to.joules))
	failed := make([]error, len(to.joules))
	some := false
	for i, now := range to.joules {
		reading.Joules[i] = now - from.joules[i]
		switch {
		case to.failed[i] != nil:
			failed[i] = to.failed[i]
		case from.failed[i] != nil:
			failed[i] = from.failed[i]
		case to.lost[i] > from.lost[i]:
			failed[i] = errLost
		}
		some = some || failed[i] != nil
	}
	if some {
		reading.Failed = failed
	}
	return reading
}

// nothing is the reading of a repeat that ended before counting began.
func (r *repetition) nothing(now int64) Reading {
	p := r.newPoint()
	p.t = now
	for i := range p.failed {
		p.failed[i] = errNotBegun
	}
	return r.reading(p, p)
}

// since is what a counter counted from one reading to the next. One that went back tells
// nothing.
func since(from, to perfring.Count) perfring.Count {
	if to.Value < from.Value || to.Running < from.Running || to.Enabled < from.Enabled {
		return perfring.Count{Enabled: to.Enabled - min(from.Enabled, to.Enabled)}
	}
	return perfring.Count{Value: to.Value - from.Value, Enabled: to.Enabled - from.Enabled, Running: to.Running - from.Running}
}
