package bpf

import (
	"testing"

	"pgregory.net/rapid"
)

// run does to an entry what sched.bpf.c does with a slice of another task.
func (c *cpuAccount) run(from, to int64) {
	c.other.Add(uint64(to - from))
	n, last := from>>slotShift, to>>slotShift
	if last-n >= slots {
		n = last - slots + 1
		from = n << slotShift
	}
	at := func(n int64) *slotAccount {
		s := &c.slot[n&(slots-1)]
		if s.word.Load()>>nsBits != uint64(n) {
			s.through.Store(0)
			s.word.Store(uint64(n) << nsBits)
		}
		return s
	}
	if n == last {
		at(n).word.Add(uint64(to - from))
		return
	}
	at(n).word.Add(uint64((n+1)<<slotShift - from))
	at(n).through.Store(uint64(last))
	at(last).word.Add(uint64(to - last<<slotShift))
}

// Whatever runs and however late it is read, windows follow each other and
// nothing is lost; what is read in time is in its place.
func TestReader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		begin := rapid.Int64Range(0, 1<<40).Draw(t, "begin")
		a := &Account{cpus: make([]cpuAccount, 1), given: make([]int64, 1), full: make([]int64, 1),
			active: true, began: begin, slot: begin >> slotShift, from: begin}
		type slice struct{ from, to int64 }
		var ran []slice
		var given, total int64
		late := false
		last := begin
		give := func(cpu int, from, to, ns int64) {
			if from < last || to <= from || ns < 0 || ns > to-from {
				t.Fatalf("%d ns of (%d, %d] after %d", ns, from, to, last)
			}
			last = to
			given += ns
			var want int64
			for _, s := range ran {
				want += max(0, min(s.to, to)-max(s.from, from))
			}
			if !late && ns != want {
				t.Fatalf("%d ns of (%d, %d], %d ran", ns, from, to, want)
			}
		}
		now := begin
		length := rapid.OneOf(rapid.Int64Range(1, 1000), rapid.Int64Range(1, 3*slotNS), rapid.Int64Range(1, slots*slotNS*3/2))
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += length.Draw(t, "idle")
			to := now + length.Draw(t, "slice")
			a.cpus[0].run(now, to)
			ran = append(ran, slice{now, to})
			total += to - now
			now = to
			if rapid.Bool().Draw(t, "read") {
				a.ended = now
				late = late || now>>slotShift-a.slot > slots-20
				a.Others(now-1, give)
			}
		}
		a.ended = now
		late = late || now>>slotShift-a.slot > slots-20
		a.Others(now, give)
		if !late && given != total {
			t.Fatalf("%d ns given of %d", given, total)
		}
		if given > total {
			t.Fatalf("%d ns given, more than the %d that ran", given, total)
		}
	})
}
