package symbol

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPLT: every stub that objdump names has that name.
func TestPLT(t *testing.T) {
	need(t, "gcc", "objdump")
	dir := t.TempDir()
	src := write(t, filepath.Join(dir, "prog.c"), `#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv) { void *p = malloc(argc); memset(p, 1, argc); puts(argv[0]); free(p); return getenv("x") != 0; }`)
	for _, flags := range [][]string{{}, {"-fcf-protection=full", "-Wl,-z,ibtplt"}, {"-no-pie"}, {"-Wl,-z,now"}, {"-fno-plt"}} {
		bin := filepath.Join(dir, "prog")
		args := append(append([]string{"gcc", "-O1"}, flags...), "-o", bin, src)
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Logf("%v: not here: %s", flags, out)
			continue
		}
		f, err := elf.Open(bin)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b := open(t, bin)
		found := 0
		for line := range strings.Lines(run(t, "objdump", "-d", "-j.plt", "-j.plt.sec", "-j.plt.got", bin)) {
			var addr uint64
			var name string
			if n, _ := fmt.Sscanf(line, "%x <%s", &addr, &name); n != 2 {
				continue
			}
			name = strings.TrimSuffix(name, ">:")
			if !strings.HasSuffix(name, "@plt") {
				continue
			}
			got := b.Resolve([]uint64{addr - f.Section(".text").Addr + f.Section(".text").Offset})[0]
			if len(got) != 1 || got[0].Function != name {
				// With ibtplt, the lazy halves are named by objdump too.
				if len(flags) == 2 && len(got) == 0 {
					continue
				}
				t.Errorf("%v %#x: %v, want %s", flags, addr, got, name)
				continue
			}
			found++
		}
		if found == 0 {
			t.Logf("%v: objdump names no stub", flags)
			if len(flags) == 0 {
				t.Error("no stub in a plain program: the comparison is empty")
			}
		}
	}
}

// TestDebugFile: a stripped program gets names and lines from the file that a
// distribution installs beside it, if its build id agrees.
func TestDebugFile(t *testing.T) {
	need(t, "gcc", "objcopy", "strip")
	bin := buildWait(t, "-Wl,--build-id=0xabcdef0123")
	off := offsetOf(t, bin, "wait_here")
	debug := filepath.Join(t.TempDir(), "debug")
	file := filepath.Join(debug, ".build-id/ab/cdef0123.debug")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, "objcopy", "--only-keep-debug", bin, file)
	run(t, "strip", bin)
	resolve := func() ([]Frame, error) {
		r := New(Options{Debug: debug})
		defer r.Close()
		b, err := r.Open(mapped(t, bin))
		if err != nil {
			t.Fatal(err)
		}
		return b.Resolve([]uint64{off})[0], b.Err()
	}
	if got, err := resolve(); err != nil || len(got) != 1 || got[0].Function != "wait_here" || got[0].Line != 4 {
		t.Errorf("frames %v, %v", got, err)
	}
	run(t, "objcopy", "--remove-section", ".note.gnu.build-id", file)
	if got, err := resolve(); err != nil || len(got) != 0 {
		t.Errorf("with a file of another build: %v, %v, want no names", got, err)
	}
}

func TestZstd(t *testing.T) {
	need(t, "gcc", "objcopy")
	bin := buildWait(t)
	if out, err := exec.Command("objcopy", "--compress-debug-sections=zstd", bin).CombinedOutput(); err != nil {
		t.Skipf("this objcopy has no zstd: %s", out)
	}
	if got := one(t, open(t, bin), offsetOf(t, bin, "wait_here")); got.Line != 4 {
		t.Errorf("frame %+v", got)
	}
}

// TestBombs: what a file claims costs no more than the limits.
func TestBombs(t *testing.T) {
	var zeros bytes.Buffer
	z, err := zlib.NewWriterLevel(&zeros, zlib.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	for range 64 {
		if _, err := z.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	chdr := func(kind uint32, size uint64) string {
		b := binary.LittleEndian.AppendUint32(nil, kind)
		b = binary.LittleEndian.AppendUint32(b, 0)
		b = binary.LittleEndian.AppendUint64(b, size)
		return string(binary.LittleEndian.AppendUint64(b, 1))
	}
	small := Limits{Decompressed: 16 << 20, Symbols: 10, Sections: 10, TableBytes: 1 << 10, Units: 3}
	for _, tt := range []struct {
		name string
		file testELF
		want error
	}{
		{"inflation", testELF{".debug_line": {flags: elf.SHF_COMPRESSED, data: chdr(1, 64<<20) + zeros.String()}}, ErrLimit},
		{"claim beyond deflate", testELF{".debug_line": {flags: elf.SHF_COMPRESSED, data: chdr(1, 8<<20) + "x"}}, ErrFormat},
		{"claim below the data", testELF{".debug_line": {flags: elf.SHF_COMPRESSED, data: chdr(1, 70<<10) + zeros.String()}}, nil},
		{"zstd that lies", testELF{".debug_line": {flags: elf.SHF_COMPRESSED, data: chdr(2, 15<<20) + "no zstd"}}, ErrFormat},
		{"unknown compression", testELF{".debug_line": {flags: elf.SHF_COMPRESSED, data: chdr(99, 10)}}, ErrFormat},
		{"many symbols", testELF{".symtab": {kind: elf.SHT_SYMTAB, data: strings.Repeat("\x01\x00\x00\x00\x12\x00\x01\x00"+strings.Repeat("\x00", 16), 20)}}, ErrLimit},
		{"large table", testELF{".symtab": {kind: elf.SHT_SYMTAB, data: strings.Repeat("x", 2<<10)}}, ErrLimit},
		{"many units", testELF{".debug_line": {data: "x"}, ".debug_abbrev": {data: "\x00"},
			".debug_info": {data: strings.Repeat("\x07\x00\x00\x00\x04\x00\x00\x00\x00\x00\x08", 5)}}, ErrLimit},
		{"unit that does not fit", testELF{".debug_line": {data: "x"}, ".debug_abbrev": {data: "\x00"},
			".debug_info": {data: "\xff\x00\x00\x00\x04\x00\x00\x00\x00\x00\x08"}}, ErrFormat},
	} {
		path := write(t, filepath.Join(t.TempDir(), "bomb"), string(tt.file.bytes()))
		b, err := New(Options{Limits: small}).Open(mapped(t, path))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		b.Resolve([]uint64{0})
		if !errors.Is(b.Err(), tt.want) || (tt.want == nil) != (b.Err() == nil) {
			t.Errorf("%s: %v, want %v", tt.name, b.Err(), tt.want)
		}
	}
}

// testELF is a 64-bit file of sections alone.
type testELF map[string]testSection

type testSection struct {
	kind  elf.SectionType
	flags elf.SectionFlag
	data  string
}

func (f testELF) bytes() []byte {
	names := []string{"", ".strtab"}
	for _, n := range []string{".symtab", ".debug_line", ".debug_info", ".debug_abbrev", ".debug_str"} {
		if _, ok := f[n]; ok {
			names = append(names, n)
		}
	}
	strtab := strings.Join(names, "\x00") + "\x00"
	le := binary.LittleEndian
	b := make([]byte, 64)
	copy(b, elf.ELFMAG+"\x02\x01\x01")
	le.PutUint16(b[18:], uint16(elf.EM_X86_64))
	le.PutUint16(b[58:], 64)
	le.PutUint16(b[60:], uint16(len(names)))
	le.PutUint16(b[62:], 1)
	var headers []byte
	for i, n := range names {
		s := f[n]
		switch n {
		case "":
		case ".strtab":
			s = testSection{kind: elf.SHT_STRTAB, data: strtab}
		default:
			if s.kind == 0 {
				s.kind = elf.SHT_PROGBITS
			}
		}
		var h [64]byte
		if i > 0 {
			le.PutUint32(h[0:], uint32(strings.Index(strtab, n)))
		}
		le.PutUint32(h[4:], uint32(s.kind))
		le.PutUint64(h[8:], uint64(s.flags))
		le.PutUint64(h[24:], uint64(len(b)))
		le.PutUint64(h[32:], uint64(len(s.data)))
		le.PutUint32(h[40:], 1)
		b = append(b, s.data...)
		headers = append(headers, h[:]...)
	}
	le.PutUint64(b[40:], uint64(len(b)))
	return append(b, headers...)
}
