package unwind

import (
	"bytes"
	"testing"
)

// A return to a function's first address, before which there is none, is that of a stack that was made up: as the last word of a chunk, too.
func TestMadeUpReturns(t *testing.T) {
	a := gnu(AMD64, "zR")
	a.function(0x2_ff00, 0x40, nil)
	a.function(0x3_0000, 0x30, nil)
	a.function(0x3_0030, 0x1b, nil)
	a.function(0x3_0050, 0x10, nil)
	m := NewModule(a.image(true), NewRules(), 0)
	for addr, want := range map[uint64]uint8{0x2_ffff: CFAEnd, 0x2_fffe: CFANone, 0x3_002f: CFARegister, 0x3_004f: CFAEnd, 0x3_004e: CFANone, 0x3_0050: CFARegister} {
		if got := ruleAt(m, addr); got.CFA != want {
			t.Errorf("%#x: %+v, expected form %d", addr, got, want)
		}
	}
}

// What crti.o, crtn.o and crtbegin.o of Debian 12 and of musl put into each program.
func TestStartupCode(t *testing.T) {
	const init, fini, text = 0x1000, 0x1100, 0x2_0000
	compiled := []byte("" +
		"\x48\x8d\x3d\x89\x2e\x00\x00\x48\x8d\x05\x82\x2e\x00\x00\x48\x39\xf8\x74\x15\x48\x8b\x05\x96\x2d\x00\x00\x48\x85\xc0\x74\x09\xff\xe0" +
		"\x0f\x1f\x80\x00\x00\x00\x00\xc3\x0f\x1f\x80\x00\x00\x00\x00" + // deregister_tm_clones
		"\x48\x8d\x3d\x59\x2e\x00\x00\x48\x8d\x35\x52\x2e\x00\x00\x48\x29\xfe\x48\x89\xf0\x48\xc1\xee\x3f\x48\xc1\xf8\x03\x48\x01\xc6\x48\xd1\xfe" +
		"\x74\x14\x48\x8b\x05\x65\x2d\x00\x00\x48\x85\xc0\x74\x08\xff\xe0\x66\x0f\x1f\x44\x00\x00\xc3\x0f\x1f\x80\x00\x00\x00\x00" + // register_tm_clones
		"\xf3\x0f\x1e\xfa\x80\x3d\x15\x2e\x00\x00\x00\x75\x2b\x55\x48\x83\x3d\x42\x2d\x00\x00\x00\x48\x89\xe5\x74\x0c\x48\x8b\x3d\xe6\x2d\x00\x00" +
		"\xe8\x89\xfe\xff\xff\xe8\x64\xff\xff\xff\xc6\x05\xed\x2d\x00\x00\x01\x5d\xc3\x0f\x1f\x00\xc3\x0f\x1f\x80\x00\x00\x00\x00" + // __do_global_dtors_aux
		"\xf3\x0f\x1e\xfa\xe9\x77\xff\xff\xff") // frame_dummy
	if len(compiled) != 0x70+0x40+9 {
		t.Fatalf("%#x bytes", len(compiled))
	}
	other := bytes.Clone(compiled)
	other[0x9e] ^= 1 // what is set is not what was compared
	image := func(initCode, finiCode string, at int, code []byte) Image {
		a := gnu(AMD64, "zR")
		a.function(text, 0x10, nil)
		a.function(text+0x2_0000, 0x10, nil)
		img := a.image(true)
		b := make([]byte, 0x2_0010)
		copy(b[at:], code)
		img.Init, img.Fini, img.Code = inMemory(init, []byte(initCode)), inMemory(fini, []byte(finiCode)), inMemory(text, b)
		return img
	}
	const gnuInit = "\x48\x83\xec\x08\x48\x8b\x05\xbd\x2f\x00\x00\x48\x85\xc0\x74\x02\xff\xd0\x48\x83\xc4\x08\xc3"
	const gnuFini = "\xf3\x0f\x1e\xfa\x48\x83\xec\x08\x48\x83\xc4\x08\xc3"
	gnuImage := image(gnuInit, gnuFini, 0x40, compiled)
	for _, test := range []struct {
		name string
		img  Image
		at   uint64
		want Rule
	}{
		{"_init", gnuImage, init, atEntry},
		{"_init, pushed", gnuImage, init + 4, pushed8},
		{"_init at its call", gnuImage, init + 17, pushed8},
		{"_init at its return", gnuImage, init + 22, atEntry},
		{"behind _init", gnuImage, init + 23, Rule{}},
		{"_fini", gnuImage, fini + 4, atEntry},
		{"_fini, pushed", gnuImage, fini + 8, pushed8},
		{"_fini at its return", gnuImage, fini + 12, atEntry},
		{"musl's _init, pushed", image("\x50\x58\xc3", "", 0, nil), init + 1, pushed8},
		{"musl's _init at its return", image("\x50\x58\xc3", "", 0, nil), init + 2, atEntry},
		{"another .init", image("\x53\x5b\xc3", "", 0, nil), init, Rule{}},

		{"before crtbegin", gnuImage, text + 0x3f, Rule{}},
		{"deregister_tm_clones", gnuImage, text + 0x40, atEntry},
		{"__do_global_dtors_aux", gnuImage, text + 0x40 + 0x70, atEntry},
		{"at its push", gnuImage, text + 0x40 + 0x7d, atEntry},
		{"pushed", gnuImage, text + 0x40 + 0x7e, pushedRBP},
		{"at its pop", gnuImage, text + 0x40 + 0xa3, pushedRBP},
		{"at its return", gnuImage, text + 0x40 + 0xa4, atEntry},
		{"frame_dummy", gnuImage, text + 0x40 + 0xb0 + 4, atEntry},
		{"behind crtbegin", gnuImage, text + 0x40 + 0xb9, Rule{}},
		{"in two chunks", image("", "", 0xff80, compiled), text + 0xff80 + 0x7e, pushedRBP},
		{"and in the other", image("", "", 0xff80, compiled), text + 0xff80 + 0xb0, atEntry},
		{"code that sets something else", image("", "", 0x40, other), text + 0x40 + 0x7e, Rule{}},
	} {
		m := NewModule(test.img, NewRules(), 0)
		if got := ruleAt(m, test.at); got != test.want {
			t.Errorf("%s: %+v, expected %+v", test.name, got, test.want)
		}
		if err := m.Err(); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
