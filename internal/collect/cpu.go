package collect

import "slices"

// maxCPU is beyond the CPUs of any machine: a larger number comes from damaged data.
const maxCPU = 1 << 16

// cpuState is what is kept of one CPU.
type cpuState struct {
	last  int64 // time of its last record, ns
	ran   ranTime
	walks *walks // nil without any
}

func (s *cpuState) seen(t int64) { s.last = max(s.last, t) }

// cpu returns the state of a CPU; that of -1 is for records of no CPU in particular.
func (c *Collector) cpu(cpu int) *cpuState {
	if cpu < 0 || cpu >= maxCPU {
		return &c.noCPU
	}
	for cpu >= len(c.cpus) {
		c.cpus = append(c.cpus, cpuState{})
	}
	return &c.cpus[cpu]
}

// ranTime is the sampled CPU time of one CPU, in slots of 10 ms, until the kernel's account of the
// same time comes. That account counts in ticks of 10 ms itself (USER_HZ).
type ranTime struct {
	slots []slot // in order of start
	taken int64  // what lies before has been taken
}

type slot struct {
	start int64
	ns    float64
}

const (
	slotLength = 10_000_000
	// maxSlots is a minute: an account that is later than that will not come.
	maxSlots = 6000
)

// add spreads ns evenly over [from, to).
func (r *ranTime) add(from, to int64, ns float64) {
	if to-from > longestWait {
		from = to - longestWait
	}
	if to <= from {
		r.put(from-from%slotLength, ns)
		return
	}
	each := ns / float64(to-from)
	for from < to {
		start := from - from%slotLength
		end := min(to, start+slotLength)
		r.put(start, each*float64(end-from))
		from = end
	}
}

func (r *ranTime) put(start int64, ns float64) {
	i := len(r.slots)
	for i > 0 && r.slots[i-1].start > start {
		i--
	}
	if i > 0 && r.slots[i-1].start == start {
		r.slots[i-1].ns += ns
		return
	}
	if len(r.slots) >= maxSlots {
		n := copy(r.slots, r.slots[maxSlots/2:])
		r.slots = r.slots[:n]
		i = max(0, i-maxSlots/2)
	}
	r.slots = slices.Insert(r.slots, i, slot{start, ns})
}

// take removes what lies before to and returns the part of it that lies after from.
func (r *ranTime) take(from, to int64) float64 {
	var sum float64
	n := 0
	for n < len(r.slots) && r.slots[n].start < to {
		s := &r.slots[n]
		start, end := max(s.start, r.taken), s.start+slotLength
		if start < end {
			length := float64(end - start)
			sum += s.ns * float64(max(0, min(end, to)-max(start, from))) / length
			s.ns -= s.ns * float64(min(end, to)-start) / length
		} else {
			sum += s.ns // late
			s.ns = 0
		}
		if end > to {
			break // the rest is the next window's
		}
		n++
	}
	r.slots = r.slots[:copy(r.slots, r.slots[n:])]
	r.taken = max(r.taken, to)
	return sum
}
