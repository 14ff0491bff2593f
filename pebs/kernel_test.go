package pebs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// openMachines makes each machine once.
func openMachines(t testing.TB) func(path string) Machine {
	made := map[string]Machine{}
	return func(path string) Machine {
		if _, ok := made[path]; !ok {
			made[path] = openMachine(t, path)
		}
		return made[path]
	}
}

// openMachine makes the sysfs of a file of lines, each a path and its content.
func openMachine(t testing.TB, path string) Machine {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for line := range strings.Lines(string(text)) {
		if line[0] == '#' {
			continue
		}
		path, content, ok := strings.Cut(line, " ")
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil || !ok {
			t.Fatalf("%q: %v", line, err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Machine{Sys: root, Proc: root}
}

// Fields of a sample that kernels before 5.11 and 5.12 have, and all of them.
const (
	fields510 = perfring.SampleWeight | perfring.SamplePhysAddr
	fields    = fields510 | perfring.SampleWeightStruct | perfring.SampleDataPageSize | perfring.SampleCodePageSize
)

// rules are what a kernel answers by, on machines like those of testdata. They are those of
// perf_event_open in kernel/events/core.c, of x86_pmu_hw_config and intel_pmu_hw_config
// (arch/x86/events/core.c, intel/core.c) and of perf_ibs_init (amd/ibs.c).
type rules struct {
	precise    uint8                 // the highest of the PMUs of the cores
	fields     perfring.SampleFormat // known to the kernel beside those that all know
	aux        bool                  // cpu and cpu_core want mem-loads-aux before mem-loads
	perTask    bool                  // IBS belongs to tasks, as since Linux 6.2
	filters    bool                  // IBS can pass over samples of what is excluded
	noKernel   bool                  // the user may not sample the kernel,
	nothing    bool                  // nor anything else
	impossible uint64                // a config that no counter can sample with precision
	notHighest uint64                // a config that only counters without precise level 3 take
	asked      []question
}

func (k *rules) ask(q question) error {
	k.asked = append(k.asked, q)
	refuse := func(errno unix.Errno) error {
		return &perfring.OpenError{Attr: q.attr, PID: q.pid, CPU: q.cpu, Errno: errno}
	}
	a := q.attr
	optional := a.SampleFormat & (fields | perfring.SampleWeight)
	both := perfring.SampleWeight | perfring.SampleWeightStruct
	switch {
	case optional&^k.fields != 0, a.SampleFormat&both == both:
		return refuse(unix.EINVAL)
	case k.nothing, k.noKernel && (q.pid < 0 || a.Flags&perfring.FlagExcludeKernel == 0 || a.SampleFormat&perfring.SamplePhysAddr != 0):
		return refuse(unix.EACCES)
	case a.Type == 11: // ibs_op
		excluded := a.Flags & (perfring.FlagExcludeUser | perfring.FlagExcludeKernel | perfring.FlagExcludeHV | perfring.FlagExcludeGuest)
		latency := a.Config1 & 0xfff
		if !k.perTask && q.pid >= 0 || excluded != 0 && !(k.filters && a.Config2 == 1) ||
			a.Flags&perfring.FlagFreq == 0 && a.Sample%16 != 0 || latency != 0 && (latency < 128 || latency > 2048) {
			return refuse(unix.EINVAL)
		}
		return nil
	}
	onCore := a.Type == unix.PERF_TYPE_RAW || a.Type == unix.PERF_TYPE_HARDWARE
	switch {
	case a.PreciseIP > k.precise:
		return refuse(unix.EOPNOTSUPP)
	case a.PreciseIP > 0 && k.impossible != 0 && a.Config == k.impossible, a.PreciseIP == 3 && k.notHighest != 0 && a.Config == k.notHighest:
		return refuse(unix.EINVAL)
	case k.aux && onCore && a.Config == 0x1cd && a.SampleFormat&perfring.SampleDataSrc != 0 &&
		(q.aux == nil || q.aux.Config != 0x8203 || q.aux.Sample != 0):
		return refuse(unix.ENODATA)
	}
	return nil
}

// describe is a sampler in one line.
func describe(s Sampler) string {
	text := s.Kind.String() + " " + s.Spec
	if s.AuxSpec != "" {
		text += " after " + s.AuxSpec
	}
	if s.CPUs != nil {
		text += " on " + pmu.FormatCPUList(s.CPUs)
	}
	text += " with"
	for _, field := range []struct {
		bit  perfring.SampleFormat
		name string
	}{
		{perfring.SampleAddr, "addr"}, {perfring.SampleDataSrc, "src"}, {perfring.SampleWeight, "weight"}, {perfring.SampleWeightStruct, "weights"},
		{perfring.SamplePhysAddr, "phys"}, {perfring.SampleDataPageSize, "page"}, {perfring.SampleCodePageSize, "code"},
	} {
		if s.Format&field.bit != 0 {
			text += " " + field.name
		}
	}
	if s.UserOnly {
		text += ", user only"
	}
	for _, r := range s.Refused {
		text += "\n\tnot " + r.String()
	}
	return text
}
