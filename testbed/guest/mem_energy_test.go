package guest

import (
	"math"
	"testing"

	"github.com/energyprof/energyprof/internal/memory"
)

// dramOf sums up the joules of memory of the workload's functions, over levels.
func dramOf(r *memory.Result) map[string]float64 {
	joules := map[string]float64{}
	for _, f := range r.Functions {
		if f.Joules != nil {
			joules[f.Function] += *f.Joules
		}
	}
	return joules
}

// dramAddsUp wants all that is handed out to be the total.
func dramAddsUp(t *testing.T, r *memory.Result) float64 {
	t.Helper()
	if r.Total.Joules == nil {
		t.Fatalf("there are no joules: %q", r.Notes)
	}
	sum := 0.0
	for _, j := range dramOf(r) {
		sum += j
	}
	for _, s := range r.Synthetic {
		sum += s.Joules
	}
	if math.Abs(sum-*r.Total.Joules) > 1e-4 {
		t.Errorf("functions and the rest have %.6f J of %.6f J", sum, *r.Total.Joules)
	}
	return *r.Total.Joules
}

// elsewhere makes what threads access that walk nothing a line of the first level of
// cache.
func elsewhere(t *testing.T) {
	t.Helper()
	param(t, "simpmu", "mem_base", "0x10000000")
	param(t, "simpmu", "mem_size", "64")
}

// Two threads walk an array each at the same time, one in memory and one in cache: the joules
// of memory are the first one's alone.
func TestMemEnergyOfWalks(t *testing.T) {
	only(t, "icx-6.1")
	quiet(t)
	param(t, "simrapl", "dram_mw", "2000")
	elsewhere(t)
	// The memory controllers' counts are of the time alone, and of no walk.
	reload(t, "simpmu", "imc=0")
	openBooks(t)
	r := memTables(t, "-c", "164002", "--user", "-g", "none", "--ldlat", "3", "--", "workload", "-each", "-realtime", "-seconds", "6",
		"-burst", "50ms-300ms", "-nap", "20ms-200ms", "-functions", "stream=3000:8000:5,lookup=3000:0:3")
	truth := readBooks(t)
	total := dramAddsUp(t, r)
	joules := dramOf(r)
	want := truth.functions["stream"].dram
	t.Logf("stream drew %.3f J of the memory, has %.3f J of %.3f J; lookup has %.3f J; %+v; notes %q", want, joules["main.stream"], total, joules["main.lookup"], r.Synthetic, r.Notes)
	for _, f := range r.Functions {
		t.Logf("%s %s %+v", f.Function, f.Level, f.Sum)
	}
	if math.Abs(joules["main.stream"]-want) > 0.05*want {
		t.Errorf("main.stream has %.3f J, it drew %.3f J", joules["main.stream"], want)
	}
	if joules["main.lookup"] > 0.01*want {
		t.Errorf("main.lookup has %.3f J, it walked a cache", joules["main.lookup"])
	}
	if least, most := 2*r.Seconds+want, 2*r.Seconds*1.02+want; total < 0.99*least || total > 1.01*most {
		t.Errorf("the memory has %.3f J, drew %.3f to %.3f J", total, least, most)
	}
}
