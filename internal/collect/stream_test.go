package collect

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report"
	"github.com/energyprof/energyprof/report/pprofile"
)

// stream feeds a Collector with records of a made-up recording. Every record takes a microsecond, so that
// times grow unless a test says otherwise.
type stream struct {
	*Collector
	now uint64
	cpu int
}

const (
	ms     = 1_000_000
	second = 1_000_000_000
)

func newStream(t testing.TB, opt Options) *stream {
	t.Helper()
	if opt.Events == nil {
		opt.Events = []Event{{Name: "cpu-clock", Clock: true}}
	}
	c, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	c.stacks.cache = make([]cached, 1) // every stack meets every other one there
	return &stream{Collector: c, now: second}
}

func (s *stream) put(rec perfring.Record) { s.Record(rec, s.cpu, 0) }

func (s *stream) tick() uint64 { s.now += 1000; return s.now }

func (s *stream) fork(ppid, pid uint32) {
	s.put(&perfring.Fork{PID: pid, TID: pid, PPID: ppid, PTID: ppid, Time: s.tick()})
}

func (s *stream) clone(pid, tid uint32) {
	s.put(&perfring.Fork{PID: pid, TID: tid, PPID: pid, PTID: pid, Time: s.tick()})
}

func (s *stream) comm(pid, tid uint32, name string) {
	s.put(&perfring.Comm{SampleID: perfring.SampleID{Time: s.tick()}, PID: pid, TID: tid, Name: []byte(name)})
}

func (s *stream) exec(pid uint32, name string) {
	s.put(&perfring.Comm{SampleID: perfring.SampleID{Time: s.tick()}, PID: pid, TID: pid, Name: []byte(name), Exec: true})
}

func (s *stream) exit(pid, tid uint32) {
	s.put(&perfring.Exit{PID: pid, TID: tid, Time: s.tick()})
}

func (s *stream) mmap(pid uint32, start, size, offset uint64, file string) {
	s.put(&perfring.Mmap2{SampleID: perfring.SampleID{Time: s.tick()}, PID: pid, TID: pid,
		Addr: start, Len: size, PgOff: offset, Ino: 7, Filename: []byte(file)})
}

// sample is 1 ms of CPU time of a thread in user code.
func (s *stream) sample(pid, tid uint32, chain ...uint64) {
	s.put(&perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser}, PID: pid, TID: tid, Time: s.tick(),
		Period: ms, IP: chain[0], Callchain: append([]uint64{perfring.ContextUser}, chain...)})
}

// text lists the stacks of a recording, leaf first: places as file+offset, or the names they have.
func text(r *report.Recording) string {
	var lines []string
	for _, st := range r.Data.Stacks {
		var frames []string
		for _, l := range st.Locations {
			frames = append(frames, locationText(l))
		}
		lines = append(lines, fmt.Sprintf("%s/%s %d/%d %d×%dms %s", st.Process, st.Thread, st.PID, st.TID,
			st.Samples, st.Nanoseconds/ms, strings.Join(frames, " < ")))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func locationText(l *pprofile.Location) string {
	switch {
	case len(l.Lines) > 0 && l.Address != 0 && l.Mapping == nil:
		return fmt.Sprintf("%s %#x", l.Lines[0].Function, l.Address)
	case len(l.Lines) > 0:
		return l.Lines[0].Function
	}
	return fmt.Sprintf("%s+%#x", l.Mapping.File, l.Address-l.Mapping.Start+l.Mapping.Offset)
}

// expect compares the stacks of the finished recording with the lines of want.
func (s *stream) expect(t *testing.T, want ...string) *report.Recording {
	t.Helper()
	r := s.Finish()
	if _, err := r.Profile(); err != nil {
		t.Errorf("no profile: %v", err)
	}
	if got := text(r); got != strings.Join(want, "\n") {
		t.Errorf("stacks:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
	return r
}

// tree writes files into a new directory: a made-up /proc.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}
