package session

import (
	"math"
	"os/exec"
	"strings"
	"testing"
)

// TestExcludedTimeIsAccounted records the user code of a program that lives in
// the kernel: what was not to be sampled is reported, so that it is not taken
// for another process's time.
func TestExcludedTimeIsAccounted(t *testing.T) {
	opt := options(t)
	dd, err := exec.LookPath("dd")
	if err != nil {
		t.Skip(err)
	}
	opt.ExcludeKernel = true
	opt.Command = []string{dd, "if=/dev/zero", "of=/dev/null", "bs=1", "count=1000000", "status=none"}
	sink, result := run(t, opt)
	sampled, missed := sink.seconds(func(sample) bool { return true }), float64(sink.missed)/1e9
	if got, want := sampled+missed, result.Ran.Seconds(); missed < want/4 || math.Abs(got-want) > 0.05*want {
		t.Errorf("%.3f s sampled and %.3f s reported of %.3f s", sampled, missed, want)
	}
	found := false
	for _, n := range result.Notes {
		found = found || n.Kind == NoteExcluded && strings.Contains(n.Text, "[lost]")
	}
	if !found {
		t.Errorf("notes %v do not say where the rest is", result.Notes)
	}
}
