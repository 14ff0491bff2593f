package perfring

// CallStack appends to dst the callchain of a sample whose branches are a stack of calls
// (PERF_SAMPLE_BRANCH_CALL_STACK), which replace the user's part: the hardware follows calls in user mode only, but
// without frame pointers. Each branch is the call of one function from the next one. The kernel's part, and the
// address where the user's code was, are those of the sample. ok is false where the branches say nothing: there are
// none, or no user's part, as in a thread of the kernel.
//
// A from-address is that of the call itself and a callchain has return addresses, so it is one more here: one byte
// into, or just after, the call.
func (s *Sample) CallStack(dst []uint64) (chain []uint64, ok bool) {
	if len(s.Branches) == 0 {
		return dst, false
	}
	leaf := s.Branches[0].To
	user := len(s.Callchain) == 0
	if user {
		if s.CPUMode() == MiscUser {
			leaf = s.IP
		} else {
			dst = append(dst, ContextKernel, s.IP)
		}
	}
	for i, addr := range s.Callchain {
		if addr == ContextUser {
			user = true
			if i+1 < len(s.Callchain) && s.Callchain[i+1] < ContextMax {
				leaf = s.Callchain[i+1]
			}
			break
		}
		dst = append(dst, addr)
	}
	if !user {
		return dst, false // a thread of the kernel, or the kernel's part was cut
	}
	dst = append(dst, ContextUser, leaf)
	for _, b := range s.Branches {
		if b.From != 0 {
			dst = append(dst, b.From+1)
		}
	}
	return dst, true
}
