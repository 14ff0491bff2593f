package perfdata

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is no file that can be read is refused, with its name, a reason and a place.
func TestRefused(t *testing.T) {
	whole := testFile(binary.LittleEndian).file()
	changed := func(at int, b ...byte) []byte {
		c := bytes.Clone(whole)
		copy(c[at:], b)
		return c
	}
	noEvents := &built{order: binary.LittleEndian}
	noEvents.round()
	tests := []struct {
		name string
		b    []byte
		want error
		says string
	}{
		{"nothing", nil, ErrNotPerfData, "0 bytes"},
		{"an ELF file", []byte("\x7fELF and so on, as they are"), ErrNotPerfData, `"\x7fELF`},
		{"a profile", []byte("\x1f\x8b\x08\x00 and so on, packed"), ErrNotPerfData, "gzip"},
		{"a recording without its header", make([]byte, 4096), ErrNotPerfData, "killed"},
		{"half a header", whole[:50], ErrDamaged, "50 bytes"},
		{"size of the header", changed(8, 9), ErrDamaged, "at 0x8"},
		{"size of attributes", changed(16, 9, 0), ErrDamaged, "at 0x10"},
		{"place of attributes", changed(24, 0xff, 0xff, 0xff), ErrDamaged, "at 0x18"},
		{"place of the data", changed(40, 0xff, 0xff, 0xff), ErrDamaged, "at 0x28"},
		{"an attribute's own size", changed(headerSize+4, 0, 1), ErrDamaged, "at 0x68"},
		{"fields of samples to come", changed(headerSize+24+7, 1), ErrUnsupported, "unknown sample format"},
		{"no event", noEvents.piped(), ErrNoEvents, ""},
		{"a first record of no size", append(noEvents.piped()[:pipeHeaderSize], make([]byte, 8)...), ErrDamaged, "at 0x10"},
	}
	for _, test := range tests {
		path := filepath.Join(t.TempDir(), "perf.data")
		must(t, os.WriteFile(path, test.b, 0o600))
		f, err := Open(path)
		if err == nil {
			f.Close()
		}
		if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v; want %v and %q", test.name, err, test.want, test.says)
		}
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := NewReader(bytes.NewBuffer(whole), "pipe"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("sections in a pipe: %v", err)
	}
}

// Either form can come through a pipe.
func TestPipe(t *testing.T) {
	f := testFile(binary.LittleEndian)
	var want transcript
	readFile(t, f.file(), &want)
	for _, b := range [][]byte{f.file(), f.piped()} {
		r, w, err := os.Pipe()
		must(t, err)
		go func() {
			w.Write(b)
			w.Close()
		}()
		file, err := open(r, "pipe")
		must(t, err)
		var got transcript
		_, err = file.Read(&got)
		must(t, err)
		if got.String() != want.String() {
			t.Errorf("%d records of %d", got.records, want.records)
		}
		must(t, file.Close())
		must(t, r.Close())
	}
	for _, b := range []string{"", "text and no more"} {
		if _, err := fromPipe(strings.NewReader(b), "pipe"); !errors.Is(err, ErrNotPerfData) {
			t.Errorf("%q: %v", b, err)
		}
	}
}

// A recording that was not ended in order has no size of its data, and no features.
func TestUnfinished(t *testing.T) {
	f := testFile(binary.LittleEndian)
	var want transcript
	readFile(t, f.file(), &want)
	b := f.file()
	copy(b[48:], make([]byte, 8))
	var got transcript
	_, r := readFile(t, b, &got)
	if got.String() != want.String() || len(r.Notes) != 1 || r.Truncated != -1 {
		t.Errorf("%d records of %d, %+v", got.records, want.records, r)
	}
	file, err := NewFile(bytesOf(b))
	must(t, err)
	must(t, file.Close())
	file, err = NewFile(bytesOf(b))
	must(t, err)
	_, err = file.Read(&counter{})
	must(t, err)
	if _, err := file.Read(&counter{}); err == nil {
		t.Error("a file can be read twice")
	}
}
