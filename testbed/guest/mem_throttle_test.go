package guest

import (
	"strconv"
	"testing"
)

// Loads that are to be sampled 200,000 times a second are throttled. That is in the books of the
// event: what its samples stand for is what there is, and nothing is scaled up for the rest.
func TestMemThrottled(t *testing.T) {
	only(t, "spr-6.12")
	set(t, "/proc/sys/kernel/perf_event_max_sample_rate", "1000") // 4 in each tick
	const period = 410                                            // of 82001 loads per ms
	r := memTables(t, "-t", "load", "-c", strconv.Itoa(period), "--ldlat", "3", "--user", "-g", "none", "--energy", "none", "--",
		"workload", "-mute", "-threads", "1", "-seconds", "0.5", "-naps", "0", "-functions", "stream=1:0:5")
	for _, e := range r.Events {
		t.Logf("%+v", e)
		if !e.Memory {
			if e.Throttles != 0 {
				t.Errorf("%s was throttled %d times, it has 199 samples a second", e.Event, e.Throttles)
			}
			continue
		}
		if e.Counted == nil || e.RunningSeconds == nil {
			t.Fatalf("%+v, want what the kernel counted", e)
		}
		most := uint64(82_001_000 * *e.RunningSeconds * 1.01)
		if e.StandsFor != period*e.Samples || e.Samples < 100 || *e.Counted < 2*e.StandsFor || *e.Counted > most {
			t.Errorf("%d samples stand for %d of %d loads, want %d of more than twice that and at most %d", e.Samples, e.StandsFor, *e.Counted, period*e.Samples, most)
		}
		// 250 ticks a second, and each ends the throttling of the one before.
		if e.Throttles < 50 || e.Throttles-e.Unthrottles > 8 || e.Throttles < e.Unthrottles {
			t.Errorf("throttled %d times, and %d times no more, in %.3f s", e.Throttles, e.Unthrottles, *e.RunningSeconds)
		}
		if e.Used == nil || *e.Used != e.Samples || r.Total.Loads != e.StandsFor {
			t.Errorf("%v of %d samples are in the tables with %d loads, want all with %d", e.Used, e.Samples, r.Total.Loads, e.StandsFor)
		}
		return
	}
	t.Error("no event of memory in the books")
}
