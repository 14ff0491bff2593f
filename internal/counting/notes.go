package counting

import (
	"fmt"
	"slices"
	"time"

	"github.com/energyprof/energyprof/internal/pmu"
)

func (r *Result) note(kind NoteKind, format string, args ...any) {
	n := Note{kind, fmt.Sprintf(format, args...)}
	if !slices.Contains(r.Notes, n) {
		r.Notes = append(r.Notes, n)
	}
}

// online is the CPUs that run, if all of them are to be counted on.
func (r *repetition) online() []int {
	if !r.opt.All || r.opt.CPUs != nil {
		return nil
	}
	cpus, _ := pmu.NewFS("", r.opt.Proc).OnlineCPUs() // opening the counters has told what is wrong
	return cpus
}

// noteHotplug says that CPUs came or went while all of them were to be counted on.
func (r *repetition) noteHotplug() {
	if now := r.online(); !slices.Equal(now, r.cpus) {
		r.result.note(NoteCounters, "CPUs came online or went offline (%s, and %s at the end): what happened on those that were not there from beginning to end is missing",
			pmu.FormatCPUList(r.cpus), pmu.FormatCPUList(now))
	}
}

// unfollowed is CPU time that a command may have used before noteIdentity wonders.
const unfollowed = 20 * time.Millisecond

// noteIdentity says that the kernel stopped following a command: it does so where a
// program changes its user or gains rights that we do not have (perf_event_exit_task in
// begin_new_exec). The time that a task's counter was enabled is the task's CPU time.
func (c *count) noteIdentity(run *Run) {
	if c.opt.Delay > 0 || c.opt.Duration > 0 || c.opt.NoInherit || c.opt.All || len(c.opt.PIDs) > 0 {
		return
	}
	used, followed, tasks := run.User+run.System, time.Duration(0), false
	for i, c := range run.Counters {
		if c.Thread >= 0 && c.Err == nil {
			tasks = true
			followed = max(followed, time.Duration(run.Counts[i].Enabled))
		}
	}
	if unseen := used - followed; tasks && unseen > unfollowed && unseen > used/10 {
		c.result.note(NoteIdentity, "the command and its children used %.3f s of CPU time, and the kernel let us follow %.3f s of it: not where a program changes its user or gains rights (setuid, sudo)", used.Seconds(), followed.Seconds())
	}
}
