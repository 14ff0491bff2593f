package unwind

import (
	"testing"

	"pgregory.net/rapid"
)

// An address is in the mapping that began last before it, if that has not ended.
func TestSpaceFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ms []Mapping
		for i := range rapid.IntRange(0, 20).Draw(t, "mappings") {
			start := rapid.Uint64Range(0, 200).Draw(t, "start")
			ms = append(ms, Mapping{Start: start, Limit: start + rapid.Uint64Range(0, 30).Draw(t, "size"), Bias: uint64(i)})
		}
		s := NewSpace(ms)
		for addr := range uint64(240) {
			var want *Mapping
			for i := range ms {
				if m := &ms[i]; m.Start <= addr && m.Start < m.Limit && (want == nil || m.Start >= want.Start) {
					want = m
				}
			}
			if want != nil && addr >= want.Limit {
				want = nil
			}
			got := s.find(addr)
			if (got == nil) != (want == nil) || got != nil && got.Bias != want.Bias {
				t.Fatalf("%d is in %+v, want %+v", addr, got, want)
			}
			if got != nil && addr&^s.mask != 0 {
				t.Fatalf("mask %#x loses %#x", s.mask, addr)
			}
		}
	})
}
