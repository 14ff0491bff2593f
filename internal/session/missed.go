package session

import (
	"time"

	"github.com/energyprof/energyprof/perfring"
)

// missed finds the CPU time that the clock event did not sample although it
// was the target's: while the event was throttled, when its timer could not
// keep pace, or because tasks ended before their first period was over. No
// record says how much it was.
//
// What the target ran the scheduler's account knows, or else the kernel of a
// task's events: the time for which they were scheduled (time_running), without
// what a task still runs after they were taken from it at its end. Less what the
// samples and LOST records stand for it is what was missed. A CPU's event is
// always scheduled, idle or not, so there only the stretches from THROTTLE to
// UNTHROTTLE tell.
type missed struct {
	throttled map[int]int64 // by CPU, system-wide: since when the clock is throttled
	stale     bool          // throttled since the last look at the counters
	everStale bool          // throttled at any time
	readAt    int64         // when the counters were read last
	lookedTo  int64         // end of the last window that was looked at
	accounted map[int]int64 // by CPU: ns of samples and losses delivered so far
	reported  map[int]int64 // by CPU: ns given to the sink so far
	period    int64         // ns that a clock sample stands for
	known     int64         // what the target had run at the last look, on all CPUs
	alive     int64         // threads of the target, as far as records tell
	before    []int64       // by CPU: what the account has of the target from before the sampling
}

// A timer of more than this many samples per second may fall behind without
// being throttled, so its counters are looked at every tick.
const hastyFrequency = 10_000

// leastMissed is a difference that sampling itself does not explain, in samples.
const leastMissed = 4

// What is missing without a special reason counts from this share of the CPU
// time on. Each task can have run for up to a period since its last sample, so
// a look during the recording is patient by a period for each that lives, or by
// looseShare where that is less: what a later sample makes up for cannot be taken
// back. It is no more patient than that since what is missing gets its part of the
// energy only if it is told soon.
const (
	looseShare = 10
	finalShare = 100
)

// Without an account or a special reason the counters are read every lookEvery,
// and only if they are few: each costs an interrupt of the CPU on which its task
// runs.
const (
	lookEvery = int64(time.Second)
	fewEvents = 256
)

func newMissed(clock Event) missed {
	return missed{throttled: map[int]int64{}, accounted: map[int]int64{}, reported: map[int]int64{}, period: int64(clock.Nominal())}
}

// count keeps the account of one record of the clock.
func (m *missed) count(r *recording, rec perfring.Record, cpu int) {
	switch rec := rec.(type) {
	case *perfring.Fork:
		m.alive++
	case *perfring.Exit:
		m.alive = max(0, m.alive-1)
	case *perfring.Sample:
		m.period = int64(rec.Period)
		m.accounted[cpu] += m.period
	case *perfring.Lost:
		m.accounted[cpu] += int64(r.clocks(rec.Lost) * float64(m.period))
	case *perfring.Throttle:
		m.stale, m.everStale = true, true
		if _, already := m.throttled[cpu]; r.systemWide() && !already {
			m.throttled[cpu] = int64(rec.Time)
		}
	case *perfring.Unthrottle:
		if since, ok := m.throttled[cpu]; ok {
			delete(m.throttled, cpu)
			r.sink.Missed(cpu, since, int64(rec.Time), int64(rec.Time)-since)
		}
	}
}

// systemWide tells whether the events are those of whole CPUs.
func (r *recording) systemWide() bool { return r.opt.All || r.targets != nil && r.targets.everyone }

// look compares the kernel's account with ours. ran is what the target had run,
// by CPU, at the time to; all records before it have been delivered.
func (m *missed) look(r *recording, ran map[int]int64, to int64, final bool) {
	from := max(m.lookedTo, r.result.Start)
	m.lookedTo, m.known = to, 0
	for cpu, ns := range ran {
		m.known += ns
		rest := ns - m.accounted[cpu] - m.reported[cpu]
		least := leastMissed * m.period
		switch {
		case r.suspicious():
		case final:
			least = max(least, ns/finalShare)
		default:
			least += min(m.alive*m.period, ns/looseShare)
		}
		if rest <= least || to <= from {
			continue
		}
		// Reading many events here would keep the rings waiting, which loses more. What a
		// stall lost is then told twice at first; what is missed later makes up for it.
		if final || len(r.events) <= fewEvents {
			rest -= int64(r.clocks(r.untold(cpu)) * float64(m.period))
		}
		if rest <= least {
			continue
		}
		m.reported[cpu] += rest
		r.sink.Missed(cpu, from, to, rest)
	}
}

// clocks estimates how many of lost records were samples of the clock: a ring is that of
// all events, and a LOST record names none. Who takes it for CPU time has no more to go by.
func (r *recording) clocks(lost uint64) float64 {
	all := uint64(0)
	for _, b := range r.account.events {
		all += b.Samples
	}
	if all == 0 {
		return float64(lost) / float64(max(1, len(r.account.events)))
	}
	return float64(lost) * float64(r.account.events[0].Samples) / float64(all)
}

// untold is how many records of a CPU were lost that no record has told of: a
// LOST record is written only when a later record finds room, after the reader
// has been there. Kernels before 6.0 do not count them.
func (r *recording) untold(cpu int) uint64 {
	lost := r.account.lost[cpu]
	for _, e := range r.events {
		if e.CPU != cpu {
			continue
		}
		if count, err := e.ReadCount(); err == nil {
			lost += count.Lost
		}
	}
	return lost - min(lost, r.lostSeen[cpu])
}

// ranNow is what the target has run while it was sampled, by CPU: by the account,
// or else the time for which the clock events have been scheduled.
func (r *recording) ranNow() map[int]int64 {
	ran := make(map[int]int64)
	if a := r.busy.account; a != nil {
		if on, err := a.RanOn(); err == nil {
			for cpu, ns := range on {
				if cpu < len(r.missed.before) {
					ns -= r.missed.before[cpu]
				}
				ran[cpu] = ns
			}
			return ran
		}
	}
	for _, e := range r.events {
		if e.index != 0 {
			continue
		}
		if count, err := e.ReadCount(); err == nil {
			ran[e.CPU] += int64(count.Running)
		}
	}
	return ran
}

// partial tells whether part of the target's time is excluded from sampling: it
// is then not another process's, but [lost].
func (r *recording) partial() bool {
	e := r.opt.Events[0]
	return r.features.userOnly || r.opt.ExcludeUser || r.opt.ExcludeKernel || e.ExcludeUser || e.ExcludeKernel
}

// hasty tells whether the clock's timer may fall behind without being throttled.
func (r *recording) hasty() bool {
	e := r.opt.Events[0]
	return e.Frequency > hastyFrequency || e.Period > 0 && e.Period < uint64(time.Second)/hastyFrequency
}

// suspicious tells whether there is a special reason to expect missing samples.
func (r *recording) suspicious() bool { return r.missed.everStale || r.partial() || r.hasty() }

// watchful tells whether the counters must be looked at in this tick.
func (r *recording) watchful(now int64) bool {
	switch {
	case r.systemWide():
		return false
	case r.missed.stale || r.partial() || r.hasty() || r.busy.account != nil:
		return true
	case len(r.events) > fewEvents:
		return false
	case r.busy.stat.on:
		// Others are what is left of a window: what was missed in it is told with it.
		return r.busy.stat.at > r.missed.readAt
	}
	return now-r.missed.readAt >= lookEvery
}
