package symbol

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// The limits of .gnu_debugdata: Fedora's largest has some 10 MB. The dictionary
// is allocated as a header tells, before anything else is known; xz -9 has 64 MiB.
const (
	maxMiniDebug  = 128 << 20
	maxDictionary = 64 << 20
	// xzWork is how much longer a byte of it takes than one that is only examined.
	xzWork = 4
)

// miniDebug reads .gnu_debugdata: an ELF file, compressed with xz, with the symbols
// of functions that .dynsym lacks, as Fedora's and others' packages have it. Nil
// without an error if there is none.
func (im *image) miniDebug(lim Limits) (*image, error) {
	s := im.section(".gnu_debugdata")
	if s == nil || s.size == 0 {
		return nil, nil
	}
	if int64(s.size) < 0 || int64(s.size) > min(maxMiniDebug, lim.Decompressed) {
		return nil, fmt.Errorf("%w: %d bytes", ErrLimit, s.size)
	}
	packed, err := im.bytes(s.off, s.size)
	if err != nil {
		return nil, err
	}
	size, err := xzSize(packed)
	if err != nil {
		return nil, err
	}
	if size > uint64(min(maxMiniDebug, lim.Decompressed)) {
		return nil, fmt.Errorf("%w: %d bytes decompressed", ErrLimit, size)
	}
	im.unpacked = int64(size)
	r, err := xz.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, formatError("%v", err)
	}
	data, err := readExactly(r, size)
	if err != nil {
		return nil, err
	}
	mini, err := readImage(bytes.NewReader(data), int64(len(data)), lim)
	if mini == nil {
		return nil, err
	}
	return mini, nil
}

// xzSize walks the headers of an xz file (The .xz File Format, versions 1.0.4 and
// 1.1.0; the chunks of LZMA2) and gives its size when decompressed, before anything is
// allocated for it. Dictionaries that are too large are refused, as is what the
// library cannot read: filters other than LZMA2, several streams in one.
func xzSize(b []byte) (size uint64, err error) {
	if len(b) < 12 || string(b[:6]) != "\xfd7zXZ\x00" || b[6] != 0 || b[7] > 15 {
		return 0, formatError("no header of xz")
	}
	check := []int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}[b[7]]
	at, dictionaries := 12, uint64(0)
	for {
		if at >= len(b) {
			return 0, formatError("xz ends without an index")
		}
		if b[at] == 0 {
			return size, nil // the index
		}
		header := (int(b[at]) + 1) * 4
		if header > len(b)-at {
			return 0, formatError("xz block header cut short")
		}
		dictionary, err := dictionaryOf(b[at : at+header])
		if err != nil {
			return 0, err
		}
		// Each block gets its own, and zeroed: a block of nothing must not cost that.
		if dictionaries += uint64(dictionary); dictionaries > 2*maxDictionary+size {
			return 0, fmt.Errorf("%w: xz dictionaries of %d bytes for %d", ErrLimit, dictionaries, size)
		}
		at += header
		unpacked, n, err := lzma2Size(b[at:])
		if err != nil {
			return 0, err
		}
		size += unpacked
		at += (n+3)&^3 + check
	}
}

// dictionaryOf reads the header of a block: flags, sizes if they are there, and the
// one filter, with the size of its dictionary.
func dictionaryOf(h []byte) (int64, error) {
	flags, h := h[1], h[2:]
	if flags&0x3f != 0 { // more than one filter, or what is reserved
		return 0, formatError("xz with other filters than LZMA2")
	}
	for _, bit := range []byte{0x40, 0x80} { // compressed and uncompressed size
		if flags&bit != 0 {
			_, n := binary.Uvarint(h)
			if n <= 0 {
				return 0, formatError("xz block header")
			}
			h = h[n:]
		}
	}
	const lzma2 = 0x21
	if len(h) < 3 || h[0] != lzma2 || h[1] != 1 {
		return 0, formatError("xz with other filters than LZMA2")
	}
	dictionary, err := lzma.DecodeDictCap(h[2])
	if err != nil {
		return 0, formatError("%v", err)
	}
	if dictionary > maxDictionary {
		return 0, fmt.Errorf("%w: xz dictionary of %d bytes", ErrLimit, dictionary)
	}
	return dictionary, nil
}

// lzma2Size walks the chunks of an LZMA2 stream: how much they unpack to, and how many
// bytes they are.
func lzma2Size(b []byte) (size uint64, n int, err error) {
	for n < len(b) {
		control := b[n]
		var head, data int
		switch {
		case control == 0:
			return size, n + 1, nil
		case control <= 2: // stored
			head = 3
		case control < 0x80:
			return 0, 0, formatError("LZMA2 chunk %#x", control)
		case control < 0xc0:
			head = 5
		default: // with new properties
			head = 6
		}
		if len(b)-n < head {
			break
		}
		low := int(binary.BigEndian.Uint16(b[n+1:])) + 1
		if control < 0x80 {
			size, data = size+uint64(low), low
		} else {
			size += uint64(control&0x1f)<<16 + uint64(low)
			data = int(binary.BigEndian.Uint16(b[n+3:])) + 1
		}
		n += head + data
	}
	return 0, 0, formatError("LZMA2 ends without its end: %v", io.ErrUnexpectedEOF)
}
