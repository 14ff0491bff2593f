package session

import (
	"errors"
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

var pageSize = os.Getpagesize()

// cpuRing is the ring that all events of one CPU write to.
type cpuRing struct {
	cpu    int
	stream int // its number in the time-ordering merge
	ring   *perfring.Ring
	owner  *perfring.Event // the event whose mapping it is
	hungUp bool            // poll(2) would return at once for ever
	walks  walks           // of user stacks, by a program
	last   uint64          // time of the last record, for records that carry none

	looked  uint64 // last, when followCPUs looked
	enabled uint64 // ns for which the owner was enabled, when it looked and found nothing new
}

// identity says whose event an id in a record is.
type identity struct {
	event int // index in Options.Events
	pid   int // the thread it was opened on, -1 for a CPU's
}

// nobody is whose a record is that names no event.
var nobody = identity{event: sidebandEvent, pid: -1}

func (r *recording) identity(id uint64) identity {
	if of, known := r.byID[id]; known {
		return of
	}
	return nobody
}

// openRing opens the event index for pid on cpu, with a ring for the CPU. The memory is accounted to the user, over
// all of their profilers: when the allowance is used up smaller rings are taken from there on. That is said, unless
// the ring is as large as one of ordinary samples and nobody asked for more. The event is opened again
// for a smaller ring, since it says how full that may get before the loop wakes up.
func (r *recording) openRing(index, pid, cpu int) (openEvent, *cpuRing, error) {
	want := r.asked
	if want == 0 {
		want = min(r.opt.Pages, DefaultPages)
	}
	for {
		o, err := r.openEvent(index, pid, cpu)
		if err != nil {
			return o, nil, err
		}
		pages := r.opt.Pages
		ring, err := perfring.MapRing(o.Event, pages)
		if err == nil {
			if pages < want {
				r.note(NoteSmallRing, "the ring of CPU %d has %d pages instead of %d: the user's allowance of locked memory is used up", cpu, pages, want)
			}
			r.streams = append(r.streams, cpu)
			return o, &cpuRing{cpu: cpu, stream: len(r.streams) - 1, ring: ring, owner: o.Event}, nil
		}
		o.Close()
		if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOMEM) {
			return o, nil, fmt.Errorf("mapping a ring of %d pages: %w", pages, err)
		}
		if pages == 1 {
			return o, nil, fmt.Errorf("mapping a ring of one page: %w: %w", ErrNoMemory, err)
		}
		r.opt.Pages = pages / 2
	}
}

// drain moves what all rings hold into the merge and delivers what is older
// than the beginning of the drain before this one: by now no ring can still
// hold anything of that age (see package order).
func (r *recording) drain() {
	begin := monotonic()
	var ran map[int]int64
	if r.watchful(begin) {
		ran = r.ranNow()
		r.missed.stale, r.missed.readAt = false, begin
	}
	for _, c := range r.rings {
		r.drainRing(c)
	}
	r.deliver(r.horizon)
	r.horizon, r.ran = begin, ran
}

// hurry moves records on between two ticks, and nothing else of what a tick does.
func (r *recording) hurry() {
	begin := monotonic()
	for _, c := range r.rings {
		r.drainRing(c)
	}
	r.merge.Flush(uint64(r.horizon), r.deliverOne)
	r.lookMissed(false)
	r.horizon = begin
}

// lookMissed looks at what the target had run by the horizon, once all records before it have been delivered.
func (r *recording) lookMissed(final bool) {
	if r.ran != nil {
		r.missed.look(r, r.ran, r.horizon, final)
		r.ran = nil
	}
}

// drainRing moves what one ring holds into the merge.
func (r *recording) drainRing(c *cpuRing) {
	bad, lost := c.ring.Bad, false
	c.ring.Drain(func(record []byte) {
		record = r.reclaim(c, record)
		t, ok := r.decoder.Time(record)
		if !ok {
			t = c.last
		}
		c.last = t
		r.addWalk(c, t)
		if c.walks.has(record) {
			c.walks.hold(record, t)
			r.pace.news = r.pace.news || c.walks.stuck(record, &r.walked)
			return
		}
		r.pace.news = r.pace.news || newCode(record)
		lost = lost || kindOf(record) == perfring.RecordLost
		r.add(c, t, record)
	})
	if c.walks.drained() {
		r.addWalk(c, c.walks.heldAt)
	}
	if lost {
		c.walks.read()
	}
	r.books.CountBad(c.cpu, c.ring.Bad-bad)
}

// addWalk puts a walk that is held before a record of time next.
func (r *recording) addWalk(c *cpuRing, next uint64) {
	if record, t := c.walks.take(next); len(record) > 0 {
		r.add(c, t, record)
	}
}

func (r *recording) add(c *cpuRing, t uint64, record []byte) {
	r.merge.Add(c.stream, t, record)
	if r.merge.Full() {
		r.merge.Relieve(r.deliverOne)
	}
}

// deliver hands over all records before until, then the readings of the same
// time, and moves the sink's clock.
func (r *recording) deliver(until int64) {
	u := uint64(until)
	if until == math.MaxInt64 {
		u = math.MaxUint64
	}
	r.merge.Flush(u, r.deliverOne)
	r.lookMissed(until == math.MaxInt64)
	for _, p := range r.polled {
		p.Take(until, p.point)
	}
	r.busy.deliver(until, r.sink)
	r.sink.Advance(until)
}

// deliverOne decodes one record and hands it on.
func (r *recording) deliverOne(stream int, record []byte) {
	cpu := r.streams[stream]
	if kindOf(record) == perfring.RecordLost && r.onlyWalks(cpu, record) {
		return
	}
	rec, err := r.decoder.Decode(record)
	if err != nil {
		r.books.CountBad(cpu, 1)
		return
	}
	id, keep := nobody, true
	booked := sidebandEvent // in whose books the record is
	switch rec := rec.(type) {
	case *perfring.Sample:
		if r.stampID[rec.ID] {
			r.opt.Energy.Stamp(rec)
			return
		}
		var known bool
		if id, known = r.byID[rec.ID]; !known {
			r.books.CountBad(cpu, 1)
			return
		}
		if id.event == StackEvent {
			if !r.targets.process(rec.PID) {
				r.ignore(rec)
				return
			}
			r.stackBooks.walks++
			r.sink.Record(rec, cpu, StackEvent)
			return
		}
		keep, booked = r.targets.sample(rec, id, cpu), id.event
	case *perfring.Throttle:
		if r.stampID[rec.ID] {
			r.opt.Energy.Throttled(rec.ID, int64(rec.Time))
			return
		}
		id = r.identity(rec.ID)
		booked = id.event
	case *perfring.Unthrottle:
		if r.stampID[rec.ID] {
			return
		}
		id = r.identity(rec.ID)
		booked = id.event
	case *perfring.LostSamples:
		booked = r.identity(rec.SampleID.ID).event
	case *perfring.Fork:
		keep = r.targets.fork(rec)
	case *perfring.Lost:
		r.lostSeen[cpu] += rec.Lost
	case *perfring.Comm:
		keep = r.targets.process(rec.PID)
	case *perfring.Mmap:
		keep = r.targets.process(rec.PID)
	case *perfring.Mmap2:
		keep = r.targets.process(rec.PID)
	case *perfring.Exit:
		keep = r.targets.process(rec.PID)
	}
	if !keep {
		return
	}
	if id.event <= 0 {
		r.missed.count(r, rec, cpu)
	}
	r.books.Count(rec, cpu)
	if booked >= 0 {
		r.account.events[booked].Count(rec)
		if _, sample := rec.(*perfring.Sample); sample && r.opt.Stacks.BPF != nil && r.opt.Events[booked].runsPrograms() {
			r.stackBooks.samples++
		}
	}
	if r.opt.Tap != nil {
		r.opt.Tap(record)
	}
	r.sink.Record(rec, cpu, id.event)
}
