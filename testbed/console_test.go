package main

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestConsole(t *testing.T) {
	type want struct {
		Results []result
		Ends    []suiteEnd
		Up      bool
		Done    bool
		Failure string
	}
	for _, test := range []struct {
		name, text string
		want       want
	}{
		{"passes, skips and fails", "\x1bcSeaBIOS" + `
testbed: up 6.46
testbed: begin testbed/guest
~=== RUN   TestA
~--- PASS: TestA (0.12s)
~=== NAME  
~=== RUN   TestB
    b_test.go:7: runs in amd-6.12, this is icx-6.1
~--- SKIP: TestB (0.00s)
~=== RUN   TestC
~=== RUN   TestC/sub
    c_test.go:9: 49 W, want 50 W
~--- FAIL: TestC/sub (1.00s)
~=== NAME  TestC
~--- FAIL: TestC (1.50s)
~FAIL

testbed: end testbed/guest 1
testbed: done 9.00
`, want{
			Results: []result{
				{suite: "testbed/guest", name: "TestA", verdict: "PASS", seconds: "0.12"},
				{suite: "testbed/guest", name: "TestB", verdict: "SKIP", seconds: "0.00", output: []string{"    b_test.go:7: runs in amd-6.12, this is icx-6.1"}},
				{suite: "testbed/guest", name: "TestC", verdict: "FAIL", seconds: "1.50", output: []string{"    c_test.go:9: 49 W, want 50 W", "--- FAIL: TestC/sub (1.00s)"}},
			},
			Ends: []suiteEnd{{suite: "testbed/guest", code: 1, tests: 3, failed: 1}},
			Up:   true, Done: true,
		}},
		{"a test that is skipped where it has to run", "testbed: up 1\ntestbed: begin p\n~=== RUN   TestA\n    a_test.go:3: no counter\n~--- SKIP: TestA (0.00s)\n~=== RUN   TestB\n~=== RUN   TestB/sub\n    b_test.go:4: no PMU\n~--- PASS: TestB (0.00s)\n~    --- SKIP: TestB/sub (0.00s)\n~PASS\ntestbed: end p 0\ntestbed: done 2\n", want{
			Results: []result{
				{suite: "p", name: "TestA", verdict: "FAIL", seconds: "0.00", output: []string{"    a_test.go:3: no counter", skipped}},
				{suite: "p", name: "TestB", verdict: "FAIL", seconds: "0.00", output: []string{"    b_test.go:4: no PMU", "    --- SKIP: TestB/sub (0.00s)", skipped}, inner: true},
			},
			Ends: []suiteEnd{{suite: "p", tests: 2, failed: 2}},
			Up:   true, Done: true,
		}},
		{"a test that prints what testing prints", "testbed: up 1\ntestbed: begin p\n~=== RUN   TestA\n    --- SKIP: TestB/sub (0.00s)\n~--- PASS: TestA (0.00s)\n~PASS\ntestbed: end p 0\ntestbed: done 2\n", want{
			Results: []result{{suite: "p", name: "TestA", verdict: "PASS", seconds: "0.00", output: []string{"    --- SKIP: TestB/sub (0.00s)"}}},
			Ends:    []suiteEnd{{suite: "p", tests: 1}},
			Up:      true, Done: true,
		}},
		{"output without an end of line", "testbed: up 1\ntestbed: begin p\n~=== RUN   TestA\nhalf~--- PASS: TestA (0.00s)\n~PASS\ntestbed: end p 0\ntestbed: done 2\n", want{
			Results: []result{{suite: "p", name: "TestA", verdict: "PASS", seconds: "0.00", output: []string{"half"}}},
			Ends:    []suiteEnd{{suite: "p", tests: 1}},
			Up:      true, Done: true,
		}},
		{"tests that take turns", "testbed: up 1\ntestbed: begin p\n~=== RUN   TestA\n~=== PAUSE TestA\n~=== RUN   TestB\nb\n~--- PASS: TestB (0.00s)\n~=== CONT  TestA\na\n~--- PASS: TestA (0.00s)\ntestbed: end p 0\ntestbed: done 2\n", want{
			Results: []result{
				{suite: "p", name: "TestB", verdict: "PASS", seconds: "0.00", output: []string{"b"}},
				{suite: "p", name: "TestA", verdict: "PASS", seconds: "0.00", output: []string{"a"}},
			},
			Ends: []suiteEnd{{suite: "p", tests: 2}},
			Up:   true, Done: true,
		}},
		{"a binary that does not start", "testbed: up 1\ntestbed: begin p\nsh: ./p.test: not found\ntestbed: end p 127\ntestbed: done 2\n", want{
			Ends: []suiteEnd{{suite: "p", code: 127, output: []string{"sh: ./p.test: not found"}}},
			Up:   true, Done: true,
			Failure: "the tests of p ended with code 127",
		}},
		{"no test at all", "testbed: up 1\ntestbed: begin p\nskipped: these tests run in guests\ntestbed: end p 0\ntestbed: done 2\n", want{
			Ends: []suiteEnd{{suite: "p", output: []string{"skipped: these tests run in guests"}}},
			Up:   true, Done: true,
			Failure: "no test of p ran",
		}},
		{"a panic", "testbed: up 1\ntestbed: begin p\n~=== RUN   TestA\n[    9.730962] BUG: kernel NULL pointer dereference\n[    9.737184] Kernel panic - not syncing: Fatal exception\n", want{
			Results: []result{{suite: "p", name: "TestA"}},
			Up:      true,
			Failure: "the kernel panicked",
		}},
		{"a test that speaks of a panic", "testbed: up 1\ntestbed: begin p\n~=== RUN   TestA\n    a_test.go:1: [    9.7] BUG: kernel\n~--- PASS: TestA (0.00s)\ntestbed: end p 0\ntestbed: done 2\n", want{
			Results: []result{{suite: "p", name: "TestA", verdict: "PASS", seconds: "0.00", output: []string{"    a_test.go:1: [    9.7] BUG: kernel"}}},
			Ends:    []suiteEnd{{suite: "p", tests: 1}},
			Up:      true, Done: true,
		}},
		{"no boot", "SeaBIOS\n", want{Failure: "did not boot"}},
		{"an end too early", "testbed: up 1\n", want{Up: true, Failure: "ended before its tests did"}},
		{"a module that does not load, a warning", "testbed: up 1\ntestbed: module rapl\ntestbed: kernel [ 1.0] WARNING: CPU: 0\ntestbed: done 2\n", want{
			Up: true, Done: true, Failure: "modules did not load: rapl",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var c console
			text := strings.ReplaceAll(strings.ReplaceAll(test.text, "\n", "\r\n"), "~", "\x16")
			for half := range strings.SplitAfterSeq(text, "e") { // in pieces, as pipes have it
				io.WriteString(&c, half)
			}
			c.finish()
			got := want{c.results, c.ends, c.up, c.done, c.failure(nil, options{}, 1)}
			options := []cmp.Option{
				cmp.AllowUnexported(result{}, suiteEnd{}), cmpopts.IgnoreFields(suiteEnd{}, "begun", "wall"), cmpopts.EquateEmpty(),
			}
			if diff := cmp.Diff(test.want, got, options...); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
