package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// scripted is a guest whose QEMU is a shell script: what it prints is the console.
func scripted(t *testing.T, name, script string) image {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, "usr", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		filepath.Join(bin, "qemu-system-x86_64"): "#!/bin/sh\n" + script,
		filepath.Join(dir, name+".cpio"):         "",
	} {
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return image{guest: guest{name: name}, qemu: dir, initramfs: filepath.Join(dir, name+".cpio"), tests: []packageTests{{Package: "p"}}}
}

// prints is a script that prints these lines, ~ being the testing package's byte.
func prints(lines ...string) string {
	return "printf '" + strings.ReplaceAll(strings.Join(lines, `\n`)+`\n`, "~", `\026`) + "'\n"
}

// TestBoot holds what is said of a guest that does not come to its end.
func TestBoot(t *testing.T) {
	const hangs = "exec sleep 600\n"
	long := options{boot: time.Minute, timeout: time.Minute}
	for _, test := range []struct {
		name, script string
		o            options
		why          string
		report       []string // parts of it, in this order
	}{
		{"hangs while it boots", prints("SeaBIOS", "[    0.1] Linux") + hangs, options{boot: time.Millisecond, timeout: time.Minute},
			"did not boot within 1ms", nil},
		{"hangs in a test", prints("testbed: up 6.1", "testbed: begin p", "~=== RUN   TestA", "    a_test.go:1: so far") + hangs, options{boot: time.Minute, timeout: 300 * time.Millisecond},
			"time limit: still running after 300ms", nil},
		{"panics while it boots", prints("[    1.5] Run /init as init process", "[    1.6] Kernel panic - not syncing: no init", "[    1.7] Call Trace:"), long,
			"the kernel panicked", []string{"The console ended with:", "Kernel panic - not syncing: no init", "Call Trace:"}},
		{"panics in a test", prints("testbed: up 6.1", "testbed: begin p", "~=== RUN   TestA", "~--- PASS: TestA (0.01s)", "~=== RUN   TestB", "    b_test.go:1: last words",
			"[    9.7] BUG: kernel NULL pointer dereference", "[    9.8] Kernel panic - not syncing: Fatal exception"), long,
			"the kernel panicked", []string{"PASS: g/TestA", "FAIL: g/TestB (did not end)", "last words", "The console ended with:", "BUG: kernel NULL", "Fatal exception"}},
		{"ends with an error", "echo no such machine >&2; exit 3\n", long,
			"QEMU: exit status 3", []string{"no such machine"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var report strings.Builder
			a := scripted(t, "g", test.script).once(t.Context(), test.o, nil, &report)
			if a.why != test.why || a.good() {
				t.Errorf("%q, want %q", a.why, test.why)
			}
			rest, found := report.String(), true
			for _, part := range append(test.report, "FAIL\tg\t", test.why) {
				if _, rest, found = strings.Cut(rest, part); !found {
					t.Errorf("the report lacks %q, or has it too early:\n%s", part, &report)
					break
				}
			}
		})
	}
}

// TestRunAll holds what a run as a whole comes to.
func TestRunAll(t *testing.T) {
	guestRuns := func(lines ...string) string {
		return prints(append(append([]string{"testbed: up 6.1", "testbed: begin p"}, lines...), "testbed: end p 0", "testbed: done 9.1")...)
	}
	passes := guestRuns("~=== RUN   TestA", "~--- PASS: TestA (0.01s)")
	elsewhere := guestRuns("~=== RUN   TestA", "    a_test.go:1: runs in b, this is a", "~--- SKIP: TestA (0.00s)")
	skips := guestRuns("~=== RUN   TestA", "    a_test.go:1: no counter", "~--- SKIP: TestA (0.00s)")
	for _, test := range []struct {
		name, run string
		scripts   []string // of guests a, b
		last      string   // line of the report
		err       string
	}{
		{"one passes, one is for others", "TestA", []string{elsewhere, passes}, "1 passed, 0 failed", ""},
		{"a typo", "TestAA", []string{guestRuns(), guestRuns()}, "0 passed, 0 failed", `-run "TestAA" matches no test that runs in a, b`},
		{"a test for others alone", "TestA", []string{elsewhere}, "0 passed, 0 failed", `-run "TestA" matches no test that runs in a`},
		{"no test, without a choice", "", []string{guestRuns()}, "0 passed, 1 failed", errFailed.Error()},
		{"a test that is skipped", "", []string{skips}, "0 passed, 1 failed", errFailed.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			var images []image
			for i, script := range test.scripts {
				images = append(images, scripted(t, "ab"[i:i+1], script))
			}
			var report strings.Builder
			err := runAll(t.Context(), images, options{run: test.run, jobs: 2, boot: time.Minute, timeout: time.Minute}, &report)
			if err == nil {
				err = errors.New("")
			}
			if err.Error() != test.err || !strings.HasSuffix(report.String(), "\n"+test.last+"\n") {
				t.Errorf("error %q, want %q; the report, which should end with %q:\n%s", err, test.err, test.last, &report)
			}
		})
	}
}
