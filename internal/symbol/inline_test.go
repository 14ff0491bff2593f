package symbol

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// call is a frame as addr2line tells it.
type call struct {
	function, file string
	line           int
}

// callsAt asks addr2line, binutils' or LLVM's, for the functions at addresses, the inlined ones first.
func callsAt(t testing.TB, tool, bin string, vaddrs []uint64) [][]call {
	t.Helper()
	var in strings.Builder
	for _, v := range vaddrs {
		fmt.Fprintf(&in, "%#x\n", v)
	}
	cmd := exec.Command(tool, "-a", "-f", "-i", "-e", bin)
	cmd.Stdin = strings.NewReader(in.String())
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	var out [][]call
	lines := bufio.NewScanner(strings.NewReader(string(text)))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "0x") {
			out = append(out, nil)
			continue
		}
		c := call{function: lines.Text()}
		lines.Scan()
		at, _, _ := strings.Cut(lines.Text(), " (discriminator")
		colon := strings.LastIndexByte(at, ':')
		c.file = path.Clean(at[:colon])
		c.line, _ = strconv.Atoi(at[colon+1:])
		last := &out[len(out)-1]
		*last = append(*last, c)
	}
	if len(out) != len(vaddrs) {
		t.Fatalf("%v tells of %d addresses, want %d", cmd, len(out), len(vaddrs))
	}
	return out
}

// sameFunction says whether addr2line's name w, of an address whose function is outermost, is that of frame f.
// The differences are those of names for one thing: the symbol table has clones and cold parts under names
// of their own and several constructors at an address; where debug information has no linker's
// name, addr2line tells the source's, or, of an inlined one, that of the function around it.
func sameFunction(f Frame, w, outermost, symbol string, last bool) bool {
	plain, _, _ := strings.Cut(w, "<")
	switch base, _, _ := strings.Cut(f.SystemName, "."); {
	case f.SystemName == w, readable(w, DefaultNameBytes) == f.Function:
		return true
	case last:
		return base == w || strings.HasSuffix(readable(base, DefaultNameBytes), plain) || strings.Contains(f.Function, "::"+plain)
	}
	return !strings.HasPrefix(f.SystemName, "_Z") && (w == outermost || w == symbol)
}

// agreement of the frames of one address with those of addr2line.
func agreement(got []Frame, want []call) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d frames, want %d", len(got), len(want))
	}
	for i, f := range got {
		w := want[i]
		if !sameFunction(f, w.function, want[len(want)-1].function, got[len(got)-1].SystemName, i == len(got)-1) {
			return fmt.Errorf("frame %d is %s (%s), want %s", i, f.Function, f.SystemName, w.function)
		}
		// Lines of a file that is included into a function are none of the function's file.
		if f.Line == 0 && f.File != w.file || f.Line == w.line && f.File == w.file || w.file == "??" {
			continue
		}
		return fmt.Errorf("frame %d is at %s:%d, want %s:%d", i, f.File, f.Line, w.file, w.line)
	}
	return nil
}

// compareInlines holds the frames at addresses of a binary, which may have its debug information in a file of its
// own, against addr2line: those must agree with what one of the two says, as each has its faults.
func compareInlines(t *testing.T, b *Binary, debug string, offs, vaddrs []uint64) {
	t.Helper()
	got := b.Resolve(offs)
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	var answers [][][]call
	for _, tool := range []string{"addr2line", "llvm-addr2line", "llvm-addr2line-14"} {
		if _, err := exec.LookPath(tool); err == nil && len(answers) < 2 {
			answers = append(answers, callsAt(t, tool, cmp.Or(debug, b.Path), vaddrs))
		}
	}
	inlined, wrong, known := 0, 0, 0
	for i, frames := range got {
		if len(frames) == 0 || answers[0][i][0].function == "??" {
			continue
		}
		known++
		if len(frames) > 1 {
			inlined++
		}
		var errs []error
		for _, a := range answers {
			if err := agreement(frames, a[i]); err != nil {
				errs = append(errs, fmt.Errorf("%w: %+v", err, a[i]))
			}
		}
		if len(errs) == len(answers) {
			if wrong++; wrong <= 5 {
				t.Errorf("%#x: %+v\n%v", vaddrs[i], frames, errors.Join(errs...))
			}
		}
	}
	t.Logf("%d of %d known addresses differ, %d have inlined frames", wrong, known, inlined)
	if inlined == 0 {
		t.Error("no address has inlined frames: the comparison is empty")
	}
}

// TestInlines compares the inlined calls around addresses with addr2line, over the formats that compilers write.
func TestInlines(t *testing.T) {
	need(t, "addr2line")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "src/inlines.h"), inlinesHeader)
	cxx := write(t, filepath.Join(dir, "src/prog.cc"), inlinesSource)
	// Of the other program's local class, split by clang, neither tool finds the calls that both find unsplit.
	library := write(t, filepath.Join(dir, "src/library.cc"), librarySource)
	c := write(t, filepath.Join(dir, "src/prog.c"), nestedSource)
	rust := write(t, filepath.Join(dir, "src/main.rs"), rustSource)
	for _, tt := range []struct {
		name    string
		command []string
	}{
		{"gcc dwarf2", []string{"g++", "-gdwarf-2", "-O2", cxx}},
		{"gcc dwarf2 without ranges", []string{"g++", "-gdwarf-2", "-gstrict-dwarf", "-O2", "-ffunction-sections", cxx}},
		{"gcc dwarf4", []string{"g++", "-gdwarf-4", "-O3", cxx}},
		{"gcc dwarf5", []string{"g++", "-gdwarf-5", "-O2", library}},
		{"gcc dwarf5 sections", []string{"g++", "-gdwarf-5", "-O2", "-gz", "-ffunction-sections", "-Wl,--gc-sections", cxx}},
		{"gcc lto", []string{"g++", "-g", "-O2", "-flto", cxx}},
		{"gcc nested", []string{"gcc", "-g", "-O2", c}},
		{"gcc type units", []string{"g++", "-g", "-O2", "-fdebug-types-section", cxx}},
		{"clang dwarf4", []string{"clang++-14", "-gdwarf-4", "-O2", cxx}},
		{"clang dwarf5", []string{"clang++-14", "-gdwarf-5", "-O2", library}},
		{"gcc split dwarf4", []string{"g++", "-gdwarf-4", "-gsplit-dwarf", "-O2", cxx}},
		{"gcc split dwarf5", []string{"g++", "-gdwarf-5", "-gsplit-dwarf", "-O2", cxx}},
		{"gcc split type units", []string{"g++", "-gdwarf-5", "-gsplit-dwarf", "-fdebug-types-section", "-O2", cxx}},
		{"clang split dwarf4", []string{"clang++-14", "-gdwarf-4", "-gsplit-dwarf", "-O2", library}},
		{"clang split dwarf5", []string{"clang++-14", "-gdwarf-5", "-gsplit-dwarf", "-O2", library}},
		{"rust", []string{"rustc", "-g", "-O", rust}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			need(t, tt.command[0])
			bin := filepath.Join(t.TempDir(), "prog")
			run(t, slices.Concat([]string{"env", "-C", filepath.Dir(bin)}, tt.command, []string{"-o", bin})...)
			offs, vaddrs := textOffsets(t, bin, 1000)
			compareInlines(t, open(t, bin), "", offs, vaddrs)
		})
	}
}

// TestInlineBombs: what entries claim costs no more than the limits, and what could be read is told.
func TestInlineBombs(t *testing.T) {
	le := binary.LittleEndian
	const low, size = 0x1000, 0x100
	code := func(b []byte) []byte { return le.AppendUint64(le.AppendUint64(b, low), size) }
	// Abbreviations: 1 the unit (low, high, lines, language), 2 a function (name, low, high), 3 an inlined call
	// (origin, low, high), 4 a call that says where its sibling is, 5 something without attributes, 6 a function that is
	// declared elsewhere (name, specification, low, high).
	const abbrevs = "\x01\x11\x01\x11\x01\x12\x07\x10\x17\x13\x0b\x00\x00" +
		"\x02\x2e\x01\x03\x08\x11\x01\x12\x07\x00\x00" +
		"\x03\x1d\x01\x31\x13\x11\x01\x12\x07\x00\x00" +
		"\x04\x1d\x01\x01\x13\x11\x01\x12\x07\x00\x00" +
		"\x05\x34\x00\x00\x00" +
		"\x06\x2e\x01\x03\x08\x47\x13\x11\x01\x12\x07\x00\x00"
	function := code([]byte("\x02outer\x00"))
	const functionAt = 11 + 1 + 21 // after the unit's header and entry
	call := func(origin uint32) []byte { return code(le.AppendUint32([]byte{3}, origin)) }
	// Two functions, each declared inside the other.
	declared := func(in uint32) []byte { return code(le.AppendUint32([]byte("\x06f\x00"), in)) }
	size6 := uint32(len(declared(0)))
	inFirst, inSecond := functionAt+size6, functionAt+3*size6+2
	around := slices.Concat(declared(inSecond), declared(inFirst), []byte{0, 0}, declared(inFirst), declared(inSecond), []byte{0, 0, 0})
	nested := func(n int) []byte { return bytes.Repeat(call(functionAt), n) }
	for _, tt := range []struct {
		name    string
		entries []byte
		work    int64
		frames  int
		want    error
	}{
		{name: "a call", entries: slices.Concat(function, call(functionAt), []byte{0, 0, 0}), frames: 2},
		{name: "many calls in one another", entries: slices.Concat(function, nested(1000), make([]byte, 1002)), frames: maxInlined + 1},
		{name: "deeper than any compiler", entries: slices.Concat(function, nested(maxDepth), make([]byte, maxDepth)), frames: maxInlined + 1, want: ErrLimit},
		{name: "a call of itself", entries: slices.Concat(function, call(functionAt+uint32(len(function))), []byte{0, 0, 0}), frames: 1},
		{name: "a call of nothing", entries: slices.Concat(function, call(1<<31), []byte{0, 0, 0}), frames: 1},
		{name: "a sibling that is behind", entries: slices.Concat(function, code([]byte{4, functionAt, 0, 0, 0}), []byte{0, 0, 0}), frames: 1},
		{name: "an unknown abbreviation", entries: slices.Concat(function, []byte{99}), frames: 1, want: ErrFormat},
		{name: "entries that do not end", entries: slices.Concat(function, call(functionAt)), frames: 2},
		{name: "functions declared in one another", entries: around, frames: 1},
		{name: "cut short", entries: slices.Concat(function, call(functionAt)[:9]), frames: 1, want: ErrFormat},
		{name: "more than may be read", entries: slices.Concat(function, bytes.Repeat([]byte{5}, 1<<20)), work: 1 << 20, frames: 1, want: ErrLimit},
	} {
		const cxx = 0x04
		unit := append(le.AppendUint32(code([]byte{1}), 0), cxx)
		info := slices.Concat([]byte{4, 0, 0, 0, 0, 0, 8}, unit, tt.entries)
		file := testELF{".debug_line": {data: "x"}, ".debug_abbrev": {data: abbrevs + "\x00"},
			".debug_info": {data: string(le.AppendUint32(nil, uint32(len(info)))) + string(info)}}.bytes()
		im, err := readImage(bytes.NewReader(file), int64(len(file)), Limits{}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		d, err := openDebugInfo(im, im, Limits{DebugWork: tt.work}.withDefaults(), true, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := d.index(); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		frames, err := d.inlines([]uint64{low + 1})
		if len(frames[0]) != tt.frames || !errors.Is(err, tt.want) || (tt.want == nil) != (err == nil) {
			t.Errorf("%s: %d frames, %v; want %d, %v", tt.name, len(frames[0]), err, tt.frames, tt.want)
		}
	}
}
