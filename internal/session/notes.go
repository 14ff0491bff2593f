package session

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

// unsampled is a difference worth a note: less is in the nature of sampling.
const unsampled = 10 * time.Millisecond

// noteMissed says how much of the target's time has no samples.
func (r *recording) noteMissed() {
	var given, accounted int64
	for _, ns := range r.missed.reported {
		given += ns
	}
	for _, ns := range r.missed.accounted {
		accounted += ns
	}
	ran := max(r.result.Ran, time.Duration(r.missed.known))
	unseen := ran - time.Duration(accounted)
	if r.systemWide() || unseen < ran/finalShare || unseen < unsampled {
		return
	}
	total, missing, lost := ran.Seconds(), unseen.Seconds(), time.Duration(given).Seconds()
	switch {
	case r.partial():
		r.note(NoteExcluded, "%.3f s of %.3f s of CPU time were spent where samples were excluded (kernel or user code): [lost] carries %.3f s of them", missing, total, lost)
	case r.suspicious():
		r.note(NoteMissed, "the clock could not keep pace: of %.3f s of CPU time %.3f s have no samples, of which [lost] carries %.3f s", total, missing, lost)
	default:
		r.note(NoteCoarse, "processes and threads ended, or the recording did, before their next sample: of %.3f s of CPU time %.3f s have no samples, of which [lost] carries %.3f s", total, missing, lost)
	}
}

// noteNothing says why there is no sample: an empty profile must not look like
// a target that used nothing.
func (r *recording) noteNothing() {
	if len(r.missed.accounted) > 0 {
		return
	}
	what := "samples"
	for i := range r.account.events {
		if r.account.events[i].Samples > 0 {
			what = "samples of " + r.opt.Events[0].Name + ", from which time comes" // of others there are
		}
	}
	target := "the processes"
	if r.command != nil {
		target = "the command"
	}
	switch {
	case !r.sampling:
		r.note(NoteNothing, "there are no %s: %s ended, or the recording did, within the delay of %v", what, target, r.opt.Delay)
	case r.systemWide():
		r.note(NoteNothing, "there are no %s: %s did not run, or for too short a time", what, target)
	default:
		r.note(NoteNothing, "there are no %s: by the kernel's account %s ran for %v, and a sample stands for %v", what, target, r.result.Ran.Round(time.Microsecond), time.Duration(r.missed.period))
	}
}

// noteTracepoints says why tracepoints have no samples that would have some: all but those of uprobes are in the kernel,
// and an event that leaves that out sees none (perf_exclude_event in kernel/events/core.c).
func (r *recording) noteTracepoints() {
	for i, e := range r.opt.Events {
		if e.Type != unix.PERF_TYPE_TRACEPOINT || r.account.events[i].Samples > 0 || r.attr(i, 0).Flags&perfring.FlagExcludeKernel == 0 {
			continue
		}
		r.note(NoteExcluded, "%s has no samples: tracepoints of the kernel have none where the kernel is left out (--user, the modifier u, or the rights of this user)", e.Name)
	}
}

// noteIdentity says that the kernel stopped following a command: it does so
// where a program changes its user or gains rights that we do not have
// (perf_event_exit_task in begin_new_exec), without any record.
func (r *recording) noteIdentity(used time.Duration) {
	whole := r.opt.Delay == 0 && r.opt.Duration == 0
	ran := max(r.result.Ran, time.Duration(r.missed.known)) // the scheduler's account sees tasks to their end
	if unseen := used - ran; whole && unseen > 10*unsampled && unseen > used/10 {
		r.note(NoteIdentity, "the command and its children used %.3f s of CPU time, and the kernel let us follow %.3f s of it: not where a program changes its user or gains rights (setuid, sudo)", used.Seconds(), ran.Seconds())
	}
}

// reap takes the exit code of a command that ends within grace.
func (r *recording) reap(grace time.Duration) {
	r.result.pending = r.command
	if !r.command.Ended(grace) {
		return
	}
	if err := r.result.Wait(); err != nil {
		r.note(NoteEnded, "%v", err)
		return
	}
	r.noteIdentity(r.result.used)
}
