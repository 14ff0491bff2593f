package bpf

// Others gives what tasks other than the target ran: ns nanoseconds of (from, to]
// on a CPU, in windows of 4.2 ms that end at or before until; after Stop,
// what is left as well. Windows in which no other task ran are left out, except
// the last of CPU 0. Where the account was not read for some seconds, one window
// is longer.
func (a *Account) Others(until int64, give func(cpu int, from, to, ns int64)) {
	if !a.active {
		return
	}
	now := a.now()
	until = min(until, now)
	end := until >> slotShift // the first slot that is not over
	if a.switched == nil && until == now {
		end++
	}
	a.catchUp(now, give)
	for ; a.slot < end; a.slot++ {
		to := min((a.slot+1)<<slotShift, until)
		for cpu := range a.cpus {
			ns := a.in(cpu, a.slot)
			a.given[cpu] += ns
			if ns > 0 || cpu == 0 && a.slot == end-1 {
				give(cpu, a.from, to, min(ns, to-a.from))
			}
		}
		a.from = to
	}
}

// now is the end of what there is.
func (a *Account) now() int64 {
	if a.switched == nil {
		return a.ended
	}
	return monotonic()
}

// in is what others ran in a slot; slots are looked at in their order.
func (a *Account) in(cpu int, slot int64) int64 {
	var ns int64
	if slot < a.full[cpu] {
		ns = slotNS
	}
	s := &a.cpus[cpu].slot[slot&(slots-1)]
	if word := s.word.Load(); word>>nsBits == uint64(slot) {
		ns += int64(word & (1<<nsBits - 1))
		a.full[cpu] = max(a.full[cpu], int64(s.through.Load()))
	}
	return ns
}

// catchUp gives what was in slots that have been used again since, in one
// window: the sum of all less that of the slots that are left.
func (a *Account) catchUp(now int64, give func(cpu int, from, to, ns int64)) {
	const spare = 16 // slots that may be used again while we read
	oldest := now>>slotShift - slots + spare
	if a.slot >= oldest {
		return
	}
	to := oldest << slotShift
	for cpu := range a.cpus {
		ns := int64(a.cpus[cpu].other.Load()) - a.given[cpu]
		full := a.full[cpu]
		for slot := oldest; slot < oldest+slots; slot++ {
			ns -= a.in(cpu, slot)
		}
		a.full[cpu] = full
		if ns = min(max(ns, 0), to-a.from); ns > 0 {
			give(cpu, a.from, to, ns)
		}
		a.given[cpu] += ns
	}
	a.slot, a.from = oldest, to
}
