package rapl

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// steady is a source whose one domain uses 7 W.
type steady struct {
	from   int64
	failed []error // of all readings but the first
	reads  int
}

func (s *steady) Info() Info { return Info{Name: "steady", Domains: []Domain{{Name: "package"}}} }
func (s *steady) Read(joules []float64) (Moment, error) {
	now := time.Now().UnixNano()
	if s.from == 0 {
		s.from = now
	}
	joules[0] = 7 * float64(now-s.from) / 1e9
	s.reads++
	if s.reads == 1 {
		return Moment{Before: now, After: now}, nil
	}
	return Moment{Before: now, After: now, Failed: s.failed}, nil
}
func (s *steady) Close() error { return nil }

func TestMeasureIdle(t *testing.T) {
	proc := t.TempDir()
	stat := "cpu 9 0 0 100 0 0 0 0 0 0\ncpu0 4 0 0 50 0 0 0 0 0 0\ncpu1 5 0 0 50 0 0 0 0 0 0\nintr 1\n"
	if err := os.WriteFile(filepath.Join(proc, "stat"), []byte(stat), 0o644); err != nil {
		t.Fatal(err)
	}
	idle, err := MeasureIdle(Machine{Proc: proc}, &steady{}, 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(idle.Watts[0]-7) > 1e-6 || idle.Busy != 0 {
		t.Errorf("%v W at %v busy, want 7 W at 0: the file of busy times stands still", idle.Watts, idle.Busy)
	}
	if _, err := MeasureIdle(Machine{Proc: filepath.Join(proc, "missing")}, &steady{}, 0); err == nil {
		t.Error("no error without /proc/stat")
	}
	gone := &steady{failed: []error{errors.New("gone")}}
	if _, err := MeasureIdle(Machine{Proc: proc}, gone, time.Millisecond); !errors.Is(err, gone.failed[0]) {
		t.Errorf("%v of a domain that cannot be read, want %v", err, gone.failed[0])
	}
}
