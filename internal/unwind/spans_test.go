package unwind

import (
	"testing"

	"pgregory.net/rapid"
)

// TestSpans paints small ranges of addresses one by one, as the operations on spans say.
func TestSpans(t *testing.T) {
	const n = 64
	type paint [n]uint16
	check := func(t *rapid.T, what string, s spans, want paint) {
		t.Helper()
		var got paint
		at := uint64(0)
		for i, r := range s {
			if r.start < at || r.limit <= r.start || i > 0 && r.start == at && r.rule == s[i-1].rule {
				t.Fatalf("%s: %v is not in order at %d", what, s, i)
			}
			at = r.limit
			for a := r.start; a < r.limit; a++ {
				got[a] = r.rule
			}
		}
		if got != want {
			t.Fatalf("%s: %v\npainted  %v\nexpected %v", what, s, got, want)
		}
	}
	draw := func(t *rapid.T, what string) (s spans, painted paint) {
		start := uint64(0)
		for range rapid.IntRange(0, 8).Draw(t, what) {
			start = rapid.Uint64Range(start, n-1).Draw(t, "start")
			limit := rapid.Uint64Range(start, n).Draw(t, "limit")
			rule := rapid.Uint16Range(1, 3).Draw(t, "rule")
			s = s.add(start, limit, rule)
			if limit > start { // ends what is there
				for a := start; a < n; a++ {
					painted[a] = 0
				}
			}
			for a := start; a < limit; a++ {
				painted[a] = rule
			}
		}
		check(t, what, s, painted)
		return s, painted
	}
	rapid.Check(t, func(t *rapid.T) {
		top, a := draw(t, "top")
		below, b := draw(t, "below")
		over := a
		covered := true
		for i := range over {
			if over[i] == 0 {
				over[i] = b[i]
				covered = false
			}
		}
		if got := top.cover(0, n); got != covered {
			t.Fatalf("%v covers all: %v, expected %v", top, got, covered)
		}
		check(t, "over", append(spans(nil), top...).over(append(spans(nil), below...)), over)

		bridged := over
		for i := 1; i < n; i++ {
			if over[i] == 0 || over[i-1] != 0 || i%maxBridge == 0 {
				continue
			}
			for k := i - 1; k >= 0 && i-k <= maxBridge; k-- {
				if over[k] != 0 {
					for j := k + 1; j < i; j++ {
						bridged[j] = over[k]
					}
					break
				}
			}
		}
		var got paint
		for _, r := range top.over(below).bridge() {
			for a := r.start; a < r.limit; a++ {
				got[a] = r.rule
			}
		}
		if got != bridged {
			t.Fatalf("bridged %v, expected %v", got, bridged)
		}
	})
}
