package order

// head is the next undelivered record of one stream.
type head struct {
	time   uint64
	stream int
}

func (h head) before(o head) bool {
	return h.time < o.time || h.time == o.time && h.stream < o.stream
}

// The heap is written out because container/heap boxes every element: one allocation per record.

func heapify(h []head) {
	for i := len(h)/2 - 1; i >= 0; i-- {
		siftDown(h, i)
	}
}

// siftDown moves h[i] to where neither child comes before it.
func siftDown(h []head, i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if !h[child].before(h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}
