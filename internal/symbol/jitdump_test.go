package symbol

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// journal writes a jitdump as runtimes do.
type journal []byte

func newJournal(flags uint64) journal {
	le := binary.LittleEndian
	var b journal
	for _, v := range []uint32{jitMagic, 1, jitHeader, 62, 0, 7} {
		b = le.AppendUint32(b, v)
	}
	return le.AppendUint64(le.AppendUint64(b, 1), flags)
}

func (j journal) record(kind uint32, time uint64, body []byte) journal {
	le := binary.LittleEndian
	j = le.AppendUint32(j, kind)
	j = le.AppendUint32(j, uint32(jitHead+len(body)))
	return append(le.AppendUint64(j, time), body...)
}

func words(pid uint32, all ...uint64) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(pid)|uint64(pid)<<32)
	for _, w := range all {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

func (j journal) load(time, addr, size, index uint64, name string) journal {
	body := append(words(7, addr, addr, size, index), name...)
	return j.record(jitCodeLoad, time, append(append(body, 0), make([]byte, min(size, 1<<10))...))
}

func (j journal) move(time, from, to, size, index uint64) journal {
	return j.record(jitCodeMove, time, words(7, to, from, to, size, index))
}

func (j journal) lines(addr, shift uint64, file string, at ...uint64) journal {
	le := binary.LittleEndian
	body := le.AppendUint64(le.AppendUint64(nil, addr), uint64(len(at)))
	for i, a := range at {
		body = le.AppendUint64(body, addr+shift+a)
		body = le.AppendUint64(body, uint64(10+i))
		if i > 0 {
			file = "\xff" // as before
		}
		body = append(append(body, file...), 0)
	}
	return j.record(jitDebugInfo, 0, body)
}

// openJournal opens a journal as that of process 70 of a captured /proc.
func openJournal(t testing.TB, j journal) (*JITDump, string) {
	t.Helper()
	path := write(t, filepath.Join(t.TempDir(), "jit-7.dump"), string(j))
	d, err := New(Options{}).OpenJITDump(mapped(t, path), uint32(os.Geteuid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, path
}

// names are what is at addresses now.
func (d *JITDump) names(addrs ...uint64) (out []string) {
	for _, a := range addrs {
		name := ""
		if f := d.Find(a); f != nil {
			name = f.Frame(a).Function
		}
		out = append(out, name)
	}
	return out
}

// TestJITDump follows code through time: it comes, is replaced in part, and moves; the
// journal is read while it is written.
func TestJITDump(t *testing.T) {
	j := newJournal(0).load(100, 0x1000, 0x100, 1, "one").load(200, 0x2000, 0x100, 2, "two")
	whole := j.record(99, 250, []byte("of a later version")).
		load(300, 0x1040, 0x20, 3, "three").
		move(400, 0x2000, 0x3000, 0x100, 2).
		load(500, 0x2080, 0x100, 4, "four").
		load(600, 0x3000, 0x10, 5, "five")
	d, path := openJournal(t, j)
	addrs := []uint64{0x1000, 0x1050, 0x1080, 0x2000, 0x2090, 0x3000, 0x30ff, 0x4000}
	check := func(time int64, replaced []string, want ...string) {
		t.Helper()
		var got []string
		for _, f := range d.Advance(time) {
			got = append(got, fmt.Sprintf("%s %#x-%#x", f.name, f.Start, f.Limit))
		}
		if !slices.Equal(got, replaced) {
			t.Errorf("at %d: replaced %v, want %v", time, got, replaced)
		}
		if names := d.names(addrs...); !slices.Equal(names, want) {
			t.Errorf("at %d: %q, want %q", time, names, want)
		}
	}
	d.Read()
	check(99, nil, "", "", "", "", "", "", "", "")
	check(150, nil, "one", "one", "one", "", "", "", "", "")
	check(299, nil, "one", "one", "one", "two", "two", "", "", "")
	// The rest is being written, up to the middle of the last record.
	write(t, path, string(whole[:len(whole)-5]))
	d.Read()
	check(300, []string{"three 0x1040-0x1060"}, "one", "three", "one", "two", "two", "", "", "")
	check(400, nil, "one", "three", "one", "two", "two", "two", "two", "")
	check(1000, []string{"four 0x2080-0x2180"}, "one", "three", "one", "two", "four", "two", "two", "")
	write(t, path, string(whole))
	d.Read()
	check(1000, []string{"five 0x3000-0x3010"}, "one", "three", "one", "two", "four", "five", "two", "")
	if d.Err() != nil {
		t.Error(d.Err())
	}
	// The past is known after the fact, too, and before the first function what came next.
	var got []string
	for _, f := range d.Past([]JITQuery{{0x3000, 700}, {0x1050, 200}, {0x1050, 300}, {0x2090, 50}, {0x3000, 399}, {0x3000, 450}, {0x4000, 999}}) {
		name := ""
		if f != nil {
			name = f.name
		}
		got = append(got, name)
	}
	if want := []string{"five", "one", "three", "two", "two", "two", ""}; !slices.Equal(got, want) {
		t.Errorf("in the past: %q, want %q", got, want)
	}
}

// TestJITDumpLines: lines come before the code that they are of, with or without the
// header that V8 reckons with.
func TestJITDumpLines(t *testing.T) {
	for _, shift := range []uint64{0, jitElfHeader} {
		j := newJournal(jitArchTime).lines(0x1000, shift, "/src/a.js", 0, 0x10, 0x18).load(1, 0x1000, 0x100, 1, "LazyCompile:*f a.js:9")
		j = j.load(2, 0x2000, 0x10, 2, "without lines").lines(0x3000, 0, "lines of nothing", 0, 0x40).load(3, 0x3000, 0x40, 3, "with others' lines")
		d, _ := openJournal(t, j)
		d.Read()
		if d.Timed() {
			t.Error("times of the processor's counter are taken for those of a clock")
		}
		d.Advance(0) // all that has been read
		for addr, want := range map[uint64]Frame{
			0x1000: {Function: "LazyCompile:*f a.js:9", File: "/src/a.js", Line: 10},
			0x100f: {Function: "LazyCompile:*f a.js:9", File: "/src/a.js", Line: 10},
			0x1010: {Function: "LazyCompile:*f a.js:9", File: "/src/a.js", Line: 11},
			0x10ff: {Function: "LazyCompile:*f a.js:9", File: "/src/a.js", Line: 12},
			0x2000: {Function: "without lines"},
			0x3000: {Function: "with others' lines"},
		} {
			want.SystemName = want.Function
			f := d.Find(addr)
			if f == nil || f.Frame(addr) != want {
				t.Errorf("%#x: %+v, want %+v", addr, f, want)
			}
		}
	}
}

// TestJITDumpDamaged: what makes no sense ends the reading, what came before it stays.
func TestJITDumpDamaged(t *testing.T) {
	good := newJournal(0).load(1, 0x1000, 0x10, 1, "good")
	short := append(slices.Clone(good), 0, 0, 0, 0, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	huge := append(slices.Clone(good), 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0)
	lies := good.record(jitDebugInfo, 0, append(words(0), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f))
	for name, j := range map[string]journal{"short": short, "huge": huge, "lines": lies, "code cut": good.record(jitCodeLoad, 2, words(7))} {
		d, _ := openJournal(t, j)
		d.Read()
		d.Read()
		d.AdvanceAll()
		if got := d.names(0x1000); got[0] != "good" || !errors.Is(d.Err(), ErrFormat) {
			t.Errorf("%s: %q (%v), want good and %v", name, got, d.Err(), ErrFormat)
		}
	}
	closed, _ := openJournal(t, good.record(jitCodeClose, 2, nil).load(3, 0x1000, 0x10, 2, "after the end"))
	closed.Read()
	closed.AdvanceAll()
	if got := closed.names(0x1000); got[0] != "good" {
		t.Errorf("%q after the end of a journal", got)
	}
	odd := good.load(2, ^uint64(0)-4, 0x10, 2, "beyond the end").load(3, 0x1000, 0, 3, "empty").load(4, 0x1000, 8, 4, "").move(5, 0, 0x1000, 0x10, 99)
	d, _ := openJournal(t, odd)
	d.Read()
	d.AdvanceAll()
	if got := d.names(0x1000, ^uint64(0)-1); got[0] != "good" || got[1] != "" || d.Err() != nil {
		t.Errorf("%q (%v), want functions that are none to be passed over", got, d.Err())
	}
}

// TestJITDumpLimits: what journals cost is bounded, whatever their records are; one journal leaves something to others.
func TestJITDumpLimits(t *testing.T) {
	good := newJournal(0).load(1, 0x1000, 0x10, 1, "good")
	endless := func(add func(journal) journal) journal {
		j := slices.Clone(good)
		for range 200 {
			j = add(j)
		}
		return j
	}
	for name, j := range map[string]journal{
		"unknown records": endless(func(j journal) journal { return j.record(99, 1, nil) }),
		"moves":           endless(func(j journal) journal { return j.move(1, 0, 0, 0, 99) }),
		"nameless":        endless(func(j journal) journal { return j.load(1, 0x1000, 0x10, 2, "") }),
		"functions":       endless(func(j journal) journal { return j.load(1, 0x1000, 0x10, 1, "good") }),
		"lines":           endless(func(j journal) journal { return j.lines(0x1000, 0, "", make([]uint64, 50)...) }),
	} {
		r := New(Options{Limits: Limits{Symbols: 300, TableBytes: 40 << 10}})
		for i := range 12 { // each may have half of what those before it left
			path := write(t, filepath.Join(t.TempDir(), "jit-7.dump"), string(j))
			d, err := r.OpenJITDump(mapped(t, path), uint32(os.Geteuid()))
			if err != nil {
				t.Fatal(err)
			}
			d.Read()
			d.AdvanceAll()
			got := d.names(0x1000)[0]
			if !errors.Is(d.Err(), ErrLimit) || d.src.f != nil {
				t.Errorf("%s, journal %d: %v, want %v and the file closed", name, i, d.Err(), ErrLimit)
			}
			if i < 3 && got != "good" || i == 11 && got != "" {
				t.Errorf("%s, journal %d: %q, want good of the first three, nothing of the last", name, i, got)
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestJITDumpRefused(t *testing.T) {
	dir := t.TempDir()
	good := write(t, filepath.Join(dir, "jit-1.dump"), string(newJournal(0)))
	m := mapped(t, good)
	uid := uint32(os.Geteuid())
	fifo := filepath.Join(dir, "jit-2.dump")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	other := m
	other.Inode++
	for _, tt := range []struct {
		name string
		m    Mapping
		uid  uint32
		want error
	}{
		{"another's", m, uid + 1, ErrOwner},
		{"replaced", other, uid, ErrReplaced},
		{"fifo", mapped(t, fifo), uid, ErrNoFile},
		{"gone", Mapping{File: dir + "/jit-3.dump", Inode: 1}, uid, fs.ErrNotExist},
		{"no journal", mapped(t, write(t, filepath.Join(dir, "jit-4.dump"), "something else that is long enough to be a header")), uid, ErrFormat},
		{"empty", mapped(t, write(t, filepath.Join(dir, "jit-5.dump"), "")), uid, ErrFormat},
		{"no path", Mapping{File: "//anon"}, uid, ErrNoFile},
	} {
		if _, err := New(Options{}).OpenJITDump(tt.m, tt.uid); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	for name, want := range map[string]bool{"/tmp/jit-12.dump": true, "/home/x/.debug/jit/java/jit-7.dump": true, "/tmp/jit-.dump": false, "/tmp/jit-x.dump": false, "/tmp/jit-1.dump2": false, "": false} {
		if IsJITDump(name) != want {
			t.Errorf("IsJITDump(%q) = %v", name, !want)
		}
	}
}
