package unwind

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
)

// counted counts reads.
type counted struct {
	io.ReaderAt
	reads *int
}

func (c counted) ReadAt(b []byte, off int64) (int, error) {
	*c.reads++
	return c.ReaderAt.ReadAt(b, off)
}

// crowded is a table with many functions around 0x1_0000, of which the entries are all the one that comes first.
func crowded(functions int) Image {
	a := gnu(AMD64, "zR")
	img := a.image(false)
	hdr := cat(1, encS32|encPCRel, encU32, encS32|encDataRel)
	put := func(v int) { hdr = binary.LittleEndian.AppendUint32(hdr, uint32(v)) }
	put(0)
	put(functions)
	for i := range functions {
		put(0x1_0000 + i/2 - hdrAddr)
		put(ehAddr - hdrAddr)
	}
	img.EHFrameHdr = inMemory(hdrAddr, hdr)
	return img
}

// layered is functions one above another, each with thousands of rows.
func layered() Image {
	a := gnu(AMD64, "zR")
	var code []byte
	for i := range 30000 {
		code = append(code, cfaDefCFAOffset, byte(8+i&63), cfaAdvanceLoc|1)
	}
	for i := range uint64(50) {
		a.function(0x1_0000+i, 0x8000, code)
	}
	return a.image(true)
}

// TestWorkIsLimited: what takes more than tables do is given up, in each chunk and in all, and then costs nothing more.
func TestWorkIsLimited(t *testing.T) {
	for name, img := range map[string]Image{"entries that are no functions": crowded(1 << 17), "functions above one another": layered()} {
		var reads int
		img.EHFrame.Data = counted{img.EHFrame.Data, &reads}
		img.EHFrameHdr.Data = counted{img.EHFrameHdr.Data, &reads}
		rules := NewRules()
		m := NewModule(img, rules, 0)
		m.eh.work = 5*maxChunkWork - 1 // less than such a section has
		all := m.eh.work
		c := m.Chunk(1)
		if used := all - m.eh.work; used != maxChunkWork {
			t.Errorf("%s: a chunk took %d, expected all of %d", name, used, maxChunkWork)
		}
		if most := maxChunkWork / ruleWork; len(c) > most {
			t.Errorf("%s: %d rows, expected no more than %d", name, len(c), most)
		}
		if !errors.Is(m.Err(), errWork) && !errors.Is(m.Err(), errFormat) {
			t.Errorf("%s: error %v, expected one", name, m.Err())
		}
		for range 4 {
			clear(m.chunks)
			m.Chunk(1)
		}
		reads = 0
		clear(m.chunks)
		if c := m.Chunk(1); len(c) != 1 || reads > 0 {
			t.Errorf("%s: when all work is done %d rows and %d reads, expected none", name, len(c), reads)
		}
	}
}

// TestChunkThatTakesTooMuchSparesOthers: what could not be read for one is read for the next.
func TestChunkThatTakesTooMuchSparesOthers(t *testing.T) {
	a := gnu(AMD64, "zR")
	a.function(0x2_0000, 0x100, nil)
	m := NewModule(a.image(true), NewRules(), 0)
	none := m.eh.section.open(0)
	if _, err := m.eh.common(none, 0); !errors.Is(none.err, errWork) {
		t.Fatalf("without any work: %v, expected %v", err, errWork)
	}
	none.close()
	if got := ruleAt(m, 0x2_0000); got.CFA != CFARegister {
		t.Errorf("rule %+v, expected that of a function's start", got)
	}
}

// TestSearchTableThatCannotBeRead says so.
func TestSearchTableThatCannotBeRead(t *testing.T) {
	a := gnu(AMD64, "zR")
	for i := range uint64(5000) { // more than is read with the head
		a.function(0x2_0000+16*i, 16, nil)
	}
	img := a.image(true)
	size := img.EHFrameHdr.Size
	img.EHFrameHdr.Data = io.NewSectionReader(img.EHFrameHdr.Data, 0, pieceSize)
	img.EHFrameHdr.Size = size
	m := NewModule(img, NewRules(), 0)
	m.Chunk(3)
	if err := m.Err(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v, expected %v", err, io.ErrUnexpectedEOF)
	}
}

// TestErrorsAreShort, whatever a binary has in place of a few letters.
func TestErrorsAreShort(t *testing.T) {
	a := gnu(AMD64, strings.Repeat("\x01", 100_000))
	a.function(0x2_0000, 0x100, nil)
	m := NewModule(a.image(true), NewRules(), 0)
	m.Chunk(2)
	if err := m.Err(); !errors.Is(err, errFormat) || len(err.Error()) > 200 {
		t.Errorf("an error of %d bytes (is it %v: %v), expected a line", len(fmt.Sprint(err)), errFormat, errors.Is(err, errFormat))
	}
}

// TestRowsKeptAreLimited: beyond them chunks are compiled anew.
func TestRowsKeptAreLimited(t *testing.T) {
	a := gnu(AMD64, "zR")
	a.function(0x2_0000, 0x100, nil)
	m := NewModule(a.image(true), NewRules(), 0)
	m.chunks[7], m.kept = make(Chunk, maxRows), maxRows
	c := m.Chunk(2)
	if len(m.chunks) != 1 || m.kept != len(c) || len(c) != 2 {
		t.Errorf("%d chunks with %d rows are kept, expected one with %d, which is 2", len(m.chunks), m.kept, len(c))
	}
}

// TestModulesLeaveRulesToOthers: however many bring all the rules that they may.
func TestModulesLeaveRulesToOthers(t *testing.T) {
	rules := NewRules()
	next := int32(math.MinInt32)
	for n := range 50 {
		m := NewModule(Image{}, rules, 0)
		for ; m.number(Rule{CFA: CFARegister, CFAOffset: next}) != RuleUnsupported; next++ {
		}
		if n == 0 && m.brought < 3000 || m.brought < 100 {
			t.Errorf("module %d may bring %d rules", n, m.brought)
		}
	}
}

// TestRulesRunOut: rules beyond what a row can name are unsupported, and those there were are still found.
func TestRulesRunOut(t *testing.T) {
	rules := NewRules()
	for i := range maxRules {
		rules.number(Rule{CFA: CFARegister, CFAOffset: int32(i)})
	}
	if got := rules.number(Rule{CFA: CFARegister, CFAOffset: maxRules}); got != RuleUnsupported {
		t.Errorf("number %d for one more rule, expected %d", got, RuleUnsupported)
	}
	if got := rules.number(Rule{CFA: CFARegister, CFAOffset: 5}); got != 8 {
		t.Errorf("number %d for the ninth rule, expected 8", got)
	}
}
