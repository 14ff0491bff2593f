package pebs

import "strings"

// The bits from 46 on. Kernels up to 6.19 leave them zero. Linux 7.0 makes five of them mem_region, the
// part of the machine's memory that an access went to (the off-module response of Intel's Diamond
// Rapids): of its values 0 to 15 have a meaning, so its highest bit, 50, stays zero.
//
// Before, patches for Arm's SPE were posted to perf (November 2025), not merged in that form, that say there what kind
// of instruction it was. One value that such a perf printed is known, 0x444000288100144, "STORE SIMD" and "AFF
// PRED SG": one bit for each kind of operation and then for each attribute, in the order in which version
// 3 of the patches names them (its own encoding is another). A value with any bit from 50 on is read
// so, one without as mem_region.

// A Region is mem_region: the part of the machine that an access went to.
type Region uint8

// The regions that Linux 7.0 knows. A "CA" is a caching agent, as Intel calls it.
const (
	RegionNA             Region = iota // not said
	RegionReserved                     // without a meaning
	RegionLocalShared                  // a shared cache of the local CA
	RegionLocalNonShared               // a cache of the local CA that is not shared
	RegionOtherIO                      // an I/O agent of another CA
	RegionOtherShared                  // a shared cache of another CA
	RegionOtherNonShared               // a cache of another CA that is not shared
	RegionMMIO                         // memory of a device
	RegionMem0                         // the first of eight regions of memory that firmware lays out
	RegionMem7           = RegionMem0 + 7
)

// Region is the part of the machine that the access went to.
func (d DataSource) Region() Region {
	if d.has(aboveMainline) {
		return RegionNA
	}
	return Region(d & regionMask >> regionShift)
}

var (
	extendedOps = [...]string{"MTE", "NV", "MEMCPY", "MEMSET", "SIMD", "GCS"}         // from bit 46
	affiliates  = [...]string{"DP", "FP", "PRED", "ATOMIC", "EX", "AR", "SG", "COND"} // from bit 52
)

// extendedOpWords is the kind of operation that is more than a load or store, "" where it is not.
func (d DataSource) extendedOpWords() string {
	if !d.has(aboveMainline) {
		return ""
	}
	return one(extendedOps[:], d>>46)
}

// affiliateWords says what else the instruction was, "" where nothing is said: "PRED SG" predicated,
// scatter or gather.
func (d DataSource) affiliateWords() string {
	var words []string
	for i, word := range affiliates {
		if d>>(52+i)&1 != 0 {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}
