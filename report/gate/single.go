package gate

import (
	"cmp"
	"math"
	"slices"
)

// similar is by which factor the amounts of a function that was renamed may differ.
const similar = 1.25

func (a Amount) size(energy bool) float64 {
	if energy && a.Joules > 0 {
		return a.Joules
	}
	return a.Seconds
}

func sortSingles(s []Single, energy bool) {
	slices.SortFunc(s, func(a, b Single) int {
		return cmp.Or(cmp.Compare(b.size(energy), a.size(energy)), compareKeys(a.Key, b.Key))
	})
}

// rename marks the pairs of a removed and an added function of one library each of which is the other's closest in
// amount, and similar.
func rename(removed, added []Single, energy bool) {
	closest := func(to Single, among []Single) int {
		best, least := -1, math.Log(similar)
		for i, s := range among {
			if s.Library != to.Library {
				continue
			}
			if d := math.Abs(math.Log(s.size(energy) / to.size(energy))); d <= least {
				best, least = i, d
			}
		}
		return best
	}
	for i := range removed {
		j := closest(removed[i], added)
		if j >= 0 && closest(added[j], removed) == i {
			removed[i].Maybe, added[j].Maybe = &added[j].Key, &removed[i].Key
		}
	}
}
