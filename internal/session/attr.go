package session

import (
	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/perfring"
)

// sideband is the flags of the one event per CPU and thread that tells about
// processes: fork, exec, comm, mmap and exit.
const sideband = perfring.FlagMmap | perfring.FlagMmap2 | perfring.FlagComm | perfring.FlagCommExec | perfring.FlagTask

// sidebandEvent is the index of the event that carries only the sideband. It
// exists while a delay keeps the sampling events off.
const sidebandEvent = -1

// sampleFormat is what all samples have.
const sampleFormat = perfring.SampleIdentifier | perfring.SampleIP | perfring.SampleTID |
	perfring.SampleTime | perfring.SampleCPU | perfring.SamplePeriod

// attr builds the attributes of event index for pid (-1 for every process).
func (r *recording) attr(index, pid int) perfring.Attr {
	a := perfring.Attr{
		SampleFormat: sampleFormat,
		ReadFormat:   perfring.ReadTotalTimeEnabled | perfring.ReadTotalTimeRunning | perfring.ReadID,
		Flags:        r.flags(index, pid) | perfring.FlagWatermark,
		ClockID:      unix.CLOCK_MONOTONIC,
		Wakeup:       r.opt.watermark(),
	}
	if r.features.readLost {
		a.ReadFormat |= perfring.ReadLost
	}
	if index == sidebandEvent {
		a.Type = unix.PERF_TYPE_SOFTWARE
		a.Config = unix.PERF_COUNT_SW_DUMMY
		a.Sample = 1
	} else {
		e := r.opt.Events[index]
		a.Type, a.Config, a.Config1, a.Config2, a.Config3, a.Config4 = e.Type, e.Config, e.Config1, e.Config2, e.Config3, e.Config4
		a.BPType, a.PreciseIP = e.BPType, e.Precise
		a.Sample = e.Period
		if e.Period == 0 {
			a.Sample = e.Frequency
			a.Flags |= perfring.FlagFreq
		}
		a.SampleFormat |= e.SampleFormat
		r.opt.stacks(&a, e)
		a.Flags |= perfring.Flags(e.Flags())
		if e.Leader != nil {
			a.Flags &^= ofLeader
		}
	}
	if a.SampleFormat&perfring.SampleCallchain != 0 && a.Flags&perfring.FlagExcludeKernel != 0 {
		// Newer kernels (seen on Debian's 6.12.117) want the right to sample the
		// kernel for a callchain that could lead into it, even of user code.
		a.Flags |= perfring.FlagExcludeCallchainKernel
	}
	if index == r.sidebandIndex() {
		a.Flags |= sideband
		if r.features.buildID {
			a.Flags |= perfring.FlagBuildID
		}
	}
	return a
}

// flags are those that an event and the leader of its group have in common.
func (r *recording) flags(index, pid int) perfring.Flags {
	f := perfring.FlagDisabled | perfring.FlagSampleIDAll | perfring.FlagUseClockID
	if pid >= 0 {
		// An inherited event with cpu = -1 cannot be mapped, hence one per CPU.
		f |= perfring.FlagInherit
	}
	if index != sidebandEvent && r.opt.ExcludeUser {
		f |= perfring.FlagExcludeUser
	}
	if index != sidebandEvent && r.opt.ExcludeKernel {
		f |= perfring.FlagExcludeKernel
	}
	if r.features.userOnly {
		f |= perfring.FlagExcludeKernel | perfring.FlagExcludeHV
	}
	// With a delay the sampling events wait for it; the sideband never does.
	if r.command != nil && (r.opt.Delay == 0 || index == sidebandEvent) {
		f |= perfring.FlagEnableOnExec
	}
	return f
}

// sidebandIndex is the event that carries the sideband: the clock, except that
// with a delay an event that counts nothing carries it from the start.
func (r *recording) sidebandIndex() int {
	if r.opt.Delay > 0 {
		return sidebandEvent
	}
	return 0
}
