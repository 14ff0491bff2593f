package benchenergy

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/energyprof/energyprof/rapl"
)

// TestPower: the watts of two readings, or why there are none.
func TestPower(t *testing.T) {
	info := rapl.Info{Name: "perf-power", Domains: []rapl.Domain{{Name: "package", Sum: true}, {Name: "cores"}, {Name: "dram", Sum: true}}}
	at := func(ms int64, sharp bool, joules ...float64) (out []edge) {
		for i, j := range joules {
			out = append(out, edge{(ms + int64(i)) * 1e6, j, sharp || i == 1}) // the domains move one after the other
		}
		return out
	}
	for _, c := range []struct {
		name          string
		begin, end    []edge
		timed, passed time.Duration
		want          float64
		why           string
	}{
		{"all is well", at(1000, true, 5, 50, 1), at(2000, true, 25, 60, 4), time.Second, time.Second, 23, ""},
		{"in the slack", at(1000, true, 5, 50, 1), at(2000, true, 25, 60, 4), 971 * time.Millisecond, time.Second, 23, ""},
		{"paused", at(1000, true, 5, 50, 1), at(2000, true, 25, 60, 4), 969 * time.Millisecond, time.Second, 0, "timer ran for 969ms of the 1s"},
		{"started late", at(1000, true, 5, 50, 1), at(2000, true, 25, 60, 4), 2 * time.Second, time.Second, 0, "timer ran for 2s of the 1s"},
		{"short", at(1000, true, 5, 50, 1), at(1100, true, 7, 51, 2), 99 * time.Millisecond, 99 * time.Millisecond, 0, "too slow for less than 100ms"},
		{"slow counter", at(1000, false, 5, 50, 1), at(2000, false, 25, 60, 4), time.Second, time.Second, 0, "too slow for less than 2s"},
		{"slow counter, long loop", at(1000, false, 5, 50, 1), at(4000, false, 25, 60, 4), 3 * time.Second, 3 * time.Second, 23. / 3, ""},
		{"only a part moves", at(1000, true, 5, 50, 1), at(2000, true, 5, 60, 1), time.Second, time.Second, 0, "perf-power did not move"},
		{"no time", at(1000, true, 5, 50, 1), at(1000, true, 25, 60, 4), time.Second, time.Second, 0, "no time passed"},
	} {
		got, err := power(info, c.begin, c.end, c.timed, c.passed)
		if c.why == "" && (err != nil || math.Abs(got-c.want) > 1e-9) {
			t.Errorf("%s: %v W (%v), want %v", c.name, got, err, c.want)
		}
		if c.why != "" && (err == nil || !strings.Contains(err.Error(), c.why)) {
			t.Errorf("%s: %v W (%v), want an error: %s", c.name, got, err, c.why)
		}
	}
}
