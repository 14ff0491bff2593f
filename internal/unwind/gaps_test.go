package unwind

import "testing"

// TestGapsAcrossChunks: what is known of a gap does not depend on where chunks begin.
func TestGapsAcrossChunks(t *testing.T) {
	for _, test := range []struct {
		name          string
		before, after Range // functions
		entry, at     uint64
		want          uint8
	}{
		{"a gap inside a function begins in one chunk", Range{0x1_ff00, 0x1_fffa}, Range{0x2_0004, 0x2_0100}, 0, 0x1_fffa, CFARegister},
		{"and ends in the next", Range{0x1_ff00, 0x1_fffa}, Range{0x2_0004, 0x2_0100}, 0, 0x2_0003, CFARegister},
		{"a start that goes on in the next", Range{0x1_f000, 0x1_f100}, Range{0x2_0020, 0x2_0100}, 0x1_fff0, 0x2_0010, CFAEnd},
		{"a start that ended before", Range{0x1_fff4, 0x1_fffc}, Range{0x2_0060, 0x2_0100}, 0x1_fff0, 0x2_0020, CFANone},
	} {
		a := gnu(AMD64, "zR")
		for _, r := range []Range{test.before, test.after} {
			a.function(r.Start, r.Limit-r.Start, nil)
		}
		img := a.image(true)
		img.Entry = test.entry
		m := NewModule(img, NewRules(), 0)
		if got := ruleAt(m, test.at); got.CFA != test.want {
			t.Errorf("%s: at %#x %+v, expected form %d", test.name, test.at, got, test.want)
		}
	}
}
