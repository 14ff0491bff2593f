package rapl

import (
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

// anchorEvery is how often the counters are read while the kernel stamps them
// into samples in between, and the longest time without a point in a series.
const anchorEvery = 250 * time.Millisecond

// DefaultInterval is the time between two points if none is given: counters
// update about every millisecond, so 10 ms is known to a tenth.
const DefaultInterval = 10 * time.Millisecond

// Recorder makes a series of points of each domain of a source.
//
// The anchors of a series are readings of the source, on counters of their own.
// Between them, if the source is on perf events and OpenStamps succeeded, the
// kernel stamps the counters into samples of a clock every interval: the same
// counters once more, in groups that the clock leads. Stamps refine the series
// and never decide it: the energy from one anchor to the next is what the
// anchors say. Where the two disagree, the stamps of that stretch are not used. If
// the next stretch does not make up for it, if stamps stay away or the kernel throttled them (which stops a
// group's counters, too), the stamps from there on are not used, the source is read
// every interval instead, and Books says why.
//
// A domain that cannot be read has no point at that anchor: the next one that it has
// ends the longer stretch.
//
// A Recorder is for one goroutine at a time.
type Recorder struct {
	src      Source
	interval time.Duration
	domains  []Domain
	rests    bool                  // a point without growth says something
	clock    func() (int64, error) // CLOCK_MONOTONIC, ns

	groups  map[uint64]*group // by the leader's id
	leaders []*perfring.Event
	members []*perfring.Event
	trusted int64     // stretches that end later do without stamps
	stamps  [][]stamp // by domain: not yet used, in time order
	stamped []int64   // by domain: when the last stamp was; 0 if none yet
	late    bool      // a counter could not be followed after the last anchor
	owed    []float64 // by domain: joules by which the group disagreed on the last stretch

	started bool
	base    []float64 // what the source had counted at Start
	anchors []anchor  // not yet used up; the first one ends what has been emitted
	begun   bool      // the points at Start are out
	emitted []point   // by domain: the last one
	pending []point
	books   Books
}

// anchor is a reading of all domains.
type anchor struct {
	t       int64
	joules  []float64 // since Start
	counts  []uint64  // of the groups' counters by domain; nil without groups
	width   int64     // ns from before the reading of the source until after that of the groups
	dropped bool      // some counter could not be followed up to here
	failed  []error   // by domain, of those whose counter could not be read; see Moment
	final   bool
}

// missed tells whether the anchor says nothing of a domain.
func (a anchor) missed(domain int) bool { return a.failed != nil && a.failed[domain] != nil }

// Books say what became of the readings.
type Books struct {
	Stamps     int    // points stamped by the kernel
	Polls      int    // readings of the source
	ZeroDeltas int    // readings and stamps without growth, joined with the next one
	Dropped    int    // times that a domain's counter could not be followed, see Moment
	Discarded  int    // stamps of a domain that were not used
	Switched   string // why stamps are not used, or not any more; "" if they are
}

// NewRecorder records src with a point about every interval (0: DefaultInterval).
// The source remains the caller's to close.
func NewRecorder(src Source, interval time.Duration) *Recorder {
	if interval <= 0 {
		interval = DefaultInterval
	}
	domains := src.Info().Domains
	return &Recorder{
		src: src, interval: interval, domains: domains,
		clock:   func() (int64, error) { return clock(unix.CLOCK_MONOTONIC) },
		trusted: math.MaxInt64,
		stamps:  make([][]stamp, len(domains)),
		stamped: make([]int64, len(domains)),
		owed:    make([]float64, len(domains)),
		base:    make([]float64, len(domains)),
		emitted: make([]point, len(domains)),
	}
}

// NewCountRecorder records counts, as NewRecorder does joules: wherever this package says joules it
// is counts. They are polled, since a second set of counters might not fit on the PMU, and a
// point without growth is kept: a count has no lag, so nothing happened in that time.
func NewCountRecorder(src *Counts, interval time.Duration) *Recorder {
	r := NewRecorder(src, interval)
	r.rests = true
	return r
}

// Start takes the first anchor, from which the joules are counted, and starts
// the stamps. All domains must be readable.
func (r *Recorder) Start() error {
	for _, leader := range r.leaders {
		if err := leader.EnableGroup(); err != nil {
			r.distrust(0, fmt.Sprintf("the kernel did not start the stamps on CPU %d: %v", leader.CPU, err))
			break
		}
	}
	if err := r.anchor(false); err != nil {
		return err
	}
	r.started = true
	return nil
}

// Every is how often Poll is to be called from now on.
func (r *Recorder) Every() time.Duration {
	if r.stamping() {
		return max(anchorEvery, r.interval)
	}
	return r.interval
}

// Poll takes an anchor. After an error the next anchor ends the longer stretch.
func (r *Recorder) Poll() error { return r.anchor(false) }

// Stop takes the last anchor and ends the stamps. Those that the rings still hold
// may follow; then Take(math.MaxInt64, f) gives the rest of the series.
func (r *Recorder) Stop() error {
	err := r.anchor(true)
	if err != nil && len(r.anchors) > 0 {
		r.anchors[len(r.anchors)-1].final = true
	}
	return errors.Join(err, r.closeGroups())
}

// Books may be asked at any time.
func (r *Recorder) Books() Books { return r.books }

func (r *Recorder) stamping() bool { return len(r.groups) > 0 && r.books.Switched == "" }

// anchorTries is how often an anchor is read at most.
const anchorTries = 4

// narrower is the share of an anchor's width that makes another try worth it.
const narrower = 0.75

// anchor takes one. What passes between the reading of the source and that of the
// groups is missing in all stamps up to the next anchor, so it is read again if
// the reader was interrupted, and the narrowest is kept.
func (r *Recorder) anchor(final bool) error {
	a, dropped, err := r.readAnchor()
	if err != nil {
		return err
	}
	behind := 0 // dropped by readings after the one that is kept
	for try := 1; r.stamping() && a.width > toleratedLag.Nanoseconds() && try < anchorTries; try++ {
		again, more, err := r.readAnchor()
		if err != nil {
			break // there is a good one; the next anchor tells whether this lasts
		}
		behind += more
		if again.counts == nil || again.width >= a.width {
			break
		}
		enough := float64(again.width) > narrower*float64(a.width)
		a, dropped, behind = again, dropped+behind, 0
		if enough {
			break
		}
	}
	if !r.started {
		if err := (Moment{Failed: a.failed}).failed(r.domains); err != nil {
			return fmt.Errorf("energy source %s: %w", r.src.Info().Name, err)
		}
		copy(r.base, a.joules)
	} else {
		r.books.Dropped += dropped + behind
	}
	a.dropped, a.final = dropped > 0 || r.late, final
	r.late = behind > 0
	r.books.Polls++
	last := len(r.anchors) - 1
	for i := range a.joules {
		a.joules[i] -= r.base[i]
		if last >= 0 {
			a.joules[i] = max(a.joules[i], r.anchors[last].joules[i])
		}
	}
	if last >= 0 {
		a.t = max(a.t, r.anchors[last].t+1)
	}
	r.anchors = append(r.anchors, a)
	return nil
}

// readAnchor reads the source, then the counters in the groups. The joules of the
// anchor are the source's. It returns how many domains could not be followed, see
// Moment.
func (r *Recorder) readAnchor() (a anchor, dropped int, err error) {
	a.joules = make([]float64, len(r.domains))
	moment, err := r.src.Read(a.joules)
	if err != nil {
		return a, 0, err
	}
	a.failed = moment.Failed
	a.width = moment.After - moment.Before
	a.t = moment.Before + a.width/2
	if r.stamping() {
		if err := r.readGroups(&a, moment); err != nil {
			r.distrust(a.t, fmt.Sprintf("the counters beside the stamps cannot be read: %v", err))
		}
	}
	return a, moment.Dropped, nil
}

// distrust gives up the stamps: those of the stretch that t lies in, and all later ones.
func (r *Recorder) distrust(t int64, why string) {
	r.trusted = min(r.trusted, t)
	if r.books.Switched != "" {
		return
	}
	r.books.Switched = why
	for _, leader := range r.leaders {
		// An error here leaves a timer running, whose samples Stamp ignores.
		_ = leader.DisableGroup()
	}
}
