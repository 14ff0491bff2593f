package perfdata

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// unzip undoes perf record -z. All compressed records of a file together are
// one zstd stream, cut anywhere: the compressor is flushed after each visit to a
// ring, and what does not fit into a record goes on in the next. The decoder
// cannot wait for more in the middle of a block, so it is given one whole block at
// a time, whose ends are looked for here (RFC 8878, sections 3.1.1.1 and 3.1.1.2).
type unzip struct {
	window  // what came out and was not taken yet
	decoder *zstd.Decoder
	input   []byte // what came in and was not decoded yet
	feed    feeder
	inFrame bool
	sum     bool   // the frame ends with a checksum
	small   bool   // the file is too small for a large window
	skip    uint64 // how many bytes more that come out are of no use
}

const (
	zstdMagic    = 0xfd2fb528
	maxZstdBlock = 128 << 10
	// perf compresses with windows of at most 128 MiB (level 22); its default
	// level has 512 KiB. A decoder takes the memory at once, so it is not given to
	// a small file, which can hardly reach back as far.
	maxZstdWindow      = 128 << 20
	smallZstdWindowLog = 24
	// largeFile is where a file is large enough for the largest window.
	largeFile = 4 << 20
	// largePayload is that of the first record of a pipe.
	largePayload = 2 << 10
)

// feeder hands out what the decoder may see.
type feeder struct{ b []byte }

func (r *feeder) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.b)
	r.b = r.b[n:]
	return n, nil
}

// add takes the payload of one compressed record and calls emit whenever the
// window holds more; emit takes whole records from it.
func (u *unzip) add(payload []byte, emit func() error) error {
	u.input = append(u.input, payload...)
	at := 0
	defer func() { u.input = u.input[:copy(u.input, u.input[at:])] }()
	for {
		n, empty, err := u.scan(u.input[at:])
		if err != nil || n == 0 {
			return err
		}
		block := u.input[at : at+n]
		at += n
		if empty {
			continue
		}
		if err := u.decode(block); err != nil {
			return err
		}
		if err := emit(); err != nil {
			return err
		}
	}
}

// scan returns the length of the next block, with the header of its frame if
// it is the first, and with the checksum if it is the last; 0 if it is not whole
// yet. A block without content is not for the decoder, which would wait for another.
func (u *unzip) scan(in []byte) (n int, empty bool, err error) {
	header := 0
	sum := u.sum
	if !u.inFrame {
		if header, sum, err = u.frameHeader(in); err != nil || header == 0 {
			return 0, false, err
		}
	}
	if len(in) < header+3 {
		return 0, false, nil
	}
	h := uint32(in[header]) | uint32(in[header+1])<<8 | uint32(in[header+2])<<16
	last, kind, size := h&1 != 0, h>>1&3, int(h>>3)
	if kind == 3 || size > maxZstdBlock {
		return 0, false, fmt.Errorf("zstd block of type %d and %d bytes: %w", kind, size, ErrDamaged)
	}
	n = header + 3 + size
	if kind == 1 { // one byte, to be repeated
		n = header + 4
	}
	if last && sum {
		n += 4
	}
	if len(in) < n {
		return 0, false, nil
	}
	empty = size == 0 && kind != 2
	if empty && header > 0 && !last {
		// The decoder must see the header: with the next block.
		copy(in[3:], in[:header])
		return 3, true, nil
	}
	if header > 0 {
		if err := u.begin(); err != nil {
			return 0, false, err
		}
	}
	u.inFrame, u.sum = !last, sum
	return n, empty, nil
}

// begin prepares the decoder for a new frame.
func (u *unzip) begin() error {
	if u.decoder == nil {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return err
		}
		u.decoder = d
	}
	return u.decoder.Reset(&u.feed)
}

// frameHeader returns the length of a frame's header, 0 if it is not whole yet,
// and whether a checksum ends the frame.
func (u *unzip) frameHeader(in []byte) (n int, sum bool, err error) {
	if len(in) < 6 {
		return 0, false, nil
	}
	if magic := binary.LittleEndian.Uint32(in); magic != zstdMagic {
		return 0, false, fmt.Errorf("compressed records that begin with %#x are not of zstd: %w", magic, ErrDamaged)
	}
	descriptor := in[4]
	single := descriptor&0x20 != 0
	n = 5
	if !single {
		n++
		if log := 10 + in[5]>>3; u.small && log >= smallZstdWindowLog {
			in[5] = (smallZstdWindowLog - 10) << 3
		}
	}
	n += []int{0, 1, 2, 4}[descriptor&3]
	content := []int{0, 2, 4, 8}[descriptor>>6]
	if content == 0 && single {
		content = 1
	}
	if len(in) < n+content {
		return 0, false, nil
	}
	if single && content >= 4 && binary.LittleEndian.Uint32(in[n:]) > 1<<smallZstdWindowLog || single && content == 8 {
		return 0, false, fmt.Errorf("zstd frame in one large segment: %w", ErrUnsupported)
	}
	return n + content, descriptor&4 != 0, nil
}

// decode appends the content of one block to the window.
func (u *unzip) decode(block []byte) error {
	u.feed.b = block
	n, err := u.decoder.Read(u.room(maxZstdBlock))
	u.end += n
	if n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	if err != nil {
		return fmt.Errorf("zstd: %w: %w", err, ErrDamaged)
	}
	return nil
}

// stop gives back what the decoder and the window hold.
func (u *unzip) stop() {
	if u.decoder != nil {
		u.decoder.Close()
		u.decoder = nil
	}
	u.done()
}
