package guest

import (
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/energyprof/energyprof/perfring"
)

// cyclesOf samples cycles of the calling thread every period.
func cyclesOf(t *testing.T, period uint64) *perfring.Attr {
	t.Helper()
	a := attrOf(parse(t, "cycles"))
	a.Sample, a.ReadFormat = period, perfring.ReadLost
	a.SampleFormat = perfring.SampleIdentifier | perfring.SampleIP | perfring.SampleTime
	a.Flags = perfring.FlagDisabled | perfring.FlagSampleIDAll | perfring.FlagExcludeHV
	return a
}

// Throttling comes in pairs that name their event, and the books have them.
func TestThrottlePairs(t *testing.T) {
	simulated(t)
	set(t, "/proc/sys/kernel/perf_event_max_sample_rate", "1000") // 4 in each tick
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	e := open(t, cyclesOf(t, 480_000), 0, -1, nil) // 5000 a second
	ring, err := perfring.MapRing(e, 64)
	must(t, err)
	defer ring.Close()
	must(t, e.Enable())
	spin(200 * time.Millisecond)
	must(t, e.Disable())

	d := perfring.NewDecoder()
	must(t, d.Add(&e.Attr, e.ID))
	var books perfring.Books
	since := uint64(0) // it is throttled
	after := 0         // samples since then
	ring.Drain(func(raw []byte) {
		rec, err := d.Decode(raw)
		must(t, err)
		books.Count(rec, 0)
		switch r := rec.(type) {
		case *perfring.Sample:
			// The one that goes too far is written after the word on it.
			if after++; since != 0 && after > 1 {
				t.Errorf("sample %d at %d, throttled since %d", after, r.Time, since)
			}
		case *perfring.Throttle:
			if since != 0 || r.ID != e.ID || r.Time == 0 {
				t.Errorf("%+v of event %d, throttled since %d", r, e.ID, since)
			}
			since, after = r.Time, 0
		case *perfring.Unthrottle:
			if since == 0 || r.ID != e.ID || r.Time <= since {
				t.Errorf("%+v of event %d, throttled since %d", r, e.ID, since)
			}
			since = 0
		default:
			t.Errorf("%T in the ring", rec)
		}
	})
	total := books.Total()
	if total.Throttles < 10 || total.Throttles-total.Unthrottles > 1 || total.Lost != 0 || total.Samples < 4*total.Unthrottles {
		t.Errorf("books %+v", total)
	}
}

// A recording says that an event was throttled, and loses nothing else by it: CPU
// time is the clock's. Where interrupts of the event make its ticks late, that is in the books.
func TestRecordThrottled(t *testing.T) {
	only(t, "icx-6.1", "spr-6.12")
	set(t, "/proc/sys/kernel/perf_event_max_sample_rate", "2000") // 8 in each tick: the clock has 4, the cycles 20
	openBooks(t)
	s := record(t, "--energy", "none", "-e", "cycles", "-c", "480000", "--", "workload", "-seconds", "1", "-naps", "0", "-functions", "encode=10000")
	ran := readBooks(t).functions["encode"].seconds
	if s.Throttled < 50 || s.Lost != 0 || s.BadRecords != 0 {
		t.Errorf("%d samples, %d times throttled, %d lost, %d bad", s.Samples, s.Throttled, s.Lost, s.BadRecords)
	}
	if got := seconds(s, "encode"); got < 0.9*ran || math.Abs(got+s.LostSeconds-ran) > 0.05*ran {
		t.Errorf("encode has %.3f s and %.3f s are lost, it ran for %.3f s", got, s.LostSeconds, ran)
	}
}

// Whatever finds no room in a ring is in the books, and the counter knows no other
// number.
func TestLostSamples(t *testing.T) {
	simulated(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const period = 960_000 // 0.4 ms
	e := open(t, cyclesOf(t, period), 0, -1, nil)
	ring, err := perfring.MapRing(e, 1)
	must(t, err)
	defer ring.Close()
	d := perfring.NewDecoder()
	must(t, d.Add(&e.Attr, e.ID))
	var books perfring.Books
	drain := func() {
		ring.Drain(func(raw []byte) {
			rec, err := d.Decode(raw)
			must(t, err)
			books.Count(rec, 0)
		})
	}
	must(t, e.Enable())
	spin(200 * time.Millisecond) // 500 samples of 32 bytes, the ring has 4096
	drain()
	spin(5 * time.Millisecond) // the record of the loss needs room, and one to come after it
	must(t, e.Disable())
	drain()
	c := countOf(t, e)
	total := books.Total()
	samples := total.Samples + total.Lost
	if total.Lost < 100 || total.Lost != c.Lost || c.Value/period-samples > 1 || total.Throttles != 0 {
		t.Errorf("books %+v, counter %+v: want a sample or a loss for every %d counts", total, c, period)
	}
}
