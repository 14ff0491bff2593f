package guest

import (
	"fmt"
	"testing"
)

func TestGateX(t *testing.T) {
	only(t, "icx-6.1")
	quiet(t)
	for _, rt := range []string{" -realtime", ""} {
		openBooks(t)
		s := record(t, append(lean, "--energy", "perf", "--", "sh", "-c", fmt.Sprintf("workload -threads 1%s -seconds 0.4 -burst 5ms -naps 0 -functions parse=8000; workload -threads 1%s -seconds 0.4 -burst 5ms -naps 0 -functions encode=%d", rt, rt, 10000))...)
		b := readBooks(t)
		t.Logf("%s: %+v %v samples %d lost %d %v", rt, b.functions, b.packages, s.Samples, s.Lost, s.Seconds)
		for _, f := range s.Functions[:5] {
			t.Logf("%s %v %v", f.Name, *f.Joules, f.CPUSeconds)
		}
		t.Log(s.Notes, *s.ActiveJoules, *s.OtherJoules, *s.LostJoules, s.LostSeconds)
	}
}
