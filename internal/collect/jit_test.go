package collect

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/perfring"
)

// journalOf writes a jitdump of functions that are loaded one after the other.
func journalOf(loads ...journalLoad) []byte {
	le := binary.LittleEndian
	var b []byte
	for _, v := range []uint32{0x4a695444, 1, 40, 62, 0, 10} {
		b = le.AppendUint32(b, v)
	}
	b = append(b, make([]byte, 16)...) // time, flags
	for i, l := range loads {
		b = le.AppendUint32(b, 0)
		b = le.AppendUint32(b, uint32(16+40+len(l.name)+1))
		b = le.AppendUint64(b, l.time)
		b = le.AppendUint64(b, 10<<32|10)
		for _, v := range []uint64{l.addr, l.addr, l.size, uint64(i)} {
			b = le.AppendUint64(b, v)
		}
		b = append(append(b, l.name...), 0)
	}
	return b
}

type journalLoad struct {
	time, addr, size uint64
	name             string
}

// TestJournal: samples of one address are of the function that was there at the time, also when
// the stream is read again without the journal.
func TestJournal(t *testing.T) {
	opt := withKernel(t, map[string]string{
		"10/status":       fmt.Sprintf("Uid:\t%d\t%d\t0\t0\n", os.Getuid(), os.Getuid()),
		"tmp/perf-10.map": "5000 10 of the perf map\n",
		"jit-10.dump": string(journalOf(
			journalLoad{second, 0x1000, 0x100, "first"},
			journalLoad{second + ms, 0x1000, 0x80, "second"},
			journalLoad{second + 2*ms, 0x2000, 0x80, "third"},
			journalLoad{second + 3*ms, 0x1040, 0x80, "fourth"})),
	})
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(opt.Proc, "jit-10.dump"), &st); err != nil {
		t.Fatal(err)
	}
	s := newStream(t, opt)
	var kept []perfring.Record
	s.table.found = func(rec perfring.Record) { kept = append(kept, rec) }
	give := func(rec perfring.Record) {
		s.put(rec)
		kept = append(kept, rec)
	}
	give(&perfring.Comm{SampleID: perfring.SampleID{Time: s.tick()}, PID: 10, TID: 10, Name: []byte("app"), Exec: true})
	for _, m := range []*perfring.Mmap2{
		{Addr: 0x1000, Len: 0x2000, Filename: []byte(anonymous)},
		{Addr: 0x5000, Len: 0x1000, Filename: []byte(anonymous)},
		{Addr: 0x9000, Len: 0x1000, Filename: []byte("/jit-10.dump"), Ino: st.Ino, Maj: unix.Major(uint64(st.Dev)), Min: unix.Minor(uint64(st.Dev))},
	} {
		m.PID, m.TID, m.SampleID = 10, 10, perfring.SampleID{Time: s.tick()}
		give(m)
	}
	sample := func(at uint64, addr uint64) {
		give(&perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser}, PID: 10, TID: 10, Time: second + at, Period: ms, IP: addr, Callchain: []uint64{addr}})
	}
	sample(ms/2, 0x1010)
	sample(ms/2, 0x10f0)
	sample(ms*3/2, 0x1010)
	sample(ms*3/2, 0x10f0)
	sample(ms*5/2, 0x2010)
	sample(ms*5/2, 0x5000)
	sample(ms*7/2, 0x1050)
	sample(ms*7/2, 0x1010)
	want := []string{
		"app/app 10/10 1×1ms first",
		"app/app 10/10 1×1ms fourth",
		"app/app 10/10 1×1ms of the perf map",
		"app/app 10/10 1×1ms third",
		"app/app 10/10 2×2ms first",
		"app/app 10/10 2×2ms second",
	}
	s.expect(t, want...)

	replay := newStream(t, Options{Past: s.Past()})
	for _, rec := range kept {
		replay.put(rec)
	}
	replay.expect(t, want...)

	// Of another user's journal nothing is believed.
	opt.Resolver = symbol.New(symbol.Options{Proc: opt.Proc, Sys: opt.Proc, Root: opt.Proc})
	if err := os.WriteFile(filepath.Join(opt.Proc, "10/status"), []byte("Uid:\t12345\t12345\t0\t0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s = newStream(t, opt)
	for _, rec := range kept {
		s.put(rec)
	}
	if f := s.table.process(10).compiled(0x1010); f != nil {
		t.Errorf("%+v, from the journal of another user", f)
	}
}

// TestLateJournal: a runtime that buffers what it writes tells of code after it ran.
func TestLateJournal(t *testing.T) {
	whole := journalOf(journalLoad{second, 0x1000, 0x100, "first"}, journalLoad{second + ms, 0x1000, 0x100, "second"})
	opt := withKernel(t, map[string]string{
		"10/status":   fmt.Sprintf("Uid:\t%d\t%d\t0\t0\n", os.Getuid(), os.Getuid()),
		"jit-10.dump": string(whole[:40]),
	})
	path := filepath.Join(opt.Proc, "jit-10.dump")
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	s := newStream(t, opt)
	s.exec(10, "app")
	s.mmap(10, 0x1000, 0x1000, 0, anonymous)
	s.put(&perfring.Mmap2{PID: 10, TID: 10, Addr: 0x9000, Len: 0x1000, Filename: []byte("/jit-10.dump"),
		Ino: st.Ino, Maj: unix.Major(uint64(st.Dev)), Min: unix.Minor(uint64(st.Dev)), SampleID: perfring.SampleID{Time: s.tick()}})
	for i, addr := range []uint64{0x1010, 0x1020} {
		s.put(&perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser}, PID: 10, TID: 10,
			Time: uint64(second + ms/2 + i*ms), Period: ms, IP: addr, Callchain: []uint64{addr}})
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(whole); err != nil {
		t.Fatal(err)
	}
	s.exit(10, 10)
	s.expect(t, "app/app 10/10 1×1ms first", "app/app 10/10 1×1ms second")
}
