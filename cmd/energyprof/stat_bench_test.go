package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkStat is what counting a command that does nothing costs, beside perf: docs/numbers.md.
func BenchmarkStat(b *testing.B) {
	bin := filepath.Join(b.TempDir(), "energyprof")
	build := exec.Command("go", "build", "-ldflags=-w", "-o", bin, ".") // as make build has it
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	for _, bm := range []struct {
		name string
		args []string
	}{
		{"of=perf", []string{"perf", "stat", "-o", os.DevNull, "true"}},
		{"of=energyprof", []string{bin, "stat", "-o", os.DevNull, "--", "true"}},
		{"of=energyprof-without-energy", []string{bin, "stat", "--energy", "none", "-o", os.DevNull, "--", "true"}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			if _, err := exec.LookPath(bm.args[0]); err != nil {
				b.Skip(err)
			}
			var used time.Duration
			for b.Loop() {
				c := exec.Command(bm.args[0], bm.args[1:]...)
				if out, err := c.CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
				used += c.ProcessState.UserTime() + c.ProcessState.SystemTime()
			}
			b.ReportMetric(float64(used.Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}
