package perfdata

import "github.com/energyprof/energyprof/perfring"

// branchCallStack is PERF_SAMPLE_BRANCH_CALL_STACK: the hardware keeps the
// branches as a stack of calls. In other modes they are what ran last, and say
// nothing of the callers.
const branchCallStack = 1 << 11

// callStack makes the branches of a sample that perf record --call-graph lbr
// took its callchain, of which they replace the user's part: the hardware follows
// calls in user mode only, but without frame pointers. Each branch is the call
// of one function from the next one. The kernel's part, and the address where the
// user's code was, are those of the sample.
//
// A from-address is that of the call itself and a callchain has return
// addresses, so it is one more here: one byte into, or just after, the call.
func (f *File) callStack(s *perfring.Sample) {
	if len(s.Branches) == 0 {
		return
	}
	chain := f.chain[:0]
	leaf := s.Branches[0].To
	if len(s.Callchain) == 0 {
		if mode := s.CPUMode(); mode == perfring.MiscUser {
			leaf = s.IP
		} else {
			chain = append(chain, perfring.ContextKernel, s.IP)
		}
	}
	user := len(s.Callchain) == 0
	for i, addr := range s.Callchain {
		if addr == perfring.ContextUser {
			user = true
			if i+1 < len(s.Callchain) && s.Callchain[i+1] < perfring.ContextMax {
				leaf = s.Callchain[i+1]
			}
			break
		}
		chain = append(chain, addr)
	}
	if !user {
		return // a thread of the kernel, or the kernel's part was cut
	}
	chain = append(chain, perfring.ContextUser, leaf)
	for _, b := range s.Branches {
		if b.From != 0 {
			chain = append(chain, b.From+1)
		}
	}
	s.Callchain, f.chain = chain, chain
}
