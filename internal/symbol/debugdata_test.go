package symbol

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"testing"
)

// TestTooMuchTogether: sections that are too large together are refused before the first of them has been decompressed.
func TestTooMuchTogether(t *testing.T) {
	compressed := func(size uint64) testSection {
		b := binary.LittleEndian.AppendUint64(nil, uint64(elf.COMPRESS_ZLIB))
		b = binary.LittleEndian.AppendUint64(b, size)
		return testSection{flags: elf.SHF_COMPRESSED, data: string(binary.LittleEndian.AppendUint64(b, 1)) + "no zlib, which would be noticed"}
	}
	for _, tt := range []struct {
		name string
		str  uint64
		want error
	}{
		{"too much", 1000, ErrLimit},
		{"not too much", 10, ErrFormat},
	} {
		file := testELF{".debug_line": compressed(300), ".debug_info": compressed(300), ".debug_abbrev": {data: "\x00"}, ".debug_str": compressed(tt.str)}.bytes()
		im, err := readImage(bytes.NewReader(file), int64(len(file)), Limits{}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := openDebugInfo(im, im, Limits{Decompressed: 1000}.withDefaults(), true, ""); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}
