package symbol

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// fuzzLimits are low enough for a fuzz run to reach them.
var fuzzLimits = Limits{
	Sections: 64, Symbols: 1 << 12, TableBytes: 1 << 20, Decompressed: 4 << 20, Units: 256,
	DebugWork: 16 << 20, NameBytes: 1 << 10, PerfMapBytes: 1 << 20,
}

// FuzzELF runs the whole way from bytes to frames. A panic is not recovered.
// The corpus is a function or two in every format of debug information, as gcc
// 12 and ld write it with -nostdlib -static -Wl,-N, and a library with a stub; and inlined calls as
// gcc, clang and dwz write them. What is shared with other files, or split, is looked for in the file itself.
func FuzzELF(f *testing.F) {
	recoverPanics = false
	f.Cleanup(func() { recoverPanics = true })
	f.Add(testELF{}.bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		lim := fuzzLimits.withDefaults()
		im, err := readImage(bytes.NewReader(data), int64(len(data)), lim)
		if im == nil {
			if err == nil {
				t.Fatal("no image and no error")
			}
			return
		}
		b := &Binary{Path: "fuzz", BuildID: im.buildID(), lim: lim, image: im}
		var offs []uint64
		for off := uint64(0); off < uint64(len(data)); off += uint64(len(data)/512 + 1) {
			offs = append(offs, off)
		}
		start := time.Now()
		b.load()
		if b.lines != nil {
			if shared, _ := openDebugInfo(im, im, lim, false, ""); shared != nil {
				shared.index()
				b.lines.shared = shared
			}
			b.lines.openSplit = func(string) (*debugInfo, *source) {
				split, _ := openDebugInfo(im, im, lim, false, ".dwo")
				if split == nil || split.index() != nil {
					return nil, nil
				}
				return split, nil
			}
		}
		frames := b.Resolve(append(offs, ^uint64(0), 1<<63))
		if d := time.Since(start); d > 5*time.Second {
			t.Fatalf("%d bytes took %v", len(data), d)
		}
		for _, fs := range frames {
			for _, fr := range fs {
				if fr.Function == "" || fr.Line < 0 {
					t.Fatalf("frame %+v", fr)
				}
			}
		}
	})
}

func FuzzPerfMap(f *testing.F) {
	f.Add([]byte(perfMapText))
	f.Fuzz(func(t *testing.T, data []byte) {
		tab, _ := parsePerfMap(data, 1<<12)
		checkTable(t, tab, false)
	})
}

func FuzzKallsyms(f *testing.F) {
	f.Add([]byte(kallsymsText))
	f.Fuzz(func(t *testing.T, data []byte) {
		tab, idle, err := parseKallsyms(bytes.NewReader(data), 1<<12)
		if err != nil {
			return
		}
		checkTable(t, tab, true)
		(&Binary{absolute: true, table: tab, idleSection: idle}).IdleRanges()
	})
}

// checkTable: in order, no overlap where there may be none, names that end.
func checkTable(t *testing.T, tab *table, gaps bool) {
	t.Helper()
	for i, s := range tab.symbols {
		if i > 0 && s.addr <= tab.symbols[i-1].addr {
			t.Fatalf("symbol %d at %#x follows %#x", i, s.addr, tab.symbols[i-1].addr)
		}
		if i > 0 && s.addr-tab.symbols[i-1].addr < uint64(tab.symbols[i-1].size) {
			t.Fatalf("symbol %d at %#x overlaps %+v", i, s.addr, tab.symbols[i-1])
		}
		if !gaps && s.size == 0 {
			t.Fatalf("symbol %d is empty", i)
		}
		if strings.ContainsRune(tab.name(i), 0) {
			t.Fatalf("symbol %d: name %q", i, tab.name(i))
		}
	}
}

func FuzzReadable(f *testing.F) {
	for _, seed := range []string{"_ZN5outer3BoxIiE3getEi", "_RNvMNtCs1234_4core3stre3len", "a%2eb.abi0", "_Z1fI1AS_IS0_S0_EEvT_"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		start := time.Now()
		if out := printable(readable(name, 1<<10)); !utf8.ValidString(out) {
			t.Fatalf("%q became %q", name, out)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Fatalf("%q took %v", name, d)
		}
	})
}

// FuzzJITDump: what is where never overlaps, whatever a journal says.
func FuzzJITDump(f *testing.F) {
	f.Add([]byte(newJournal(0).lines(0x1000, 0x40, "a", 0, 8).load(1, 0x1000, 0x100, 1, "a").move(2, 0x1000, 0x1080, 0x100, 1).load(3, 0x1000, 0x10, 2, "b")))
	f.Add([]byte(newJournal(1).record(jitCodeClose, 1, nil)))
	path := filepath.Join(f.TempDir(), "jit-1.dump")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		r := New(Options{Limits: Limits{Symbols: 100, TableBytes: 1 << 16}})
		d, err := r.OpenJITDump(mapped(t, path), uint32(os.Geteuid()))
		if err != nil {
			return
		}
		defer d.Close()
		d.Read()
		d.Advance(2)
		d.AdvanceAll()
		end := uint64(0)
		for _, p := range slices.Concat(d.current.blocks...) {
			if p.Start >= p.Limit || p.Start < end {
				t.Fatalf("%+v after %#x", p, end)
			}
			end = p.Limit
			p.function.Frame(p.Start)
		}
	})
}
