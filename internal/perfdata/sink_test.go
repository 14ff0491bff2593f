package perfdata

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/perfring"
)

// transcript writes down all that a sink is given.
type transcript struct {
	lines    []string
	records  int
	advanced int64
	energy   [][2]float64 // domain and joules
}

func (s *transcript) Existing(pid int) error {
	s.lines = append(s.lines, fmt.Sprintf("existing %d", pid))
	return nil
}

func (s *transcript) Record(rec perfring.Record, cpu, event int) {
	s.records++
	v := reflect.ValueOf(rec).Elem()
	s.lines = append(s.lines, fmt.Sprintf("cpu %d event %d %s%+v", cpu, event, strings.TrimPrefix(v.Type().String(), "perfring."), v.Interface()))
}
func (s *transcript) Busy(int, int64, int64, int64)   {}
func (s *transcript) Others(int, int64, int64, int64) {}
func (s *transcript) Missed(int, int64, int64, int64) {}
func (s *transcript) Energy(domain int, t int64, joules float64) {
	s.lines = append(s.lines, fmt.Sprintf("energy of %d at %d: %g J", domain, t, joules))
	s.energy = append(s.energy, [2]float64{float64(domain), joules})
}
func (s *transcript) Count(int, int64, float64) {}
func (s *transcript) Advance(t int64)           { s.advanced = t }

func (s *transcript) String() string { return strings.Join(s.lines, "\n") + "\n" }

// counter is a sink that only counts.
type counter struct {
	records, samples, back int
	last                   uint64
	energy                 int
	kinds                  map[perfring.RecordType]int
}

func (s *counter) Existing(int) error { return nil }
func (s *counter) Record(rec perfring.Record, _, _ int) {
	s.records++
	if s.kinds != nil {
		s.kinds[rec.Head().Type]++
	}
	if r, ok := rec.(*perfring.Sample); ok {
		s.samples++
		if r.Time < s.last {
			s.back++
		}
		s.last = r.Time
	}
}
func (s *counter) Busy(int, int64, int64, int64)   {}
func (s *counter) Others(int, int64, int64, int64) {}
func (s *counter) Missed(int, int64, int64, int64) {}
func (s *counter) Energy(int, int64, float64)      { s.energy++ }
func (s *counter) Count(int, int64, float64)       {}
func (s *counter) Advance(int64)                   {}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// readFile opens the bytes of a file and reads it.
func readFile(t testing.TB, b []byte, sink Sink) (*File, *Result) {
	t.Helper()
	f, err := NewFile(bytes.NewReader(b), int64(len(b)), "test")
	must(t, err)
	r, err := f.Read(sink)
	must(t, err)
	return f, r
}

// readPipe does the same with a reader that cannot seek.
func readPipe(t testing.TB, b []byte, sink Sink) (*File, *Result) {
	t.Helper()
	f, err := NewReader(struct{ *bytes.Buffer }{bytes.NewBuffer(b)}, "test")
	must(t, err)
	r, err := f.Read(sink)
	must(t, err)
	return f, r
}

// bytesOf is a file for NewFile.
func bytesOf(b []byte) (*bytes.Reader, int64, string) {
	return bytes.NewReader(b), int64(len(b)), "test"
}
