package symbol

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// symbol is 16 bytes, because a browser has a million of them.
type symbol struct {
	addr uint64
	size uint32
	name uint32 // offset in table.names
}

// table is a symbol table sorted by address, one symbol an address.
type table struct {
	symbols []symbol
	names   string // NUL-terminated names
}

// memory is how many bytes the table takes.
func (t *table) memory() int64 { return int64(len(t.names)) + 16*int64(cap(t.symbols)) }

// candidate is a symbol while its table is built.
type candidate struct {
	symbol
	rank uint8 // binding, the higher the better
	open bool  // had no size: ends where the next symbol starts
}

const (
	rankBound = iota // no function: only ends the one before
	rankMarker
	rankLocal
	rankWeak
	rankGlobal
)

// maxSymbolName cuts names, maxAliasCompare what is compared of two names of
// one address: a string table without a NUL would make both quadratic.
const (
	maxSymbolName   = 64 << 10
	maxAliasCompare = 256
)

// cstring is the NUL-terminated string at off, cut at limit bytes; "" outside.
func cstring(blob string, off uint64, limit int) string {
	if off >= uint64(len(blob)) {
		return ""
	}
	s := blob[off:]
	s = s[:min(limit, len(s))]
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	return s
}

// newTable sorts the candidates, keeps the best one of each address and ends
// the open ones at their next neighbour. It reuses all.
func newTable(all []candidate, names string) *table {
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Compare(a.addr, b.addr) })
	n := 0
	for _, c := range all {
		if n > 0 && all[n-1].addr == c.addr {
			if better(c, all[n-1], names) {
				all[n-1] = c
			}
			continue
		}
		all[n] = c
		n++
	}
	t := &table{symbols: make([]symbol, n), names: names}
	for i, c := range all[:n] {
		if c.open && i+1 < n {
			if gap := all[i+1].addr - c.addr; gap < uint64(c.size) {
				c.size = uint32(gap)
			}
		}
		t.symbols[i] = c.symbol
	}
	return t
}

// better chooses between two names of one address as perf does (a size before
// none, fewer leading underscores, then the longer name), but takes global
// before weak before local: perf prefers a local name to a weak one. The last
// resort, the order of the names, makes the choice independent of the file's.
func better(a, b candidate, names string) bool {
	if a.open != b.open {
		return b.open
	}
	if a.rank != b.rank {
		return a.rank > b.rank
	}
	an, bn := cstring(names, uint64(a.name), maxAliasCompare), cstring(names, uint64(b.name), maxAliasCompare)
	if ua, ub := underscores(an), underscores(bn); ua != ub {
		return ua < ub
	}
	if len(an) != len(bn) {
		return len(an) > len(bn)
	}
	if an != bn {
		return an < bn
	}
	return a.size > b.size || a.size == b.size && a.name < b.name
}

func underscores(s string) int { return len(s) - len(strings.TrimLeft(s, "_")) }

// maxNesting is how many symbols before an address are tried: symbols can lie
// inside others (the entry of an assembly loop), and the last one that starts
// before the address may have ended while the one around it goes on.
const maxNesting = 8

// find gives the index of the innermost symbol that holds addr.
func (t *table) find(addr uint64) (int, bool) {
	i := sort.Search(len(t.symbols), func(i int) bool { return t.symbols[i].addr > addr }) - 1
	for back := 0; i >= 0 && back < maxNesting; i, back = i-1, back+1 {
		if s := t.symbols[i]; addr-s.addr < uint64(s.size) {
			return i, true
		}
	}
	return 0, false
}

func (t *table) name(i int) string {
	return cstring(t.names, uint64(t.symbols[i].name), maxSymbolName)
}
