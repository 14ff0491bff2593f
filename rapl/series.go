package rapl

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// point is one of a series: joules since Start.
type point struct {
	domain int
	t      int64
	joules float64
}

// Stamps agree with the anchors around them within: the steps of the counters,
// what a counter that lags by a millisecond misses at each end, the time between
// the two readings of an anchor, and half a per cent.
const (
	toleratedSteps = 4
	toleratedLag   = time.Millisecond
	toleratedShare = 0.005
)

// toleratedBurst is how much of a burst that no stamp saw the two may differ by in a
// stretch, if the next one makes up for it.
const toleratedBurst = 2 * time.Millisecond

// patience is how many intervals without a stamp are too many. An idle CPU misses
// some, and a virtual one is not always running.
const patience = 8

const leastPatience = 50 * time.Millisecond

// agrees compares the growth of a counter in a group with that of the source's
// own, from one anchor to the next. The two are not read at one instant, and what
// lies between is at most peak watts: a load in bursts draws far more than its mean.
// The stamps of a stretch that disagrees are not used. If the next stretch does not
// make up for it, as it does where a burst began between the two readings, something
// is lost, and the stamps are given up. So they are at a difference that no burst makes.
func (r *Recorder) agrees(a, b anchor, m member, peak float64) bool {
	want := b.joules[m.domain] - a.joules[m.domain]
	got := float64(int64(b.counts[m.domain]-a.counts[m.domain])) * m.scale
	peak = max(peak, max(want, got)/(float64(b.t-a.t)*1e-9))
	blur := 2*toleratedLag.Seconds() + float64(a.width+b.width)*1e-9
	tolerance := toleratedSteps*max(r.domains[m.domain].Unit, m.scale) + toleratedShare*max(want, got) + peak*blur
	owed := r.owed[m.domain]
	r.owed[m.domain] = 0
	burst := max(peak, believable*plausibleWatts(r.domains[m.domain].Name))
	switch off := want - got; {
	case math.Abs(off+owed) <= tolerance:
		return math.Abs(off) <= tolerance
	case owed == 0 && math.Abs(off) <= tolerance+burst*(blur+toleratedBurst.Seconds()):
		r.owed[m.domain] = off
	case owed == 0:
		r.distrust(a.t, fmt.Sprintf("the stamps of %s grew by %.6f J while its counter grew by %.6f J", r.domains[m.domain], got, want))
	default:
		r.distrust(a.t, fmt.Sprintf("the stamps of %s grew by %.6f J while its counter grew by %.6f J, which does not make up for %.6f J that they lacked before",
			r.domains[m.domain], got, want, owed))
	}
	return false
}

// Take gives the points that are finished before watermark, a CLOCK_MONOTONIC
// time such that every stamp before it has been given to Stamp. They come in time
// order; the joules of a domain start with 0 at Start, never decrease, and end with
// the last anchor that could read it. Points without growth are left out while the one before is younger than
// 250 ms: a counter that had not updated yet says nothing of its interval.
func (r *Recorder) Take(watermark int64, f func(domain int, t int64, joules float64)) {
	if !r.begun && len(r.anchors) > 0 && r.anchors[0].t < watermark {
		r.begun = true
		first := r.anchors[0]
		for d := range r.domains {
			r.emitted[d] = point{d, first.t, 0}
			r.stamped[d] = first.t
			f(d, first.t, 0)
		}
	}
	used := 0
	for used+1 < len(r.anchors) && r.anchors[used+1].t < watermark {
		r.stretch(r.anchors[used], r.anchors[used+1], f)
		used++
	}
	r.anchors = slices.Delete(r.anchors, 0, used)
}

// stretch emits what lies behind anchor a up to anchor b.
func (r *Recorder) stretch(a, b anchor, f func(domain int, t int64, joules float64)) {
	use := b.t <= r.trusted && a.counts != nil && b.counts != nil && !b.dropped
	if use {
		use = r.complete(a, b)
	} else {
		clear(r.owed)
	}
	r.pending = r.pending[:0]
	for d := range r.domains {
		n := 0
		low := a.joules[d]
		for ; n < len(r.stamps[d]) && r.stamps[d][n].t <= b.t; n++ {
			s := r.stamps[d][n]
			if !use || s.t <= a.t || s.t == b.t || a.missed(d) || b.missed(d) {
				r.books.Discarded++
				continue
			}
			// The counter's growth since the anchor, held between the anchors.
			grown := a.joules[d] + float64(int64(s.count-a.counts[d]))*s.scale
			low = min(max(low, grown), b.joules[d])
			r.books.Stamps += r.add(point{d, s.t, low}, false)
		}
		if n > 0 {
			r.stamped[d] = r.stamps[d][n-1].t
			r.stamps[d] = slices.Delete(r.stamps[d], 0, n)
		}
		if !b.missed(d) {
			r.add(point{d, b.t, b.joules[d]}, b.final)
		}
	}
	slices.SortStableFunc(r.pending, func(p, q point) int { return cmp.Or(cmp.Compare(p.t, q.t), p.domain-q.domain) })
	for _, p := range r.pending {
		f(p.domain, p.t, p.joules)
	}
}

// add keeps a point unless it says nothing. It returns the number of points kept.
func (r *Recorder) add(p point, always bool) int {
	before := r.emitted[p.domain]
	if p.t <= before.t {
		r.books.Discarded++ // a second stamp of one instant
		return 0
	}
	if p.joules == before.joules {
		r.books.ZeroDeltas++
		if !always && !r.rests && p.t-before.t < anchorEvery.Nanoseconds() {
			return 0
		}
	}
	r.emitted[p.domain] = p
	r.pending = append(r.pending, p)
	return 1
}

// complete tells whether the stamps from a to b can be used: none missing for
// long, no counter going back, and as much energy as the anchors have. If not,
// they are given up from a on, unless they may turn out to be late only.
func (r *Recorder) complete(a, b anchor) bool {
	limit := max(patience*r.interval, leastPatience).Nanoseconds()
	agreed := true
	for _, g := range r.groups {
		for _, m := range g.members {
			last := r.stamped[m.domain]
			count := uint64(0)
			peak := 0.0 // W
			for i, s := range r.stamps[m.domain] {
				if s.t > b.t {
					break
				}
				if s.t-last > limit {
					return r.giveUp(a, g.cpu, last, s.t)
				}
				if s.count < count {
					r.distrust(a.t, fmt.Sprintf("the stamps of %s went back", r.domains[m.domain]))
					return false
				}
				if i > 0 {
					// Two that are close to one another may have a step of the counter between them.
					peak = max(peak, float64(s.count-count)*m.scale/(float64(max(s.t-last, r.interval.Nanoseconds()))*1e-9))
				}
				last, count = s.t, s.count
			}
			if b.t-last > limit {
				return r.giveUp(a, g.cpu, last, b.t)
			}
			if a.missed(m.domain) || b.missed(m.domain) {
				r.owed[m.domain] = 0
			} else if !r.agrees(a, b, m, peak) {
				agreed = false
			}
		}
	}
	return agreed
}

func (r *Recorder) giveUp(a anchor, cpu int, from, to int64) bool {
	r.distrust(a.t, fmt.Sprintf("no stamps came from CPU %d for %d ms", cpu, (to-from)/1e6))
	return false
}
