package main

import (
	"github.com/energyprof/energyprof/internal/perfdata"
	"github.com/energyprof/energyprof/internal/session"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report"
)

// userRegs is the mask of the registers that samples of an event bring with a copy of the stack, 0 without. Without a
// callchain of the kernel's they were not meant to have callers.
func userRegs(e *perfdata.Event) uint64 {
	const whole = perfring.SampleCallchain | perfring.SampleRegsUser | perfring.SampleStackUser
	if e.Attr.SampleFormat&whole != whole {
		return 0
	}
	return e.Attr.RegsUser
}

// stackMethod is how the callers of the samples of a file are found, as report.Stacks has it.
func stackMethod(events []perfdata.Event) string {
	method := ""
	for i := range events {
		e := &events[i]
		switch {
		case userRegs(e) != 0:
			return string(session.StacksDWARF)
		case e.CallStack():
			method = stacksLBR
		case method == "" && e.Attr.SampleFormat&perfring.SampleCallchain != 0:
			method = string(session.StacksFP)
		}
	}
	return method
}

// ownMethod is how a recording of our own found callers, "" without.
func ownMethod(own *perfdata.Own) string {
	if own.Stacks == nil {
		return ""
	}
	return own.Stacks.Method
}

// ownStacks keeps what is known of the stacks of a recording.
func ownStacks(s *report.Stacks, walked bool) *perfdata.OwnStacks {
	if s == nil {
		return nil
	}
	return &perfdata.OwnStacks{Method: s.Method, Walked: walked, Samples: s.Samples, Complete: s.Complete, Truncated: s.Truncated, Failed: s.Failed}
}
