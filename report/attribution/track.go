package attribution

// track is one series: the readings still to be shared out and the joules that
// are.
type track struct {
	Series
	index  int     // in the caller's order
	watts  float64 // baseline
	fitted bool    // a regression is to find the baseline

	history *seriesHistory // nil without a regression

	queue       []reading // accepted, not shared out yet
	first, last reading   // of all; last is the newest accepted
	any         bool      // last is set
	solved      int64     // the group's mark
	cut         int       // position in queue, while the group collects edges

	started bool    // first is set: its reading has been passed
	from    reading // start of the open interval
	open    tally   // CPU time of the open interval that is known already

	byKey                         []float64 // J, index = key + keyShift
	baseline, idle, busy, outside float64   // J, J, ns, ns
}

type reading struct {
	t      int64 // ns
	joules float64
}

// pass takes the series over a cell that ends at end.
func (t *track) pass(m Method, end int64, cell *tally) {
	if len(t.queue) == 0 || t.queue[0].t != end {
		t.open.addAll(cell) // a cell inside an interval
		return
	}
	ran := cell
	if len(t.open.keys) > 0 {
		t.open.addAll(cell)
		ran = &t.open
	}
	r := t.queue[0]
	t.queue = t.queue[1:]
	if t.started {
		t.hand(m, interval{ns: float64(r.t - t.from.t), joules: r.joules - t.from.joules, ran: ran})
	} else {
		t.outside += ran.total
		t.first, t.started = r, true
	}
	t.from = r
	t.open.clear()
}
