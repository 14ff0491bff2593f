package pebs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/energyprof/energyprof/perfring"
)

// What is chosen asks for what perf record does with the options that perf mem gives it, and
// those for pages: perf prints an event's attributes before it opens it, on any tree.
func TestAsPerfRecord(t *testing.T) {
	if out, err := exec.Command("perf", "--version").CombinedOutput(); err != nil {
		t.Skipf("perf does not run here: %v %s", err, out)
	}
	for _, test := range []struct {
		machine string
		kernel  rules
	}{
		{iceLake, rules{precise: 3, fields: fields}},
		{zen5, rules{fields: fields, perTask: true}},
	} {
		machine := openMachine(t, test.machine)
		// perf ors a latency with that of sysfs, which is 3.
		choice, err := machine.choose(Options{Latency: 31, Physical: true, PageSizes: true}, test.kernel.ask)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range choice.Samplers {
			asked := question{}
			test.kernel.asked = nil
			if _, err := machine.try(s.Spec, Options{Frequency: 4000, Physical: true, PageSizes: true}, test.kernel.ask); err != nil {
				t.Fatal(err)
			}
			for _, q := range test.kernel.asked {
				if q.attr.SampleFormat&s.Format == s.Format {
					asked = q // the last has all fields
				}
			}
			got := attrOfPerf(t, machine.Sys, s.Spec)
			a := asked.attr
			want := map[string]string{
				"type": fmt.Sprint(a.Type), "config": hex(a.Config), "{ bp_addr, config1 }": hex(a.Config1), "{ sample_period, sample_freq }": "4000", "freq": "1", "inherit": "1",
			}
			if a.PreciseIP > 0 {
				want["precise_ip"] = fmt.Sprint(a.PreciseIP)
			}
			for key, value := range want {
				if got[key] != value {
					t.Errorf("%s: %s is %q, and %q in perf's %v", s.Spec, key, value, got[key], got)
				}
			}
			for bit, name := range map[perfring.SampleFormat]string{
				perfring.SampleAddr: "ADDR", perfring.SampleDataSrc: "DATA_SRC", perfring.SampleWeight: "WEIGHT", perfring.SampleWeightStruct: "WEIGHT_STRUCT",
				perfring.SamplePhysAddr: "PHYS_ADDR", perfring.SampleDataPageSize: "DATA_PAGE_SIZE", perfring.SampleCodePageSize: "CODE_PAGE_SIZE",
			} {
				if of := strings.Contains("|"+got["sample_type"]+"|", "|"+name+"|"); of != (a.SampleFormat&bit != 0) {
					t.Errorf("%s: %s is asked for: %v; perf asks for %s", s.Spec, name, !of, got["sample_type"])
				}
			}
		}
	}
}

// hex is as perf prints a config; "" for none, which it leaves out.
func hex(word uint64) string {
	if word == 0 {
		return ""
	}
	return fmt.Sprintf("%#x", word)
}

// attrOfPerf is the attributes that perf would open the event with, by the names it prints.
func attrOfPerf(t *testing.T, sysfs, spec string) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "perf", "record", "-vv", "-o", os.DevNull, "-W", "-d", "--phys-data", "--data-page-size", "--code-page-size", "-e", spec, "--", "true")
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PERF_CONFIG=/dev/null", "SYSFS_PATH="+sysfs, "PERF_CPUID=GenuineTest-0-0-0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	_ = cmd.Run() // the kernel has no such event
	_, text, _ := strings.Cut(stderr.String(), "perf_event_attr:\n")
	text, _, ok := strings.Cut(text, "------------")
	if !ok {
		t.Fatalf("perf prints no attributes: %s", &stderr)
	}
	attr := map[string]string{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " (") // later perf says "4 (cpu)"
		if i := strings.LastIndexByte(line, ' '); i > 0 {
			attr[strings.TrimSpace(line[:i])] = line[i+1:]
		}
	}
	return attr
}
