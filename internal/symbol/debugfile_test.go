package symbol

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"
)

const debugSource = "__attribute__((noinline)) int visible(int x) { return x * 3 + 1; }\nstatic __attribute__((noinline)) int hidden(int x) { return visible(x) * x; }\nint main(int argc, char **argv) { return hidden(argc); }\n"

// stripped builds a program without symbols, and its debug file, in a
// directory of their own. at is where the function hidden is in the program.
func stripped(t *testing.T, flags ...string) (bin, debug string, at uint64) {
	t.Helper()
	need(t, "gcc", "objcopy")
	dir := t.TempDir()
	source := write(t, filepath.Join(dir, "src/prog.c"), debugSource)
	full := filepath.Join(dir, "full")
	run(t, append(append([]string{"gcc", "-g", "-O1", "-rdynamic", "-o", full}, flags...), source)...)
	at = offsetOf(t, full, "hidden")
	bin, debug = filepath.Join(dir, "bin/prog"), filepath.Join(dir, "prog.debug")
	if err := os.Mkdir(filepath.Dir(bin), 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, "objcopy", "--only-keep-debug", full, debug)
	run(t, "objcopy", "--strip-all", full, bin)
	return bin, debug, at
}

// move puts a file elsewhere.
func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// nameAt is the function that a fresh Resolver names at an offset, with its line.
func nameAt(t *testing.T, opt Options, bin string, at uint64) (name string, line int, err error) {
	t.Helper()
	r := New(opt)
	defer r.Close()
	b, err := r.Open(mapped(t, bin))
	if err != nil {
		t.Fatal(err)
	}
	if frames := b.Resolve([]uint64{at})[0]; len(frames) > 0 {
		name, line = frames[0].Function, frames[0].Line
	}
	return name, line, b.Err()
}

// TestDebugLink: a debug file is found by the name in .gnu_debuglink, at each of
// the places where it may be, and taken only if it is the right one.
func TestDebugLink(t *testing.T) {
	for _, id := range []string{"none", "sha1"} {
		bin, debug, at := stripped(t, "-Wl,--build-id="+id)
		run(t, "objcopy", "--add-gnu-debuglink="+debug, bin)
		opt := Options{Debug: t.TempDir()}
		if name, _, err := nameAt(t, opt, bin, at); name != "" || err != nil {
			t.Fatalf("build id %s: %q (%v) without a debug file, want nothing", id, name, err)
		}
		dir := filepath.Dir(bin)
		last := debug
		for _, place := range []string{filepath.Join(dir, "prog.debug"), filepath.Join(dir, ".debug/prog.debug"), filepath.Join(opt.Debug, dir, "prog.debug")} {
			move(t, last, place)
			last = place
			if name, line, err := nameAt(t, opt, bin, at); name != "hidden" || line != 2 || err != nil {
				t.Errorf("build id %s, %s: %q line %d (%v), want hidden line 2", id, place, name, line, err)
			}
		}
		// The same file but for a byte at its end, and that of another program.
		data, err := os.ReadFile(last)
		if err != nil {
			t.Fatal(err)
		}
		if id == "none" {
			write(t, last, string(append(data, 0)))
			if name, _, _ := nameAt(t, opt, bin, at); name != "" {
				t.Errorf("%q from a debug file with another sum", name)
			}
			continue
		}
		_, other, _ := stripped(t, "-Wl,--build-id=0x1234")
		move(t, other, last)
		if name, _, _ := nameAt(t, opt, bin, at); name != "" {
			t.Errorf("%q from a debug file with another build id", name)
		}
	}
}

// TestDebugLinkName: a link is a name in a directory.
func TestDebugLinkName(t *testing.T) {
	for _, tt := range []struct {
		section string
		name    string
		sum     uint32
	}{
		{"a.debug\x00\x01\x02\x03\x04", "a.debug", 0x04030201},
		{"ab\x00\x00\x01\x02\x03\x04", "ab", 0x04030201},
		{"../x\x00\x00\x00\x00\x01\x02\x03\x04", "", 0},
		{"..\x00\x00\x01\x02\x03\x04", "", 0},
		{"\x00\x00\x00\x00\x01\x02\x03\x04", "", 0},
		{"abc\x00\x01\x02\x03", "", 0},
		{"without an end", "", 0},
		{"", "", 0},
		{strings.Repeat("x", 300) + "\x00\x00\x00\x00\x01\x02\x03\x04", "", 0},
	} {
		im := &image{r: strings.NewReader(tt.section), size: uint64(len(tt.section)),
			sections: []section{{name: ".gnu_debuglink", size: uint64(len(tt.section))}}}
		if name, sum, ok := im.debugLink(); name != tt.name || sum != tt.sum || ok != (tt.name != "") {
			t.Errorf("%q: %q %#x %v, want %q %#x", tt.section, name, sum, ok, tt.name, tt.sum)
		}
	}
}

// packed compresses as the tools of packages do.
func packed(t testing.TB, data []byte, config xz.WriterConfig) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := config.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestMiniDebug: .gnu_debugdata names the functions that .dynsym lacks, which names the others.
func TestMiniDebug(t *testing.T) {
	bin, debug, at := stripped(t)
	visible := offsetOfDynamic(t, bin, "visible")
	data, err := os.ReadFile(debug)
	if err != nil {
		t.Fatal(err)
	}
	section := write(t, filepath.Join(t.TempDir(), "debugdata"), string(packed(t, data, xz.WriterConfig{BlockSize: 4 << 10})))
	run(t, "objcopy", "--add-section=.gnu_debugdata="+section, bin)
	opt := Options{Debug: t.TempDir()}
	for off, want := range map[uint64]string{at: "hidden", visible: "visible"} {
		if name, _, err := nameAt(t, opt, bin, off); name != want || err != nil {
			t.Errorf("%q (%v), want %q", name, err, want)
		}
	}
}

func offsetOfDynamic(t *testing.T, path, name string) uint64 {
	t.Helper()
	b := open(t, path)
	for v := b.image.code[0].off; v < b.image.code[0].off+b.image.code[0].filesz; v++ {
		if frames := b.Resolve([]uint64{v})[0]; len(frames) > 0 && frames[0].Function == name {
			return v
		}
	}
	t.Fatalf("%s: no dynamic symbol %s", path, name)
	return 0
}

// TestXZSize: sizes are known before anything is unpacked, and what would take too much
// memory is refused.
func TestXZSize(t *testing.T) {
	data := bytes.Repeat([]byte("the quick brown fox"), 10000)
	for _, config := range []xz.WriterConfig{{}, {BlockSize: 1 << 14}, {CheckSum: xz.SHA256}, {NoCheckSum: true}, {DictCap: 1 << 26}} {
		b := packed(t, data, config)
		if n, err := xzSize(b); n != uint64(len(data)) || err != nil {
			t.Errorf("%+v: %d bytes (%v), want %d", config, n, err, len(data))
		}
		for _, n := range []int{0, 11, 12, 13, 30, len(b) / 2} {
			if _, err := xzSize(b[:n]); !errors.Is(err, ErrFormat) {
				t.Errorf("%+v, first %d bytes: %v, want %v", config, n, err, ErrFormat)
			}
		}
	}
	// Of four gigabytes, as one byte of the header tells.
	large := packed(t, data, xz.WriterConfig{})
	large[bytes.IndexByte(large[12:], 0x21)+14] = 40
	if _, err := xzSize(large); !errors.Is(err, ErrLimit) {
		t.Errorf("dictionary of 4 GiB: %v, want %v", err, ErrLimit)
	}
	im := &image{r: bytes.NewReader(large), size: uint64(len(large)), sections: []section{{name: ".gnu_debugdata", size: uint64(len(large))}}}
	if _, err := im.miniDebug(Limits{Decompressed: 1 << 30}); !errors.Is(err, ErrLimit) {
		t.Errorf("dictionary of 4 GiB: %v, want %v", err, ErrLimit)
	}
	// A thousand blocks of next to nothing, each with a dictionary.
	var blocks []byte
	small := packed(t, []byte("x"), xz.WriterConfig{NoCheckSum: true})
	header := (int(small[12]) + 1) * 4
	_, n, err := lzma2Size(small[12+header:])
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		blocks = append(blocks, small[12:12+header+(n+3)&^3]...)
	}
	if _, err := xzSize(slices.Concat(small[:12], blocks, small[12+header+(n+3)&^3:])); !errors.Is(err, ErrLimit) {
		t.Errorf("a thousand blocks: %v, want %v", err, ErrLimit)
	}
	bomb := packed(t, make([]byte, 1<<20), xz.WriterConfig{})
	im = &image{r: bytes.NewReader(bomb), size: uint64(len(bomb)), sections: []section{{name: ".gnu_debugdata", size: uint64(len(bomb))}}}
	if _, err := im.miniDebug(Limits{Decompressed: 1 << 19}); !errors.Is(err, ErrLimit) {
		t.Errorf("a megabyte in %d bytes: %v, want %v", len(bomb), err, ErrLimit)
	}
}

// FuzzMiniDebug: the size that is told is not exceeded, and nothing panics.
func FuzzMiniDebug(f *testing.F) {
	for _, config := range []xz.WriterConfig{{}, {BlockSize: 100}, {CheckSum: xz.CRC32}} {
		f.Add(packed(f, bytes.Repeat([]byte("symbols"), 100), config))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		size, err := xzSize(b)
		if err != nil || size > 1<<20 {
			return
		}
		im := &image{r: bytes.NewReader(b), size: uint64(len(b)), sections: []section{{name: ".gnu_debugdata", size: uint64(len(b))}}}
		_, _ = im.miniDebug(Limits{Decompressed: 1 << 20}.withDefaults())
	})
}

// TestDebugFileOfProcess: in a mount namespace of its own (a container) a process has debug
// files that we have not. Ours are taken first.
func TestDebugFileOfProcess(t *testing.T) {
	bin, debug, at := stripped(t)
	_, ours, _ := stripped(t)
	run(t, "objcopy", "--add-gnu-debuglink="+debug, bin)
	id := open(t, bin).BuildID
	proc, root, tree := t.TempDir(), t.TempDir(), t.TempDir()
	inside := filepath.Join(proc, "70/root/opt/app/prog")
	move(t, bin, inside)
	m := mapped(t, inside)
	m.PID, m.File = 70, "/opt/app/prog"
	last := debug
	for _, place := range []string{
		"70/root/opt/app/prog.debug",
		"70/root/usr/lib/debug/opt/app/prog.debug",
		"70/root/usr/lib/debug/.build-id/" + id[:2] + "/" + id[2:] + ".debug",
	} {
		move(t, last, filepath.Join(proc, place))
		last = filepath.Join(proc, place)
		r := New(Options{Proc: proc, Root: root, Debug: tree})
		b, err := r.Open(m)
		if err != nil {
			t.Fatal(err)
		}
		if f := one(t, b, at); f.Function != "hidden" || f.Line != 2 || b.debug.path != last {
			t.Errorf("%s: %+v of %s, want hidden line 2", place, f, b.debug.path)
		}
		r.Close()
	}
	path := filepath.Join(tree, ".build-id", id[:2], id[2:]+".debug")
	run(t, "cp", last, ours)
	move(t, ours, path)
	r := New(Options{Proc: proc, Root: root, Debug: tree})
	defer r.Close()
	b, err := r.Open(m)
	if err != nil {
		t.Fatal(err)
	}
	if f := one(t, b, at); f.Function != "hidden" || b.debug.path != path {
		t.Errorf("%+v of %s, want that of %s", f, b.debug.path, path)
	}
}
