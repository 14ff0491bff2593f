package unwind

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	delve "github.com/go-delve/delve/pkg/dwarf/frame"
)

// TestDamagedTables reads a part of libc's tables in which some bytes have been changed. It logs how often delve's reader
// panics at the same, which is why tables are not read with it (docs/decisions/unwind-tables.md).
func TestDamagedTables(t *testing.T) {
	img := elfImage(t, installed(t, false, "/lib/*-linux-gnu/libc.so.6"))
	whole := sectionBytes(t, img.EHFrame)[:4096]
	const times = 200
	panics := 0
	for i := range uint64(times) {
		r := rand.New(rand.NewPCG(i, 1))
		b := append([]byte(nil), whole...)
		for range 4 {
			b[r.IntN(len(b))] = byte(r.IntN(256))
		}
		checkChunks(t, Image{Text: img.Text, EHFrame: Section{img.EHFrame.Addr, uint64(len(b)), inMemory(0, b).Data}})
		if delvePanics(b, img.EHFrame.Addr) {
			panics++
		}
	}
	t.Logf("delve's reader panicked for %d of %d", panics, times)
}

func delvePanics(b []byte, addr uint64) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	entries, err := delve.Parse(b, binary.LittleEndian, 0, 8, addr)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.End() > e.Begin() {
			_, _ = e.EstablishFrame(e.End() - 1)
		}
	}
	return false
}
