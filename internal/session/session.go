package session

import (
	"errors"
	"fmt"
	"io/fs"
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
	reclaimed []byte // the sample that had the id of somebody else's event
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
	asked := opt.Pages
	opt.Pages, opt.MaxPending = opt.rings(len(online))
	opt.Events = slices.Clone(opt.Events) // CPUs may be added
	r := &recording{
		opt: opt, sink: sink, asked: asked, online: online,
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

// open prepares everything that can fail, before the command runs.
func (r *recording) open() error {
	// The events of a task may be opened on CPUs that are offline, and work when
	// they come.
	present, err := r.opt.FS.PresentCPUs()
	if err != nil {
		return err
	}
	r.prepareBusy()
	switch {
	case len(r.opt.Command) > 0:
		if r.command, err = launch.Start(r.opt.Command); err != nil {
			return err
		}
		r.followBusy(r.command.PID)
		r.child.Store(r.command)
		r.pidfds = []int{r.command.PIDFD}
		if err := r.openEverywhere(r.command.PID, present); err != nil {
			return err
		}
	case len(r.opt.PIDs) > 0:
		for _, pid := range r.opt.PIDs {
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				if err == unix.ESRCH || err == unix.EINVAL {
					err = ErrNoProcess
				}
				return fmt.Errorf("process %d: %w", pid, err)
			}
			r.pidfds = append(r.pidfds, fd)
		}
		r.followBusy(r.opt.PIDs...)
		if err := r.attach(r.opt.PIDs, present, r.online); err != nil {
			return err
		}
	default:
		if err := r.openEverywhere(-1, r.online); err != nil {
			return err
		}
	}
	if err := r.checkOpened(); err != nil {
		return err
	}
	return r.openEnergy()
}

// openEnergy asks the kernel to stamp energy into samples. Where it cannot, the
// recorder polls.
func (r *recording) openEnergy() error {
	if r.opt.Energy == nil {
		return nil
	}
	err := r.opt.Energy.OpenStamps(func(cpu int) *perfring.Event {
		if c := r.rings[cpu]; c != nil {
			return c.owner
		}
		return nil
	})
	if err != nil {
		return nil // the recorder's books say why
	}
	for _, e := range r.opt.Energy.StampEvents() {
		if err := r.decoder.Add(&e.Attr, e.ID); err != nil {
			return fmt.Errorf("decoding energy stamps: %w", err)
		}
		r.stampID[e.ID] = true
	}
	return nil
}

// start lets the target and the clocks run.
func (r *recording) start() error {
	r.result.Wall = time.Now()
	r.result.Start = monotonic()
	r.horizon = r.result.Start
	if r.opt.Delay == 0 {
		if err := r.beginSampling(); err != nil {
			if r.command != nil {
				r.command.Abandon()
			}
			return err
		}
	} else if r.command == nil {
		if err := r.enable(sidebandEvent); err != nil {
			return err
		}
	}
	if r.command != nil {
		return r.command.Go()
	}
	// The sideband is on: what /proc shows now and what the rings bring from
	// now on leave no gap.
	for _, pid := range r.opt.PIDs {
		err := r.sink.Existing(pid)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has just ended; the others are recorded
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// beginSampling turns on energy and the sampling events, unless the execve of
// the command does it.
func (r *recording) beginSampling() error {
	if !r.opt.All {
		// Not before: busy time without samples of the same time would all be others'.
		r.startBusy()
	}
	if err := r.startPolled(); err != nil {
		return err
	}
	r.sampling = true
	r.result.Wall = time.Now()
	r.result.Start = monotonic()
	if r.command != nil && r.opt.Delay == 0 {
		return nil
	}
	for i := range r.opt.Events {
		if err := r.enable(i); err != nil {
			return err
		}
	}
	if r.busy.account != nil {
		// What ran while events were being enabled was not to be sampled yet.
		r.missed.before, _ = r.busy.account.RanOn()
	}
	return nil
}

// enable turns on the events of one index.
func (r *recording) enable(index int) error {
	for _, e := range r.events {
		if e.index != index {
			continue
		}
		if err := e.Enable(); err != nil {
			return fmt.Errorf("enabling %s on CPU %d: %w", r.eventName(index), e.CPU, err)
		}
	}
	return nil
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
