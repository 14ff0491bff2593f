package gate

import (
	"cmp"
	"slices"
)

// holm adjusts the p-values of a family in place: what is then at most alpha is a discovery, and the probability that one
// of them is false is at most alpha, however the tests depend on each other (Holm, A simple sequentially rejective multiple
// test procedure, Scandinavian Journal of Statistics 6, 1979).
func holm(p []*float64) {
	slices.SortFunc(p, func(a, b *float64) int { return cmp.Compare(*a, *b) })
	least := 0.0
	for i, v := range p {
		least = max(least, min(1, *v*float64(len(p)-i)))
		*v = least
	}
}
