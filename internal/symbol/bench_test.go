package symbol

import (
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkResolve opens a binary afresh and resolves 10,000 addresses. The
// goal is a second for 100 MB.
func BenchmarkResolve(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	// Large C++ without debug information, and what the caller names.
	globs := append([]string{self, "/usr/lib/*-linux-gnu/libLLVM-*.so.1"},
		filepath.SplitList(os.Getenv("ENERGYPROF_BENCH_BINARIES"))...)
	for _, glob := range globs {
		paths, _ := filepath.Glob(glob)
		for _, path := range paths {
			st, err := os.Stat(path)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(filepath.Base(path), func(b *testing.B) {
				offs, _ := textOffsets(b, path, 10000)
				named, lined := 0, 0
				for b.Loop() {
					bin := open(b, path)
					named, lined = 0, 0
					for _, frames := range bin.Resolve(offs) {
						if len(frames) > 0 {
							named++
							if frames[0].Line > 0 {
								lined++
							}
						}
					}
				}
				b.ReportMetric(float64(st.Size())/1e6, "MB")
				b.ReportMetric(float64(named), "named")
				b.ReportMetric(float64(lined), "lines")
			})
		}
	}
}

func BenchmarkKernel(b *testing.B) {
	for b.Loop() {
		if _, err := New(Options{}).Kernel(); err != nil {
			b.Skipf("no kernel symbols: %v", err)
		}
	}
}
