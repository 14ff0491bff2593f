package session

import (
	"debug/elf"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// recorder is a Sink that keeps what matters here.
type recorder struct {
	t        *testing.T
	samples  []sample
	comms    []string // of execs
	mmaps    int
	forks    int
	existing []int
	last     uint64
	advanced int64
	busyNS   int64
	busyFrom int64 // beginning of the first window

	othersNS   int64
	othersFrom int64    // beginning of the first window
	windows    []window // of busy CPUs, or of others

	lost   uint64
	missed int64
}

// window is one call of Busy or Others.
type window struct {
	cpu          int
	from, to, ns int64
}

type sample struct {
	pid, tid uint32
	cpu      int
	period   uint64
	depth    int
}

func (r *recorder) Existing(pid int) error { r.existing = append(r.existing, pid); return nil }

func (r *recorder) Record(rec perfring.Record, cpu, event int) {
	var now uint64
	switch rec := rec.(type) {
	case *perfring.Sample:
		now = rec.Time
		if event != 0 || int(rec.CPU) != cpu {
			r.t.Errorf("sample of CPU %d, event %d came from CPU %d", rec.CPU, event, cpu)
		}
		r.samples = append(r.samples, sample{rec.PID, rec.TID, cpu, rec.Period, len(rec.Callchain)})
	case *perfring.Comm:
		now = rec.Time
		if rec.Exec {
			r.comms = append(r.comms, string(rec.Name))
		}
	case *perfring.Mmap2:
		now = rec.Time
		r.mmaps++
	case *perfring.Fork:
		now = rec.SampleID.Time
		r.forks++
	case *perfring.Lost:
		r.lost += rec.Lost
		return
	default:
		return
	}
	if now < r.last {
		r.t.Errorf("%T at %d after a record at %d", rec, now, r.last)
	}
	if int64(now) < r.advanced {
		r.t.Errorf("%T at %d after Advance(%d)", rec, now, r.advanced)
	}
	r.last = now
}

func (r *recorder) Busy(cpu int, from, to, ns int64) {
	if to <= from {
		r.t.Errorf("busy window (%d, %d]", from, to)
	}
	if r.busyFrom == 0 {
		r.busyFrom = from
	}
	r.busyNS += ns
	r.windows = append(r.windows, window{cpu, from, to, ns})
}
func (r *recorder) Others(cpu int, from, to, ns int64) {
	if to <= from || ns < 0 || ns > to-from {
		r.t.Errorf("others for %d ns of the window (%d, %d]", ns, from, to)
	}
	if r.othersFrom == 0 {
		r.othersFrom = from
	}
	r.othersNS += ns
	r.windows = append(r.windows, window{cpu, from, to, ns})
}

// used is what the windows have of one CPU between two times; those at the ends
// count by the part that lies between.
func (r *recorder) used(cpu int, begin, end int64) time.Duration {
	var sum float64
	for _, w := range r.windows {
		if within := min(w.to, end) - max(w.from, begin); w.cpu == cpu && within > 0 {
			sum += float64(w.ns) * float64(within) / float64(w.to-w.from)
		}
	}
	return time.Duration(sum)
}

func (r *recorder) Missed(cpu int, from, to, ns int64) { r.missed += ns }
func (r *recorder) Energy(int, int64, float64)         {}
func (r *recorder) Count(int, int64, float64)          {}
func (r *recorder) Advance(t int64)                    { r.advanced = t }

func (r *recorder) seconds(match func(sample) bool) float64 {
	var ns uint64
	for _, s := range r.samples {
		if match(s) {
			ns += s.period
		}
	}
	return float64(ns) / 1e9
}

func options(t *testing.T) Options {
	t.Helper()
	e, err := perfring.Open(&perfring.Attr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Sample: 1000000, SampleFormat: perfring.SampleIP, Flags: perfring.FlagExcludeKernel}, 0, -1, nil)
	if err != nil {
		if os.Getenv("CI") == "true" && !errors.Is(err, unix.EACCES) {
			t.Fatal(err)
		}
		t.Skipf("perf events are not allowed here: %v", err)
	}
	e.Close()
	fs := pmu.NewFS("/sys", "/proc")
	clock, err := fs.Parse("cpu-clock")
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Events: []Event{{Event: clock, Frequency: 997}}, Callchains: true,
		Pages: DefaultPages, FS: fs, Proc: "/proc",
	}
}

func self(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// fixedProgram is this program's file. The test is skipped where that is loaded at another address each time.
func fixedProgram(t *testing.T) *elf.File {
	t.Helper()
	exe, err := elf.Open(self(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { exe.Close() })
	if exe.Type != elf.ET_EXEC {
		t.Skip("this program is loaded at another address each time")
	}
	return exe
}

func run(t *testing.T, opt Options) (*recorder, *Result) {
	t.Helper()
	sink := &recorder{t: t}
	return sink, runInto(t, opt, sink)
}

// runInto records into sink, and checks that no record was bad or late.
func runInto(t *testing.T, opt Options, sink Sink) *Result {
	t.Helper()
	result, err := Run(opt, sink)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(result.Close)
	if bad := result.Books.Total().Bad; bad != 0 || result.Late != 0 {
		t.Errorf("%d bad and %d late records", bad, result.Late)
	}
	return result
}
