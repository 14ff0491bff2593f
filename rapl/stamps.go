package rapl

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

// group is a clock that samples on one CPU, and the energy counters whose values
// the kernel puts into its samples.
type group struct {
	cpu     int
	members []member
	// counts is the leader's ReadGroupCount.
	counts func(dst []perfring.Count) ([]perfring.Count, error)
}

// member is one counter of a group.
type member struct {
	id     uint64 // of the event
	domain int
	scale  float64 // joules per count
}

// stamp is the value of a domain's counter in a sample.
type stamp struct {
	t     int64
	count uint64
	scale float64
}

// OpenStamps asks the kernel for stamps. output gives the event whose ring takes
// the samples of a CPU (PERF_EVENT_IOC_SET_OUTPUT); that event must be on the
// same CPU and clock, CLOCK_MONOTONIC, and its ring mapped. An error, such as of a
// source that is not on perf events, leaves the recorder polling, and is the
// reason in Books.
func (r *Recorder) OpenStamps(output func(cpu int) *perfring.Event) error {
	err := r.openGroups(output)
	if err != nil {
		err = errors.Join(err, r.closeGroups())
		r.groups, r.leaders, r.members = nil, nil, nil
		r.books.Switched = err.Error()
	}
	return err
}

func (r *Recorder) openGroups(output func(cpu int) *perfring.Event) error {
	src, ok := r.src.(interface{ Counters() []Counter })
	if !ok || len(src.Counters()) == 0 {
		return fmt.Errorf("the energy source %s is not on perf events: the kernel cannot stamp it", r.src.Info().Name)
	}
	r.groups = map[uint64]*group{}
	leaders := map[int]*perfring.Event{} // by CPU
	for _, c := range src.Counters() {
		leader := leaders[c.CPU]
		if leader == nil {
			var err error
			if leader, err = openLeader(c.CPU, r.interval, output(c.CPU)); err != nil {
				return fmt.Errorf("stamps on CPU %d: %w", c.CPU, err)
			}
			leaders[c.CPU] = leader
			r.leaders = append(r.leaders, leader)
			r.groups[leader.ID] = &group{cpu: c.CPU, counts: leader.ReadGroupCount}
		}
		ev, err := openMember(c, leader)
		if err != nil {
			return fmt.Errorf("stamps of %s: %w", r.domains[c.Domain], err)
		}
		r.members = append(r.members, ev)
		g := r.groups[leader.ID]
		g.members = append(g.members, member{id: ev.ID, domain: c.Domain, scale: c.JoulesPerCount})
	}
	return nil
}

// openLeader opens the clock that leads a group. It must be an event of its own:
// when the kernel throttles a leader, it stops the counters with it, so it
// samples no faster than points are wanted, which is far from any limit.
func openLeader(cpu int, interval time.Duration, output *perfring.Event) (*perfring.Event, error) {
	if output == nil {
		return nil, errors.New("there is no ring for them")
	}
	leader, err := perfring.Open(&perfring.Attr{
		Type:         unix.PERF_TYPE_SOFTWARE,
		Config:       unix.PERF_COUNT_SW_CPU_CLOCK,
		Sample:       uint64(interval.Nanoseconds()), // the period of a clock
		SampleFormat: perfring.SampleIdentifier | perfring.SampleTID | perfring.SampleTime | perfring.SampleCPU | perfring.SampleRead,
		ReadFormat:   perfring.ReadGroup | perfring.ReadID,
		Flags:        perfring.FlagDisabled | perfring.FlagSampleIDAll | perfring.FlagUseClockID,
		ClockID:      unix.CLOCK_MONOTONIC,
	}, -1, cpu, nil)
	if err != nil {
		return nil, err
	}
	if err := leader.SetOutput(output); err != nil {
		return nil, errors.Join(err, leader.Close())
	}
	return leader, nil
}

// openMember opens a counter in the group. All members must have the leader's
// clock (perf_event_open answers EINVAL otherwise).
func openMember(c Counter, leader *perfring.Event) (*perfring.Event, error) {
	a := c.Attr
	a.Flags &^= perfring.FlagPinned | perfring.FlagExclusive // only a leader may be
	a.Flags |= perfring.FlagUseClockID
	a.ClockID = unix.CLOCK_MONOTONIC
	a.ReadFormat = perfring.ReadGroup | perfring.ReadID
	return perfring.Open(&a, -1, c.CPU, leader)
}

// StampEvents are the events whose samples Stamp takes. A decoder of the rings
// must know them.
func (r *Recorder) StampEvents() []*perfring.Event { return r.leaders }

// closeGroups closes the leaders first: a group that has lost a member would go on
// to write samples without it.
func (r *Recorder) closeGroups() error {
	var errs []error
	for _, ev := range slices.Concat(r.leaders, r.members) {
		errs = append(errs, ev.Close())
	}
	return errors.Join(errs...)
}

// readGroups reads the counters in the groups right after those of the source.
func (r *Recorder) readGroups(a *anchor, moment Moment) error {
	counts := make([]uint64, len(r.domains))
	var all []perfring.Count
	for _, g := range r.groups {
		var err error
		if all, err = g.counts(all[:0]); err != nil {
			return err
		}
		for _, m := range g.members {
			value, ok := valueOf(all, m.id)
			if !ok {
				return fmt.Errorf("the group on CPU %d does not hold event %d", g.cpu, m.id)
			}
			counts[m.domain] = value
		}
	}
	after, err := r.clock()
	if err != nil {
		return err
	}
	a.counts, a.width = counts, after-moment.Before
	return nil
}

func valueOf(counts []perfring.Count, id uint64) (uint64, bool) {
	for _, c := range counts {
		if c.ID == id {
			return c.Value, true
		}
	}
	return 0, false
}

// Stamp takes a sample of one of StampEvents, in time order. Samples of other
// events are ignored.
func (r *Recorder) Stamp(s *perfring.Sample) {
	g := r.groups[s.ID]
	if g == nil {
		return
	}
	t := int64(s.Time)
	if t >= r.trusted {
		r.books.Discarded += len(g.members)
		return
	}
	for _, m := range g.members {
		found := false
		for _, v := range s.Read {
			if v.ID == m.id {
				r.stamps[m.domain] = append(r.stamps[m.domain], stamp{t: t, count: v.Value, scale: m.scale})
				found = true
				break
			}
		}
		if !found {
			r.distrust(t, fmt.Sprintf("a stamp on CPU %d lacks the counter of %s", g.cpu, r.domains[m.domain]))
			return
		}
	}
}

// Throttled takes a THROTTLE record of an event at time t. If it is one of
// StampEvents, the kernel stopped the group for a while.
func (r *Recorder) Throttled(id uint64, t int64) {
	if g := r.groups[id]; g != nil {
		r.distrust(t, fmt.Sprintf("the kernel throttled the stamps on CPU %d, which stops their counters", g.cpu))
	}
}
