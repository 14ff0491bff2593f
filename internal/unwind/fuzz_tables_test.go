package unwind

import (
	"slices"
	"testing"
	"time"
)

// checkChunks compiles chunks, twice, and holds what holds for any. A panic or seconds of work are findings.
func checkChunks(t *testing.T, img Image) {
	start := time.Now()
	rules := NewRules()
	m, again := NewModule(img, rules, 0), NewModule(img, rules, 1)
	for _, n := range []uint64{0, 1, 2, 3, ehAddr >> ChunkShift, 1<<48 - 1, 1<<64 - 1} {
		c := m.Chunk(n)
		if len(c) == 0 || c[0].At != 0 {
			t.Fatalf("chunk %d does not start at 0: %v", n, c)
		}
		for i, r := range c {
			if int(r.Rule) >= len(rules.List()) {
				t.Fatalf("chunk %d: rule %d of %d", n, r.Rule, len(rules.List()))
			}
			if i > 0 && (r.At <= c[i-1].At || r.Rule == c[i-1].Rule) {
				t.Fatalf("chunk %d: row %v after %v", n, r, c[i-1])
			}
		}
		if other := again.Chunk(n); !slices.Equal(c, other) {
			t.Fatalf("chunk %d has %d rows, then %d", n, len(c), len(other))
		}
	}
	for _, r := range rules.List()[3:] {
		if r.CFA < CFAEnd || r.CFA > CFAUnsupported || r.RA >= Lost || r.CFAReg > 31 {
			t.Fatalf("rule %+v", r)
		}
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Fatalf("took %v", d)
	}
}

// seeds are functions in every format.
func seeds(add func(section, header []byte, arch uint8)) {
	for _, a := range []*assembler{
		{version: 1, letters: "zR", enc: encS32 | encPCRel, initial: amd64Common},
		{version: 1, letters: "zPLR", enc: encU64, initial: amd64Common},
		{version: 1, wide: true, letters: "zRS", enc: encS64 | encPCRel, initial: amd64Common},
		{version: 3, letters: "zRB", enc: encS32 | encPCRel, initial: arm64Common, arch: ARM64},
	} {
		a.common()
		a.function(0x1000, 0x100, cat(cfaAdvanceLoc|1, cfaDefCFAOffset, 16, cfaOffset|a.arch.framePointer(), 2, cfaAdvanceLoc|3,
			cfaDefCFARegister, a.arch.framePointer(), cfaAdvanceLoc1, 100, cfaRememberState, cfaDefCFA, a.arch.stackPointer(), 8,
			cfaAdvanceLoc|1, cfaRestoreState))
		a.function(0xff00, 0x2_0000, cat(cfaAdvanceLoc4, 0, 0, 1, 0, cfaDefCFAExpression, 6, opBreg0+7, 0xa0, 1, opDeref, opPlusUconst, 8,
			cfaSetLoc, a.pointer(0x2_0000, 0), cfaUndefined, 16))
		add(a.section, a.header(), uint8(a.arch))
	}
}

func FuzzEHFrame(f *testing.F) {
	seeds(func(section, _ []byte, arch uint8) { f.Add(section, arch) })
	f.Fuzz(func(t *testing.T, section []byte, arch uint8) {
		checkChunks(t, Image{Arch: Arch(arch & 1), EHFrame: inMemory(ehAddr, section)})
	})
}

func FuzzEHFrameHdr(f *testing.F) {
	seeds(func(section, header []byte, arch uint8) { f.Add(section, header, arch) })
	f.Fuzz(func(t *testing.T, section, header []byte, arch uint8) {
		checkChunks(t, Image{Arch: Arch(arch & 1), EHFrame: inMemory(ehAddr, section), EHFrameHdr: inMemory(hdrAddr, header)})
	})
}

func FuzzDebugFrame(f *testing.F) {
	for _, a := range []*assembler{
		{version: 3, debug: true, enc: encAbsolute, initial: amd64Common},
		{version: 4, debug: true, enc: encAbsolute, initial: arm64Common, arch: ARM64},
		{version: 1, debug: true, wide: true, enc: encAbsolute, initial: amd64Common},
	} {
		a.common()
		a.function(0x1000, 0x100, cat(cfaAdvanceLoc2, 1, 0, cfaDefCFAOffsetSF, sleb(-2), cfaValOffset, a.arch.stackPointer(), 0))
		a.function(0x1_fff0, 0x40, cat(cfaAdvanceLoc|0x20, cfaSameValue, 29, cfaRestoreExtended, 30))
		f.Add(a.section, uint8(a.arch))
	}
	f.Fuzz(func(t *testing.T, section []byte, arch uint8) {
		checkChunks(t, Image{Arch: Arch(arch & 1), DebugFrame: inMemory(0, section)})
	})
}
