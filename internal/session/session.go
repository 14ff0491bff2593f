package session

import (
	"math"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/bpf"
	"github.com/energyprof/energyprof/internal/launch"
	"github.com/energyprof/energyprof/internal/order"
	"github.com/energyprof/energyprof/perfring"
)

// recording is the state of one Run.
type recording struct {
	opt  Options
	sink Sink

	features features
	probed   bool // features are known

	rings     map[int]*cpuRing // by CPU
	streams   []int            // CPU of each stream of the merge
	events    []openEvent
	byID      map[uint64]identity
	shares    bool   // whether a sample can have the id of somebody else's event
	reclaimed []byte // one that had
	stampID   map[uint64]bool
	decoder   *perfring.Decoder
	merge     *order.Merge

	horizon int64         // beginning of the last drain
	ran     map[int]int64 // what the clock events had run at the horizon, if that was read
	missed  missed

	targets *targets // nil for a command and for all CPUs
	command *launch.Command
	child   atomic.Pointer[launch.Command] // the same, for the signal goroutine
	pidfds  []int
	signals *launch.Signals
	busy    busyTimes
	online  []int
	present []int

	asked      int // pages of a ring that were asked for, 0 if none were
	pace       pace
	walked     bpf.Walked // a walk that is looked at
	stackBooks stackBooks

	signalled bool     // a signal ended the recording
	polled    []polled // that are running
	sampling  bool
	books     perfring.Books
	account   account
	lostSeen  map[int]uint64 // LOST records per CPU
	result    Result
}

func monotonic() int64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// Run records until the command or the processes end, the duration is over or a
// signal asks for the end. When the recording could not begin, nothing was
// started and nothing was given to the sink. The caller closes the Result.
func Run(opt Options, sink Sink) (result *Result, err error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	online, err := opt.FS.OnlineCPUs()
	if err != nil {
		return nil, err
	}
	// The events of a task may be opened on CPUs that are offline, and work when
	// they come.
	present, err := opt.FS.PresentCPUs()
	if err != nil {
		return nil, err
	}
	asked := opt.Pages
	opt.Pages, opt.MaxPending = opt.rings(len(present), allowance(opt.Proc, len(online), mayLock()))
	opt.Events = slices.Clone(opt.Events) // CPUs may be added
	r := &recording{
		opt: opt, sink: sink, asked: asked, online: online, present: present,
		shares:   slices.ContainsFunc(opt.Events, sharesSamples),
		features: features{buildID: true, readLost: true},
		rings:    make(map[int]*cpuRing),
		byID:     make(map[uint64]identity),
		stampID:  make(map[uint64]bool),
		decoder:  perfring.NewDecoder(),
		merge:    order.New(opt.MaxPending),
		lostSeen: make(map[int]uint64),
		missed:   newMissed(opt.Events[0]),
		account:  newAccount(opt.Events),
	}
	defer r.closeAll()
	if r.signals, err = launch.Catch(r.second); err != nil {
		return nil, err
	}
	r.result.signals = r.signals
	defer func() {
		if err != nil {
			r.result.Close()
		}
	}()
	if err := r.open(); err != nil {
		if r.command != nil {
			r.command.Abandon()
		}
		return nil, err
	}
	if err := r.start(); err != nil {
		return nil, err
	}
	err = r.loop()
	r.signals.Release(r.pass)
	if err != nil {
		if r.command != nil {
			r.command.Wait() // what it was started for matters more than the profile
		}
		return nil, err
	}
	r.stop()
	return &r.result, nil
}

// stop ends the recording and delivers all that is left.
func (r *recording) stop() {
	r.result.End = monotonic()
	r.stopPolled()
	var ran map[int]int64
	if r.busy.account != nil && !r.systemWide() {
		ran = r.ranNow() // before what runs while events are being disabled
	}
	for _, e := range r.events {
		e.Disable()
	}
	r.pollBusy(monotonic(), true)
	for _, c := range r.rings {
		r.drainRing(c)
		r.addWalk(c, c.walks.heldAt)
	}
	if ran == nil && !r.systemWide() {
		ran = r.ranNow()
	}
	r.horizon, r.ran = r.result.End, ran
	r.deliver(math.MaxInt64)
	r.settleLosses()
	r.noteMissed()
	r.noteBusy()
	r.noteWalks()
	r.noteNothing()
	r.noteTracepoints()
	r.result.Books = r.books
	r.result.Events = r.booked()
	r.result.Opened = r.opened()
	r.result.Late = r.merge.Late
	if r.command != nil {
		grace := time.Duration(0)
		if r.signalled {
			grace = signalGrace
		}
		r.reap(grace)
	}
}

// second is called for the second signal, from the signal's goroutine.
func (r *recording) second(sig os.Signal) {
	r.pass(sig.(syscall.Signal))
	if r.opt.Abort != nil {
		r.opt.Abort(sig)
	}
}

// pass passes sig on to the command, unless the terminal did. It may be called
// from any goroutine.
func (r *recording) pass(sig syscall.Signal) {
	if c := r.child.Load(); c != nil {
		c.Signal(sig)
	}
}

// signal passes sig on and tells whether it ends the recording.
func (r *recording) signal(sig syscall.Signal) (end bool) {
	r.pass(sig)
	if launch.Ends(sig) {
		r.signalled = true
	}
	return launch.Ends(sig)
}

func (r *recording) closeAll() {
	r.busy.close()
	for _, e := range r.events {
		e.Close()
	}
	for _, c := range r.rings {
		c.walks.close()
		c.ring.Close()
	}
	for _, fd := range r.pidfds {
		if r.command == nil {
			unix.Close(fd)
		}
	}
}
