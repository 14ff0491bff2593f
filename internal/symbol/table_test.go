package symbol

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func build(entries []candidate, names ...string) *table {
	blob := ""
	for i := range entries {
		entries[i].name = uint32(len(blob))
		blob += names[i] + "\x00"
	}
	return newTable(entries, blob)
}

func sym(addr uint64, size uint32, rank uint8, open bool) candidate {
	return candidate{symbol: symbol{addr: addr, size: size}, rank: rank, open: open}
}

// TestAliases: one name an address, whatever the order in the file.
func TestAliases(t *testing.T) {
	for _, tt := range []struct {
		name    string
		entries []candidate
		names   []string
		want    string
	}{
		{"global before weak", []candidate{sym(16, 8, rankWeak, false), sym(16, 8, rankGlobal, false)}, []string{"write_long", "w"}, "w"},
		{"weak before local", []candidate{sym(16, 8, rankLocal, false), sym(16, 8, rankWeak, false)}, []string{"write_long", "w"}, "w"},
		{"size before none", []candidate{sym(16, 8, rankGlobal, true), sym(16, 8, rankLocal, false)}, []string{"a", "b"}, "b"},
		{"fewer underscores", []candidate{sym(16, 8, rankGlobal, false), sym(16, 8, rankGlobal, false)}, []string{"__libc_write", "write"}, "write"},
		{"longer", []candidate{sym(16, 8, rankGlobal, false), sym(16, 8, rankGlobal, false)}, []string{"send", "sendmsg"}, "sendmsg"},
		{"alphabet", []candidate{sym(16, 8, rankGlobal, false), sym(16, 8, rankGlobal, false)}, []string{"bb", "ba"}, "ba"},
	} {
		for range 4 {
			tab := build(append([]candidate(nil), tt.entries...), tt.names...)
			if got := tab.name(0); len(tab.symbols) != 1 || got != tt.want {
				t.Errorf("%s: %q of %d symbols, want %q", tt.name, got, len(tab.symbols), tt.want)
			}
			rand.Shuffle(len(tt.entries), func(i, j int) {
				tt.entries[i], tt.entries[j] = tt.entries[j], tt.entries[i]
				tt.names[i], tt.names[j] = tt.names[j], tt.names[i]
			})
		}
	}
}

func TestFind(t *testing.T) {
	tab := build([]candidate{
		sym(0x100, 0x100, rankGlobal, false), // outer
		sym(0x140, 0x10, rankLocal, false),   // inside it
		sym(0x300, 0x500, rankLocal, true),   // no size: to the next
		sym(0x340, 0x10, rankLocal, false),
	}, "outer", "inner", "unsized", "last")
	for addr, want := range map[uint64]string{
		0xff: "", 0x100: "outer", 0x13f: "outer", 0x140: "inner", 0x14f: "inner", 0x150: "outer",
		0x1ff: "outer", 0x200: "", 0x300: "unsized", 0x33f: "unsized", 0x340: "last", 0x350: "", ^uint64(0): "",
	} {
		got := ""
		if i, ok := tab.find(addr); ok {
			got = tab.name(i)
		}
		if got != want {
			t.Errorf("find(%#x) = %q, want %q", addr, got, want)
		}
	}
}

// TestNewestWins compares the pieces with the definition: at each address the
// last entry that covers it.
func TestNewestWins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 12).Draw(t, "n")
		var all []symbol
		for i := range n {
			all = append(all, symbol{
				addr: rapid.Uint64Range(0, 40).Draw(t, "addr"),
				size: rapid.Uint32Range(1, 20).Draw(t, "size"),
				name: uint32(i * 2),
			})
		}
		tab := &table{symbols: newestWins(all)}
		for addr := range uint64(64) {
			want := -1
			for i, s := range all {
				if addr-s.addr < uint64(s.size) {
					want = i * 2
				}
			}
			got := -1
			if i, ok := tab.find(addr); ok {
				got = int(tab.symbols[i].name)
			}
			if got != want {
				t.Fatalf("%v at %d: entry %d, want %d: %v", all, addr, got, want, tab.symbols)
			}
		}
	})
}

func TestStubsARM64(t *testing.T) {
	// bti c; adrp x16, 0x1f000; ldr x17, [x16, #0xfb8]; add x16, ...; br x17 at 0x5b0
	code := []byte{
		0x5f, 0x24, 0x03, 0xd5, 0xf0, 0x00, 0x00, 0xf0, 0x11, 0xde, 0x47, 0xf9, 0x10, 0xe2, 0x3e, 0x91, 0x20, 0x02, 0x1f, 0xd6,
	}
	var start, slot uint64
	stubsARM64(code, 0x5b0, func(s, g uint64) { start, slot = s, g })
	if start != 0x5b0 || slot != 0x1ffb8 {
		t.Errorf("stub at %#x with slot %#x, want 0x5b0 with 0x1ffb8", start, slot)
	}
}
