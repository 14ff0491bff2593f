package session

import (
	"errors"

	"github.com/energyprof/energyprof/internal/bpf"
)

// busyTimes is who else ran: by the scheduler's own account, which a BPF program
// keeps, or else by /proc/stat. Either holds back what it knows until the samples
// of the same time have been delivered.
type busyTimes struct {
	account *bpf.Account // nil: /proc/stat
	why     error        // there is no account
	stat    statTimes
}

// prepareBusy loads the account, before anything is followed.
func (r *recording) prepareBusy() {
	if r.opt.All || r.opt.NoBPF {
		return
	}
	r.busy.account, r.busy.why = bpf.New()
}

// followBusy makes processes part of the target.
func (r *recording) followBusy(pids ...int) {
	if r.busy.account == nil {
		return
	}
	if err := r.busy.account.Follow(pids...); err != nil {
		r.busy.fail(err)
	}
}

// fail gives up the account.
func (b *busyTimes) fail(err error) {
	b.account.Close()
	b.account, b.why = nil, err
}

// startBusy begins the account. Without any, what others used stays unknown.
func (r *recording) startBusy() {
	b := &r.busy
	if b.account != nil {
		err := b.account.Start(r.online)
		if err == nil {
			return
		}
		b.fail(err)
	}
	if err := b.stat.start(r.opt.Proc); err != nil {
		r.note(NoteOthers, "what other processes used is unknown: %v", err)
		return
	}
	if b.why == nil || r.opt.Energy == nil && r.opt.Counters == nil {
		return
	}
	kind := NoteTicks
	if errors.Is(b.why, bpf.ErrPermission) {
		kind = NoteNoBPF
	}
	r.note(kind, "what other processes used is known in ticks of 10 ms and by the second, from /proc/stat: %v", b.why)
}

// pollBusy sees to it that what others ran is known up to the horizon or, at the
// end, altogether.
func (r *recording) pollBusy(now int64, end bool) {
	b := &r.busy
	if b.account == nil {
		b.stat.poll(now, end)
		return
	}
	var err error
	if end {
		err = b.account.Stop()
	} else {
		err = b.account.Settle(r.horizon)
	}
	if err != nil {
		r.note(NoteOthers, "what other processes used is not known completely: %v", err)
	}
}

// deliver hands over the windows that ended before until.
func (b *busyTimes) deliver(until int64, sink Sink) {
	if b.account != nil {
		b.account.Others(until, sink.Others)
		return
	}
	b.stat.deliver(until, sink)
}

// noteBusy says where the account and the samples disagree about the target.
func (r *recording) noteBusy() {
	a := r.busy.account
	if a == nil {
		return
	}
	if n := a.Overflow(); n > 0 {
		r.note(NoteOthers, "the table of the target's threads was full: %d of them count as other processes", n)
	}
	known, ran := a.Ran(), r.result.Ran
	if missing := ran.Nanoseconds() - known; !r.systemWide() && missing > int64(ran/10) && missing > int64(unsampled) {
		r.note(NoteOthers, "of %.3f s of CPU time of the target %.3f s count as other processes: not all of its threads are known", ran.Seconds(), float64(missing)/1e9)
	}
}

// closeBusy takes the account's programs out of the kernel.
func (b *busyTimes) close() {
	if b.account != nil {
		b.account.Close()
		b.account = nil
	}
}
