package perfdata

import "github.com/energyprof/energyprof/perfring"

// branchCallStack is PERF_SAMPLE_BRANCH_CALL_STACK: the hardware keeps the
// branches as a stack of calls. In other modes they are what ran last, and say
// nothing of the callers.
const branchCallStack = 1 << 11

// CallStack tells whether the branches of its samples are a stack of calls, from which their
// callchains are made: of perf record --call-graph lbr.
func (e *Event) CallStack() bool { return hasCallStack(&e.Attr) }

func hasCallStack(a *perfring.Attr) bool {
	return a.SampleFormat&perfring.SampleBranchStack != 0 && a.BranchFormat&branchCallStack != 0
}

// callStack makes the branches of such a sample its callchain.
func (f *File) callStack(s *perfring.Sample) {
	if chain, ok := s.CallStack(f.chain[:0]); ok {
		s.Callchain, f.chain = chain, chain
	}
}
