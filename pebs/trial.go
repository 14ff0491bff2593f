package pebs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// question is an event that the kernel is asked for.
type question struct {
	attr     perfring.Attr
	aux      *perfring.Attr // of the event that leads its group; nil without
	pid, cpu int
}

// opener asks the kernel. The error is what it answered, an *perfring.OpenError.
type opener func(question) error

// ask opens the event, disabled, and closes it at once: nothing less tells.
func ask(q question) error {
	var leader *perfring.Event
	if q.aux != nil {
		var err error
		if leader, err = perfring.Open(q.aux, q.pid, q.cpu, nil); err != nil {
			return err
		}
		defer leader.Close()
	}
	e, err := perfring.Open(&q.attr, q.pid, q.cpu, leader)
	if err != nil {
		return err
	}
	return e.Close()
}

// trial is what is known while events are tried.
type trial struct {
	fs        pmu.FS
	sys, proc string // roots
	opt       Options
	ask       opener
	online    []int

	// denied is the kernel's answer to this user's first event that would have sampled the
	// kernel, too: from then on the kernel is left out.
	denied error
}

func (m Machine) newTrial(opt Options, ask opener) (*trial, error) {
	if opt.UserOnly && opt.KernelOnly {
		return nil, errors.New("samples in user space alone and in the kernel alone leave nothing")
	}
	if opt.Period > 0 && opt.Frequency > 0 {
		return nil, errors.New("samples have a period or a frequency, not both")
	}
	if m.Sys == "" {
		m.Sys = "/sys"
	}
	if m.Proc == "" {
		m.Proc = "/proc"
	}
	t := &trial{fs: pmu.NewFS(m.Sys, m.Proc), sys: m.Sys, proc: m.Proc, opt: opt, ask: ask}
	var err error
	if t.online, err = t.fs.OnlineCPUs(); err != nil {
		return nil, err
	}
	return t, nil
}

// settle finds the highest precise level at which the kernel takes the candidate, and then which
// of the fields that are not indispensable it takes with it.
func (t *trial) settle(c candidate) (Sampler, *Reason) {
	refused := slices.Clip(c.lacking)
	var last error
	for _, level := range c.levels {
		s, err := t.atLevel(&c, level)
		if err == nil {
			t.extend(&s)
			if s.Kind.Sampled() && level == 0 && !strings.HasPrefix(c.pmu.Name, "ibs_") {
				refused = append(refused, Refusal{What: "addresses", Why: "Intel's processors tell them with precise samples alone"})
			}
			s.Refused = append(refused, s.Refused...)
			return s, nil
		}
		if parse := (*pmu.EventError)(nil); errors.As(err, &parse) {
			return Sampler{}, &Reason{PMU: c.name, Why: parse.Error(), Err: parse, Refused: refused}
		}
		last = err
		refused = append(refused, Refusal{What: fmt.Sprintf("precise_ip %d", level), Why: t.why(&c, level, err), Err: err})
		if !ofLevel(err) {
			break
		}
	}
	if c.wholeCPUs {
		last = fmt.Errorf("%w: %w", ErrWholeCPUs, last)
	}
	return Sampler{}, &Reason{PMU: c.name, Why: refused[len(refused)-1].answer(), Err: last, Refused: refused}
}

// atLevel tries one precise level, with no more of a sample than is indispensable.
func (t *trial) atLevel(c *candidate, level uint8) (Sampler, error) {
	s := Sampler{PMU: c.pmu.Name, Kind: c.kind, Precise: level, AuxSpec: c.aux, Format: c.kind.base()}
	before := t.denied
	for {
		s.Spec = c.spec(level, t.opt.UserOnly || t.opt.KernelOnly || t.denied != nil)
		cpus, err := t.open(s.Spec, s.AuxSpec, s.Format)
		switch {
		case err == nil:
			s.CPUs = cpus
			if s.UserOnly = t.denied != nil; s.UserOnly {
				s.Refused = append(s.Refused, Refusal{What: "samples in the kernel", Why: "this user may not sample the kernel", Err: t.denied})
			}
			return s, nil
		case errors.Is(err, unix.ENODATA) && s.AuxSpec == "" && hasEvent(c.pmu, auxAlias):
			// Written by hand, and mem-loads in all but the name.
			s.AuxSpec = c.pmu.Name + "/" + auxAlias + "/"
		case denied(err) && t.denied == nil && !t.opt.AllCPUs && !t.opt.UserOnly && !t.opt.KernelOnly:
			t.denied = err
		default:
			t.denied = before // leaving the kernel out did not help
			return Sampler{}, err
		}
	}
}

// extend adds those of the other fields that the kernel takes. What decides on them is
// the same for every event, but it takes no longer to ask.
func (t *trial) extend(s *Sampler) {
	add := func(field perfring.SampleFormat, what, since string) bool {
		_, err := t.open(s.Spec, s.AuxSpec, s.Format|field)
		if err == nil {
			s.Format |= field
			return true
		}
		why := explain(err)
		switch {
		case errors.Is(err, unix.EINVAL):
			why = "this kernel does not tell them, as Linux does from " + since + " on"
		case denied(err) && field == perfring.SamplePhysAddr:
			why = "this user may not see physical addresses"
		}
		s.Refused = append(s.Refused, Refusal{What: what, Why: why, Err: err})
		return false
	}
	if s.Kind.Sampled() && !add(perfring.SampleWeightStruct, "the three parts of the weight", "5.12") {
		add(perfring.SampleWeight, "the weight", "3.10")
	}
	if t.opt.Physical && s.Kind != Fetches {
		add(perfring.SamplePhysAddr, "physical addresses", "4.14")
	}
	if t.opt.PageSizes {
		if s.Kind != Fetches {
			add(perfring.SampleDataPageSize, "sizes of pages of data", "5.11")
		}
		add(perfring.SampleCodePageSize, "sizes of pages of code", "5.11")
	}
}

// open asks for an event as a recording opens it: of a thread on a CPU, inherited, with a
// callchain and times of CLOCK_MONOTONIC, or of all that runs on a CPU. It returns the CPUs that the
// event is for. An error that is no answer of the kernel is a *pmu.EventError.
func (t *trial) open(spec, aux string, format perfring.SampleFormat) ([]int, error) {
	ev, err := t.fs.Parse(spec)
	if err != nil {
		return nil, err
	}
	q := question{attr: t.attr(&ev), pid: 0, cpu: t.online[0]}
	if t.opt.AllCPUs {
		q.pid = -1
	}
	for _, cpu := range ev.CPUs {
		if slices.Contains(t.online, cpu) {
			q.cpu = cpu
			break
		}
	}
	a := &q.attr
	a.SampleFormat |= format
	frequency := t.opt.Frequency
	if a.Sample = t.opt.Period; ev.Period > 0 || ev.Frequency > 0 {
		a.Sample, frequency = ev.Period, ev.Frequency
	}
	if a.Sample == 0 {
		a.Flags |= perfring.FlagFreq
		// The greatest frequency is the operator's to set. One a second passes everywhere.
		a.Sample = max(frequency, 1)
	}
	if aux != "" {
		leader, err := t.fs.Parse(aux)
		if err != nil {
			return nil, err
		}
		const ofLeader = perfring.FlagDisabled | perfring.FlagPinned | perfring.FlagExclusive
		l := t.attr(&leader)
		l.SampleFormat &= perfring.SampleIdentifier | perfring.SampleTID | perfring.SampleTime | perfring.SampleCPU
		l.Flags |= a.Flags & ofLeader
		a.Flags &^= ofLeader
		q.aux = &l
	}
	return ev.CPUs, t.ask(q)
}

// attr is the attributes that a recording gives any event.
func (t *trial) attr(ev *pmu.Event) perfring.Attr {
	a := perfring.Attr{
		Type: ev.Type, Config: ev.Config, Config1: ev.Config1, Config2: ev.Config2, Config3: ev.Config3, Config4: ev.Config4,
		BPType: ev.BPType, PreciseIP: ev.Precise,
		SampleFormat: perfring.SampleIdentifier | perfring.SampleIP | perfring.SampleTID | perfring.SampleTime |
			perfring.SampleCPU | perfring.SamplePeriod | perfring.SampleCallchain,
		ReadFormat: perfring.ReadTotalTimeEnabled | perfring.ReadTotalTimeRunning | perfring.ReadID,
		Flags:      perfring.FlagDisabled | perfring.FlagSampleIDAll | perfring.FlagUseClockID | perfring.Flags(ev.Flags()),
		ClockID:    unix.CLOCK_MONOTONIC,
	}
	if !t.opt.AllCPUs {
		a.Flags |= perfring.FlagInherit
	}
	if t.opt.UserOnly {
		a.Flags |= perfring.FlagExcludeKernel
	}
	if t.opt.KernelOnly {
		a.Flags |= perfring.FlagExcludeUser
	}
	if t.denied != nil {
		a.Flags |= perfring.FlagExcludeKernel | perfring.FlagExcludeHV
	}
	if a.Flags&perfring.FlagExcludeKernel != 0 {
		a.Flags |= perfring.FlagExcludeCallchainKernel
	}
	return a
}

func denied(err error) bool { return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) }
