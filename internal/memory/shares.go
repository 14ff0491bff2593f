package memory

import (
	"cmp"
	"maps"
	"slices"
)

// shares are how the loads of each stack that memory served are spread over places (pages, lines), so that
// its joules can be spread in the same way. At most max pairs are kept.
type shares struct {
	max int
	of  map[shareKey]share
	out uint64 // accesses of pairs that were given up
}

type shareKey struct{ place, stack int32 }

type share struct{ bytes, accesses uint64 }

func newShares(limit int) shares { return shares{max: limit, of: map[shareKey]share{}} }

// add takes an access of a place.
func (s *shares) add(place int32, a *access) {
	key := shareKey{place, a.stack}
	v, known := s.of[key]
	if !known && len(s.of) >= s.max {
		s.forget()
	}
	s.of[key] = share{plus(v.bytes, a.bytes), plus(v.accesses, a.period)}
}

// forget gives up the half of the pairs that has the fewest accesses, so that those that come later have room; of
// equals the older places.
func (s *shares) forget() {
	rare := slices.SortedFunc(maps.Keys(s.of), func(a, b shareKey) int {
		return cmp.Or(cmp.Compare(s.of[a].accesses, s.of[b].accesses), compareShares(a, b))
	})
	for _, key := range rare[:(len(rare)+1)/2] {
		s.out = plus(s.out, s.of[key].accesses)
		delete(s.of, key)
	}
}

// giveUp forgets places.
func (s *shares) giveUp(places map[int32]bool) {
	maps.DeleteFunc(s.of, func(key shareKey, _ share) bool { return places[key.place] })
}
