package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"
)

func TestArchive(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sub", "f"), []byte("data"), 0o640); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	a := newArchive(&b)
	for _, err := range []error{
		a.add("etc/passwd", 0o644, []byte("root")),
		a.addTree("tests/p/testdata", dir),
		a.addTree("tests/p/none", filepath.Join(dir, "none")),
		a.w.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if b.Len()%4 != 0 {
		t.Errorf("the archive has %d bytes: no other can follow it", b.Len())
	}
	var got []string
	r := cpio.NewReader(&b)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.TrimSpace(h.Mode.String()+" "+h.Name+" "+string(text)))
	}
	want := []string{
		"040755 etc", "0100644 etc/passwd root",
		"040755 tests", "040755 tests/p", "040755 tests/p/testdata", "040755 tests/p/testdata/sub", "0100640 tests/p/testdata/sub/f data",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestImageList holds that a boot's list replaces that of the boot before.
func TestImageList(t *testing.T) {
	i := image{initramfs: filepath.Join(t.TempDir(), "g.cpio"), base: 512}
	if err := os.WriteFile(i.initramfs, make([]byte, 512), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, lines := range [][]string{{strings.Repeat("long ", 999)}, {"a", "b"}, nil} {
		if err := i.list(lines); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(i.initramfs)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := bytes.Contains(b, []byte(strings.Join(lines, "\n"))), true; got != want {
			t.Errorf("list of %d lines is not in the archive", len(lines))
		}
		if lines == nil && len(b) != 512 {
			t.Errorf("%d bytes without a list, want 512", len(b))
		}
		if strings.Contains(string(b), "long") && len(lines) == 2 {
			t.Error("the list before is still there")
		}
	}
}
