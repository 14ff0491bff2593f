package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/bpf"
	"github.com/energyprof/energyprof/perfring"
)

// walks is what a CPU's ring has of the program that walks user stacks (Stacks.BPF). At an overflow the kernel runs the
// program, which writes a walk, and then writes the sample:
//
//	ring  ... | walk | sample | walk | sample | LOST | ...
//
// Since Linux 6.3 a sample has its time from before the program ran (perf_prepare_sample in bpf_overflow_handler,
// kernel/events/core.c), so a walk is held until the record after it is known, and put before that in time, too.
type walks struct {
	event *perfring.Event // that walks are written to; nil without, or while the CPU is offline

	held   []byte // a walk, and its time; empty without
	heldAt uint64
	fresh  bool // it came with the drain that is under way, or with the last one

	// lost is how many walks had found no room when the ring was drained last, told how many of
	// them have been taken off LOST records, which do not say whose records they count.
	lost, told uint64
}

// The shape of a walk as a record: header, identifier, pid and tid, time, CPU, and the bytes of the program.
const (
	walkFormat = perfring.SampleIdentifier | perfring.SampleTID | perfring.SampleTime | perfring.SampleCPU | perfring.SampleRaw
	idAt       = 8
	walkTimeAt = 24
	walkRawAt  = 40
	lostAt     = 16 // the count in a LOST record
)

// openWalks opens the event that brings the walks of a CPU, and lets it write into the CPU's ring.
func (r *recording) openWalks(c *cpuRing) error {
	if r.opt.Stacks.BPF == nil {
		return nil
	}
	a := perfring.Attr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_BPF_OUTPUT,
		Sample: 1, SampleFormat: walkFormat,
		ReadFormat: perfring.ReadTotalTimeEnabled | perfring.ReadTotalTimeRunning | perfring.ReadID,
		Flags:      perfring.FlagSampleIDAll | perfring.FlagUseClockID,
		ClockID:    unix.CLOCK_MONOTONIC,
	}
	if r.features.readLost {
		a.ReadFormat |= perfring.ReadLost
	}
	// Of a task it would have to be the task of every sample: only a CPU's event counts wherever a program runs.
	e, err := perfring.Open(&a, -1, c.cpu, nil)
	if err != nil {
		if r.wentAway(c.cpu, err) {
			return nil
		}
		return &OpenError{Event: "bpf-output", PID: -1, CPU: c.cpu, Err: err}
	}
	if err = e.SetOutput(c.owner); err == nil {
		err = r.decoder.Add(&a, e.ID)
	}
	if err == nil {
		err = r.opt.Stacks.BPF.Output(c.cpu, e.FD())
	}
	if err != nil {
		e.Close()
		return &OpenError{Event: "bpf-output", PID: -1, CPU: c.cpu, Err: fmt.Errorf("sharing the ring: %w", err)}
	}
	c.walks.event, c.walks.lost, c.walks.told = e, 0, 0
	r.byID[e.ID] = identity{event: StackEvent, pid: -1}
	return nil
}

// reopenWalks opens them on a CPU that came online: the kernel has let go of what was there before.
func (r *recording) reopenWalks(cpu int) error {
	c := r.rings[cpu]
	if c == nil {
		return nil
	}
	c.walks.close()
	return r.openWalks(c)
}

// runProgram lets the program run at the overflows of an event.
func (r *recording) runProgram(o openEvent) error {
	if r.opt.Stacks.BPF == nil || o.index == sidebandEvent {
		return nil
	}
	e := r.opt.Events[o.index]
	if !e.runsPrograms() {
		r.note(NoteCopied, "%s is a tracepoint, at which the kernel does not run the program that walks stacks: its samples have copies of %d bytes of the stack", e.Name, r.opt.copies(e))
		return nil
	}
	if err := o.SetBPF(r.opt.Stacks.BPF.FD()); err != nil {
		return fmt.Errorf("running the program that walks stacks: %w", err)
	}
	return nil
}

// has tells whether a record is a walk.
func (w *walks) has(record []byte) bool {
	return w.event != nil && kindOf(record) == perfring.RecordSample && len(record) >= walkRawAt &&
		binary.NativeEndian.Uint64(record[idAt:]) == w.event.ID
}

// hold keeps a walk for the record after it.
func (w *walks) hold(record []byte, t uint64) {
	w.held, w.heldAt, w.fresh = append(w.held[:0], record...), t, true
}

// drained ends a drain. It tells whether a walk is held for longer than from one drain to the next: its sample
// was lost, and who waits longer is too late.
func (w *walks) drained() (overdue bool) {
	overdue = len(w.held) > 0 && !w.fresh
	w.fresh = false
	return overdue
}

// take gives the walk that is held, and its time: no later than that of the record after it.
func (w *walks) take(next uint64) (record []byte, t uint64) {
	record, t = w.held, w.heldAt
	w.held = w.held[:0]
	if len(record) > 0 && next < t {
		t = next
		binary.NativeEndian.PutUint64(record[walkTimeAt:], t)
	}
	return record, t
}

// stuck tells whether a walk got stuck, because something that it needs is not loaded: those bring a piece of
// the stack. A short one is not looked at.
func (w *walks) stuck(record []byte, into *bpf.Walked) bool {
	const short = 2048
	if len(record) < short {
		return false
	}
	raw := record[walkRawAt+4:]
	if size := binary.NativeEndian.Uint32(record[walkRawAt:]); uint64(size) <= uint64(len(raw)) {
		raw = raw[:size]
	}
	return bpf.DecodeWalk(raw, into) == nil && into.Stuck
}

// read learns how many walks the kernel had no room for.
func (w *walks) read() {
	if w.event == nil {
		return
	}
	if count, err := w.event.ReadCount(); err == nil {
		w.lost = count.Lost
	}
}

// takeOff takes the walks that were lost off a LOST record, in its bytes, and returns how many records are left. Without
// PERF_FORMAT_LOST (before Linux 6.0) nobody knows how many were walks; each sample has one.
func (w *walks) takeOff(record []byte, counted bool) (left uint64) {
	all := binary.NativeEndian.Uint64(record[lostAt:])
	n := all / 2
	if counted {
		n = min(all, w.lost-w.told)
	}
	w.told += n
	binary.NativeEndian.PutUint64(record[lostAt:], all-n)
	return all - n
}

// onlyWalks takes the walks that were lost off a LOST record, and tells whether it told of nothing else.
func (r *recording) onlyWalks(cpu int, record []byte) bool {
	c := r.rings[cpu]
	if c == nil || c.walks.event == nil || len(record) < lostAt+8 {
		return false
	}
	told := c.walks.told
	left := c.walks.takeOff(record, r.features.readLost)
	r.stackBooks.lost += c.walks.told - told
	return left == 0
}

// ignore tells the program to walk no stacks of a process that is none of the targets, where events are those of whole
// CPUs: nobody will ever tell it the mappings, and all its walks would bring copies of the stack.
func (r *recording) ignore(s *perfring.Sample) {
	if bpf.DecodeWalk(s.RawData, &r.walked) != nil || !r.walked.Stuck {
		return
	}
	everything := []bpf.StackMapping{{Limit: math.MaxUint64, Kind: bpf.NoTables}}
	// Where there is no room for it the copies go on, which costs time and nothing else.
	_ = r.opt.Stacks.BPF.SetSpace(r.walked.Space, everything)
}

func (w *walks) close() {
	if w.event != nil {
		w.event.Close()
		w.event = nil
	}
}

func kindOf(record []byte) perfring.RecordType {
	return perfring.RecordType(binary.NativeEndian.Uint32(record))
}

// newCode tells whether a record tells of code that is new in a process, of which the program knows nothing.
func newCode(record []byte) bool {
	switch kindOf(record) {
	case perfring.RecordMmap, perfring.RecordMmap2:
		return true
	}
	return false
}

// pace is how often the rings are drained between two ticks. The program asks for tables as it meets code, and until it gets
// them its walks bring pieces of stacks, which are large; so with it the rings are drained often while new code
// comes, and ever less often once none does.
type pace struct {
	every time.Duration
	news  bool // code came since the last time
}

// hurried is the first step of a pace.
const hurried = 5 * time.Millisecond

// next is how long it is to the next drain; tick, when there is none before the next tick.
func (p *pace) next() time.Duration {
	if p.news || p.every == 0 {
		p.every = hurried
	} else {
		p.every = min(2*p.every, tick)
	}
	p.news = false
	return p.every
}

// nextHurry is when the rings are drained before the next tick.
func (r *recording) nextHurry(now int64) int64 {
	if r.opt.Stacks.BPF == nil {
		return math.MaxInt64
	}
	return now + int64(r.pace.next())
}

// stackBooks are those of walks and of the samples that should have one.
type stackBooks struct {
	samples, walks, lost uint64
}

// noteWalks says how many samples have no walk.
func (r *recording) noteWalks() {
	b := &r.stackBooks
	const few = 10
	missing := b.samples - min(b.samples, b.walks)
	if missing < few || missing < b.samples/100 {
		return
	}
	kind, why := NoteNoStacks, "the program that walks them was not let run"
	if b.lost > missing/2 {
		kind, why = NoteLostStacks, "the rings were full"
	}
	r.note(kind, "%d of %d samples have no user stack: %s", missing, b.samples, why)
}

// noLBR makes an error of opening an event ErrNoLBR if it says that the hardware remembers no calls.
func noLBR(a *perfring.Attr, err error) error {
	if a.SampleFormat&perfring.SampleBranchStack != 0 && errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("%w: %w", ErrNoLBR, err)
	}
	return err
}
