package simulate

// event is a CPU that changes what it does.
type event struct {
	t        int64
	cpu      int
	function int32
}

// events merges the runs of CPUs: a heap of CPUs by their next change.
type events struct {
	runs [][]run
	heap []head
}

type head struct {
	t   int64
	cpu int32
	pos int32 // in runs, 2 x index + 1 at its end
}

func newEvents(runs [][]run) *events {
	e := &events{runs: runs}
	for cpu, r := range runs {
		if len(r) > 0 {
			e.heap = append(e.heap, head{r[0].from, int32(cpu), 0})
		}
	}
	for i := len(e.heap) / 2; i >= 0; i-- {
		e.down(i)
	}
	return e
}

func (e *events) down(i int) {
	h := e.heap
	for {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && h[c+1].t < h[c].t {
			c++
		}
		if h[i].t <= h[c].t {
			return
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
}

func (e *events) next() (event, bool) {
	if len(e.heap) == 0 {
		return event{}, false
	}
	top := &e.heap[0]
	r := e.runs[top.cpu]
	ev := event{top.t, int(top.cpu), idle}
	if top.pos%2 == 0 {
		ev.function = r[top.pos/2].function
		top.t, top.pos = r[top.pos/2].to, top.pos+1
	} else {
		top.pos++
		if int(top.pos/2) == len(r) {
			*top = e.heap[len(e.heap)-1]
			e.heap = e.heap[:len(e.heap)-1]
		} else if next := r[top.pos/2]; next.from == ev.t { // from one function to the next
			ev.function = next.function
			top.t, top.pos = next.to, top.pos+1
		} else {
			top.t = next.from
		}
	}
	if len(e.heap) > 0 {
		e.down(0)
	}
	return ev, true
}
