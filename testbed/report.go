package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
)

// A totals is what guests came to. What fails without being a test counts as a
// failed one.
type totals struct {
	passed, failed int
	flakes         []string
}

func (t *totals) add(u totals) {
	t.passed += u.passed
	t.failed += u.failed
	t.flakes = append(t.flakes, u.flakes...)
}

// account settles a guest's verdicts: of a test that ran twice the second
// counts, and what got better is a flake.
func account(first, second *attempt) totals {
	var t totals
	type test struct{ suite, name string }
	again := map[test]string{}
	if second != nil {
		for _, r := range second.console.results {
			again[test{r.suite, r.name}] = r.verdict
		}
	}
	seen := map[test]bool{}
	count := func(r result) {
		switch r.verdict {
		case "PASS":
			t.passed++
		case "SKIP": // it is for other guests, and counts nowhere
		default:
			t.failed++
		}
	}
	for _, r := range first.console.results {
		key := test{r.suite, r.name}
		seen[key] = true
		before := r.verdict
		if v, ok := again[key]; ok {
			r.verdict = v
		}
		if before == "FAIL" && r.verdict == "PASS" {
			t.flakes = append(t.flakes, fmt.Sprintf("%s/%s of %s failed, then passed", first.guest.name, r.name, r.suite))
		}
		count(r)
	}
	if second == nil {
		if first.why != "" {
			t.failed++
		}
		return t
	}
	for _, r := range second.console.results {
		if !seen[test{r.suite, r.name}] {
			count(r)
		}
	}
	switch {
	case second.why != "":
		t.failed++
	case first.why != "":
		t.flakes = append(t.flakes, fmt.Sprintf("%s: %s; not so when it ran again", first.guest.name, first.why))
	}
	return t
}

// elsewhere matches the reason of a test that is for other guests, as the helper
// only of testbed/guest gives it.
var elsewhere = regexp.MustCompile(`: runs in [^:]*, this is \S+$`)

// forOthers says whether a test was skipped because it is for other guests.
func (r result) forOthers() bool {
	return r.verdict == "SKIP" && len(r.output) > 0 && elsewhere.MatchString(r.output[len(r.output)-1])
}

// writeResult reports a test as go test -v does, with the seconds of the guest.
func writeResult(w io.Writer, g guest, r result, verbose bool) {
	if r.verdict == "SKIP" && !verbose {
		return
	}
	seconds := r.seconds + "s"
	if r.verdict == "" {
		seconds = "did not end"
	}
	line := fmt.Sprintf("--- %s: %s/%s (%s)", cmp.Or(r.verdict, "FAIL"), g.name, r.name, seconds)
	if r.verdict == "SKIP" && len(r.output) > 0 {
		line += " " + strings.TrimSpace(r.output[len(r.output)-1])
	}
	fmt.Fprintln(w, line)
	if r.verdict == "FAIL" || r.verdict == "" || verbose {
		writeLines(w, r.output)
	}
}

// writeEnd reports a test binary, with the seconds of the host. One without
// tests of the chosen names goes without saying.
func writeEnd(w io.Writer, g guest, e suiteEnd, o options) {
	if e.tests == 0 && e.code == 0 && o.run != "" && !o.verbose {
		return
	}
	verdict := "ok  "
	if e.code != 0 || e.failed > 0 {
		verdict = "FAIL"
	}
	if o.verbose || e.code != 0 || e.tests == 0 {
		writeLines(w, e.output)
	}
	fmt.Fprintf(w, "%s\t%s/%s\t%.1fs\n", verdict, g.name, e.suite, e.wall.Seconds())
}

// writeGuest reports the end of a guest.
func writeGuest(w io.Writer, a *attempt) {
	c := a.console
	for _, r := range c.results {
		if r.verdict == "" {
			writeResult(w, a.guest, r, true)
		}
	}
	if len(c.dmesg) > 0 {
		fmt.Fprintln(w, "The kernel said while the tests ran:")
		writeLines(w, c.dmesg)
	}
	took := fmt.Sprintf("%.1fs, %.1fs of CPU time", a.wall.Seconds(), a.cpu.Seconds())
	if a.why == "" {
		fmt.Fprintf(w, "guest\t%s\t%s\n", a.guest.name, took)
		return
	}
	if !c.done {
		fmt.Fprintln(w, "The console ended with:")
		writeLines(w, c.tail)
	}
	fmt.Fprintf(w, "FAIL\t%s\t%s: %s\n", a.guest.name, took, a.why)
}

func writeLines(w io.Writer, lines []string) {
	for _, l := range lines {
		fmt.Fprintln(w, "    "+l)
	}
}

// An ordered writes the output of several writers to one, each writer's as a
// whole and in their order; that whose turn it is writes through.
type ordered struct {
	mu    sync.Mutex
	to    io.Writer
	now   int // whose turn it is
	parts []bytes.Buffer
}

func newOrdered(to io.Writer, parts int) *ordered {
	return &ordered{to: to, parts: make([]bytes.Buffer, parts)}
}

// part returns the n-th writer.
func (o *ordered) part(n int) io.Writer { return orderedPart{o, n} }

type orderedPart struct {
	o *ordered
	n int
}

func (p orderedPart) Write(b []byte) (int, error) {
	p.o.mu.Lock()
	defer p.o.mu.Unlock()
	if p.n == p.o.now {
		return p.o.to.Write(b)
	}
	return p.o.parts[p.n].Write(b)
}

// close says that the writer whose turn it is has no more. It is for the one
// goroutine that closes all of them in order.
func (o *ordered) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now++
	if o.now < len(o.parts) {
		// Nothing is left to be done about an error: the terminal is gone.
		_, _ = o.parts[o.now].WriteTo(o.to)
	}
}
