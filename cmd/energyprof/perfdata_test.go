package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/energyprof/energyprof/report/pprofile"
)

// forks is a command with processes that end, threads' worth of names and code of several binaries.
const forks = `i=0; while [ $i -lt 6 ]; do cat /dev/null; (exec -a other sh -c 'j=0; while [ $j -lt 9000 ]; do j=$((j+1)); done'); i=$((i+1)); done; exit 3`

// TestPerfData records into perf.data and expects the same profile out of it, and perf to read it.
func TestPerfData(t *testing.T) {
	needSampling(t)
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skipf("no bash, whose exec can change a name: %v", err)
	}
	target := exec.Command("sh", "-c", "while :; do :; done")
	if err := target.Start(); err != nil {
		t.Fatal(err)
	}
	defer target.Wait()
	defer target.Process.Kill()
	pid := strconv.Itoa(target.Process.Pid)
	for _, test := range []struct {
		name string
		need func(*testing.T)
		code int
		args []string
	}{
		{"model", nil, 3, []string{"--energy", "model", "--", "bash", "-c", forks}},
		{"counter", needTSC, 3, []string{"--energy-event", "msr/tsc/", "--energy-scale", "1e-9", "-D", "50ms", "--", "bash", "-c", forks}},
		{"events", nil, 3, []string{"-e", "page-faults,cpu-clock", "--energy", "none", "-F", "499", "--", "bash", "-c", forks}},
		{"tracepoint", needTracefs, 3, []string{"-e", "sched:sched_switch", "--energy", "none", "--", "bash", "-c", forks}},
		{"counters", needTSC, 3, []string{"--counter", "msr/tsc/", "--counter", "page-faults", "--energy", "model", "--", "bash", "-c", forks}},
		{"frame pointers", nil, 3, []string{"-g", "fp", "--energy", "none", "--", "bash", "-c", forks}},
		{"copies of the stack", nil, 3, []string{"-g", "dwarf,4096", "-e", "page-faults", "--energy", "none", "--", "bash", "-c", forks}},
		{"pid", nil, 0, []string{"-p", pid, "--duration", "300ms"}},
		{"lost", nil, 0, []string{"-c", "10000", "-m", "1", "--user", "-p", pid, "--duration", "300ms"}},
		{"all", needTSC, 0, []string{"-a", "--duration", "300ms", "--energy-event", "msr/tsc/", "--energy-scale", "1e-9"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.need != nil {
				test.need(t)
			}
			dir := t.TempDir()
			file, out := filepath.Join(dir, "perf.data"), filepath.Join(dir, "out.pb.gz")
			// A program that is gone when the file is converted.
			shell := filepath.Join(dir, "shell")
			if err := copyFile(bash, shell); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"record", "-q", "--perf-data", file, "-o", out}, test.args...)
			for i, arg := range args {
				if arg == "bash" {
					args[i] = shell
				}
			}
			energyprof(t, test.code, args...)
			if err := os.Remove(shell); err != nil {
				t.Fatal(err)
			}
			want := readProfile(t, out)
			converted := filepath.Join(dir, "converted.pb.gz")
			energyprof(t, 0, "convert", "-q", "-o", converted, file)
			got := readProfile(t, converted)
			if g, w := bare(t, got), bare(t, want); !bytes.Equal(g, w) {
				t.Errorf("the profile out of perf.data:\n%v\nof the recording:\n%v", got, want)
			}
			t.Run("perf", func(t *testing.T) { checkWithPerf(t, file, want) })
		})
	}
}

func needTracefs(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/sys/kernel/tracing/events/sched/sched_switch/id"); err != nil {
		t.Skipf("no tracepoints: %v", err)
	}
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o700)
}

// bare is a profile without its comments, as bytes.
func bare(t *testing.T, p *profile.Profile) []byte {
	t.Helper()
	p = p.Copy()
	p.Comments = nil
	var b bytes.Buffer
	if err := p.WriteUncompressed(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// checkWithPerf runs stock perf over a file: it must find nothing to warn of, and as many samples.
func checkWithPerf(t *testing.T, file string, want *profile.Profile) {
	t.Helper()
	if _, err := exec.LookPath("perf"); err != nil {
		t.Skipf("no perf: %v", err)
	}
	var script string
	for _, args := range [][]string{
		{"report", "--header-only"}, {"report", "--stdio", "--no-children"}, {"buildid-list"}, {"evlist"}, {"script", "-F", "comm,event"},
	} {
		c := exec.Command("perf", append(args, "-i", file)...)
		var errOut bytes.Buffer
		c.Stderr = &errOut
		out, err := c.Output()
		lost := strings.Contains(errOut.String(), "Check IO/CPU overload!") // which is true, and no fault of the file
		if err != nil || errOut.Len() > 0 && !lost {
			t.Errorf("perf %v: %v\n%s", args, err, errOut.String())
		}
		script = string(out)
	}
	copied := file + ".injected"
	if msg, err := exec.Command("perf", "inject", "-b", "-i", file, "-o", copied).CombinedOutput(); err != nil {
		t.Errorf("perf inject: %v\n%s", err, msg)
	}
	var samples int64
	for _, s := range want.Sample {
		if _, ok := pprofile.IsSynthetic(s); !ok {
			samples += s.Value[0]
		}
	}
	// What CPUs did with nothing to do is in the file and not in the profile.
	clock, idle := int64(strings.Count(script, " cpu-clock:")), int64(strings.Count(script, "swapper "))
	if clock < samples || clock-idle > samples {
		t.Errorf("perf script finds %d samples of the clock, %d of them of swapper; the profile has %d", clock, idle, samples)
	}
}
