package memory

import "maps"

// shares are how the loads of each stack that memory served are spread over places (pages, lines), so that
// its joules can be spread in the same way. At most max pairs are kept.
type shares struct {
	max int
	of  map[shareKey]share
	out uint64 // accesses of pairs that are not kept
}

type shareKey struct{ place, stack int32 }

type share struct{ bytes, accesses uint64 }

func newShares(limit int) shares { return shares{max: limit, of: map[shareKey]share{}} }

// add takes an access of a place.
func (s *shares) add(place int32, a *access) {
	key := shareKey{place, a.stack}
	v, known := s.of[key]
	if !known && len(s.of) >= s.max {
		s.out = plus(s.out, a.period)
		return
	}
	s.of[key] = share{plus(v.bytes, a.bytes), plus(v.accesses, a.period)}
}

// giveUp forgets places.
func (s *shares) giveUp(places map[int32]bool) {
	maps.DeleteFunc(s.of, func(key shareKey, _ share) bool { return places[key.place] })
}
