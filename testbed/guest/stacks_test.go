package guest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// Stacks are whole, walked in the kernel and by copies: of a Go program, whose functions have no frame when they call
// nothing, so that frame pointers skip their callers. (busybox, the only C program in guests, is built without tables.)
func TestWholeStacks(t *testing.T) {
	only(t, "icx-6.1", "spr-6.12", armGuest)
	for flag, method := range map[string]string{"auto": "bpf", "dwarf": "dwarf"} {
		t.Run(flag, func(t *testing.T) {
			file := filepath.Join(scratch(t), "profile.pb.gz")
			s := record(t, "-o", file, "--energy", "none", "--user", "-F", "499", "-g", flag, "--",
				"workload", "-mute", "-threads", "1", "-naps", "0", "-functions", "parse=0,hash=0", "-seconds", "0.8")
			if s.Stacks == nil || s.Stacks.Method != method {
				t.Fatalf("stacks are %+v, want those of %s", s.Stacks, method)
			}
			if s.Stacks.Samples < 200 || s.Stacks.Complete < s.Stacks.Samples*98/100 {
				t.Errorf("%d of %d stacks are whole: %+v", s.Stacks.Complete, s.Stacks.Samples, *s.Stacks)
			}
			wholeWorkload(t, file)
		})
	}
}

// wholeWorkload wants the callers of the workload's functions, each of them.
func wholeWorkload(t *testing.T, file string) {
	t.Helper()
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	p, err := profile.Parse(f)
	must(t, err)
	var leaf, whole int64
	for _, sample := range p.Sample {
		var stack []string
		for _, l := range slices.Backward(sample.Location) {
			for _, line := range slices.Backward(l.Line) {
				stack = append(stack, line.Function.Name)
			}
		}
		if n := len(stack); n == 0 || stack[n-1] != "main.parse" && stack[n-1] != "main.hash" {
			continue
		}
		leaf += sample.Value[0]
		in := strings.Join(stack, " ")
		if strings.HasPrefix(in, "runtime.goexit ") && strings.Contains(in, " main.(*plan).once main.") {
			whole += sample.Value[0]
		}
	}
	if leaf == 0 || whole < leaf*99/100 {
		t.Errorf("%d of %d stacks lead from the functions to where their thread began", whole, leaf)
	}
}
