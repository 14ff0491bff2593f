package attribution

// tally is CPU time by key over some stretch of time: dense for the sums,
// with a list of the keys that are not zero so that emptying it is cheap.
type tally struct {
	weight []float64 // ns, index = key + keyShift
	keys   []int32   // indices of weight that are not zero
	total  float64   // ns
}

func (t *tally) add(slot int32, ns float64) {
	if ns == 0 {
		return
	}
	if int(slot) >= len(t.weight) {
		t.weight = grow(t.weight, int(slot)+1)
	}
	if t.weight[slot] == 0 {
		t.keys = append(t.keys, slot)
	}
	t.weight[slot] += ns
	t.total += ns
}

func (t *tally) addAll(o *tally) {
	for _, slot := range o.keys {
		t.add(slot, o.weight[slot])
	}
}

func (t *tally) clear() {
	for _, slot := range t.keys {
		t.weight[slot] = 0
	}
	t.keys, t.total = t.keys[:0], 0
}

// grow returns s with at least n elements, the new ones zero, doubling so that
// a stream of ever larger keys costs amortised constant time.
func grow[T any](s []T, n int) []T {
	if n > cap(s) {
		bigger := make([]T, n, max(n, 2*cap(s)))
		copy(bigger, s)
		return bigger
	}
	return s[:n]
}
