package perfring

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBooks(t *testing.T) {
	var b Books
	for _, c := range []struct {
		rec Record
		cpu int
	}{
		{&Sample{}, 2}, {&Sample{}, 2}, {&Sample{}, 0}, {&Sample{}, -1}, {&Lost{Lost: 5}, 2}, {&Lost{Lost: 6}, 2},
		{&LostSamples{Lost: 7}, 0}, {&Throttle{}, 0}, {&Unthrottle{}, 0}, {&Throttle{}, 2}, {&Unknown{}, 2},
		{&Comm{}, 1}, {&Sample{}, 1 << 31},
	} {
		b.Count(c.rec, c.cpu)
	}
	b.CountBad(0, 3)
	want := Books{
		CPUs: []Counts{
			{Samples: 1, LostSamples: 7, Throttles: 1, Unthrottles: 1, Bad: 3},
			{},
			{Samples: 2, Lost: 11, Throttles: 1, Unknown: 1},
		},
		Elsewhere: Counts{Samples: 2},
	}
	if diff := cmp.Diff(want, b); diff != "" {
		t.Error(diff)
	}
	total := Counts{Samples: 5, Lost: 11, LostSamples: 7, Throttles: 2, Unthrottles: 1, Unknown: 1, Bad: 3}
	if got := b.Total(); got != total {
		t.Errorf("total %+v, want %+v", got, total)
	}
}

func TestEventBooks(t *testing.T) {
	var b EventBooks
	for _, rec := range []Record{
		&Sample{Period: 1000}, &Sample{Period: 500}, &Lost{Lost: 9}, &LostSamples{Lost: 3},
		&Throttle{}, &Throttle{}, &Unthrottle{}, &Comm{},
	} {
		b.Count(rec)
	}
	if want := (EventBooks{Samples: 2, Represented: 1500, LostSamples: 3, Throttles: 2, Unthrottles: 1}); b != want {
		t.Errorf("books %+v, want %+v", b, want)
	}
	b.Count(&Sample{Period: math.MaxUint64 - 1499})
	if b.Represented != math.MaxUint64 {
		t.Errorf("samples of any period stand for %d, want the largest number that there is", b.Represented)
	}
}
