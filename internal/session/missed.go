package session

import (
	"time"

	"github.com/energyprof/energyprof/perfring"
)

// missed finds the CPU time that the clock event did not sample although it
// was the target's: while the event was throttled, or when its timer could not
// keep pace. No record says how much it was.
//
// Of a task's events the kernel knows it: the time for which the event was
// scheduled (time_running) less what its samples and LOST records stand for.
// A CPU's event is always scheduled, idle or not, so there only the stretches
// from THROTTLE to UNTHROTTLE tell.
type missed struct {
	throttled map[int]int64 // by CPU, system-wide: since when the clock is throttled
	stale     bool          // throttled since the last look at the counters
	accounted map[int]int64 // by CPU: ns of samples and losses delivered so far
	reported  map[int]int64 // by CPU: ns given to the sink so far
	period    int64         // ns of the last clock sample
}

// A timer of more than this many samples per second may fall behind without
// being throttled, so its counters are looked at every tick.
const hastyFrequency = 10_000

// leastMissed is a difference that sampling itself does not explain, in samples.
const leastMissed = 4

func newMissed() missed {
	return missed{throttled: map[int]int64{}, accounted: map[int]int64{}, reported: map[int]int64{}}
}

// count keeps the account of one record of the clock.
func (m *missed) count(r *recording, rec perfring.Record, cpu int) {
	switch rec := rec.(type) {
	case *perfring.Sample:
		m.period = int64(rec.Period)
		m.accounted[cpu] += m.period
	case *perfring.Lost:
		m.accounted[cpu] += int64(rec.Lost) * m.period
	case *perfring.Throttle:
		m.stale = true
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

// look compares the kernel's account with ours, if something gives reason to.
// ran is what the clock events had run, by CPU, when the window (from, to]
// ended, whose records have been delivered.
func (m *missed) look(r *recording, ran map[int]int64, from, to int64) {
	for cpu, ns := range ran {
		rest := ns - m.accounted[cpu] - m.reported[cpu]
		if rest <= leastMissed*m.period || to <= from {
			continue
		}
		m.reported[cpu] += rest
		r.sink.Missed(cpu, from, to, rest)
	}
}

// ranNow reads for how long the clock events have been scheduled, by CPU.
func (r *recording) ranNow() map[int]int64 {
	ran := make(map[int]int64)
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

// watchful tells whether the counters must be looked at in this tick.
func (r *recording) watchful() bool {
	if r.systemWide() {
		return false
	}
	e := r.opt.Events[0]
	return r.missed.stale || r.partial() || e.Frequency > hastyFrequency || e.Period > 0 && e.Period < uint64(time.Second)/hastyFrequency
}

// noteMissed says how much of the target's time has no samples.
func (r *recording) noteMissed() {
	var given, accounted int64
	for _, ns := range r.missed.reported {
		given += ns
	}
	for _, ns := range r.missed.accounted {
		accounted += ns
	}
	ran := r.result.Ran
	unseen := ran - time.Duration(accounted)
	if r.systemWide() || unseen < ran/100 || unseen < 10*time.Millisecond {
		return
	}
	if r.partial() {
		r.note(NoteExcluded, "%.3f s of %.3f s of CPU time were spent where samples were excluded (kernel or user code): [lost] carries %.3f s of them", unseen.Seconds(), ran.Seconds(), time.Duration(given).Seconds())
		return
	}
	r.note(NoteMissed, "the clock could not keep pace: of %.3f s of CPU time %.3f s have no samples, of which [lost] carries %.3f s", ran.Seconds(), unseen.Seconds(), time.Duration(given).Seconds())
}
