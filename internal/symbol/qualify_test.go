package symbol

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

// TestLanguages: which languages' names have what is around a function before them, by the numbers that the DWARF committee gives out.
func TestLanguages(t *testing.T) {
	le := binary.LittleEndian
	const low, size = 0x1000, 0x100
	code := func(b []byte) []byte { return le.AppendUint64(le.AppendUint64(b, low), size) }
	// 1 the unit (low, high, lines, language), 2 a namespace (name), 3 a function (name, low, high).
	const abbrevs = "\x01\x11\x01\x11\x01\x12\x07\x10\x17\x13\x05\x00\x00" +
		"\x02\x39\x01\x03\x08\x00\x00" +
		"\x03\x2e\x00\x03\x08\x11\x01\x12\x07\x00\x00\x00"
	const (
		c99, ada2012, c17            = 0x0c, 0x2f, 0x2c
		cxx, cxx03, cxx11, cxx14     = 0x04, 0x19, 0x1a, 0x21
		cxx17, cxx20, cxx23, fortran = 0x2a, 0x2b, 0x3a, 0x2d
	)
	for language, want := range map[uint16]string{
		cxx: "space::f", cxx03: "space::f", cxx11: "space::f", cxx14: "space::f", cxx17: "space::f", cxx20: "space::f", cxx23: "space::f",
		c99: "f", c17: "f", ada2012: "f", fortran: "f",
	} {
		unit := le.AppendUint16(le.AppendUint32(code([]byte{1}), 0), language)
		info := slices.Concat([]byte{4, 0, 0, 0, 0, 0, 8}, unit, []byte("\x02space\x00"), code([]byte("\x03f\x00")), []byte{0, 0})
		file := testELF{".debug_line": {data: "x"}, ".debug_abbrev": {data: abbrevs},
			".debug_info": {data: string(le.AppendUint32(nil, uint32(len(info)))) + string(info)}}.bytes()
		im, err := readImage(bytes.NewReader(file), int64(len(file)), Limits{}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		d, err := openDebugInfo(im, im, Limits{}.withDefaults(), true, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := d.index(); err != nil {
			t.Fatal(err)
		}
		frames, err := d.inlines([]uint64{low})
		if err != nil || len(frames[0]) != 1 || frames[0][0].Function != want {
			t.Errorf("language %#x: %+v, %v; want %s", language, frames[0], err, want)
		}
	}
}
