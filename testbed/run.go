package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A totals counts tests over all guests. What fails without being a test counts
// as a failed one.
type totals struct{ passed, failed, skipped int }

// An outcome is what a guest came to, with its report.
type outcome struct {
	text   bytes.Buffer
	totals totals
	flakes []string
}

// runAll boots the guests, some at a time, and writes their reports in order.
func runAll(ctx context.Context, images []image, o options, w io.Writer) error {
	turn := make(chan struct{}, o.jobs)
	outcomes := make([]chan *outcome, len(images))
	for n, i := range images {
		outcomes[n] = make(chan *outcome, 1)
		go func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			outcomes[n] <- i.runTwice(ctx, o)
		}()
	}
	var sum totals
	var flakes []string
	for _, c := range outcomes {
		r := <-c
		if _, err := r.text.WriteTo(w); err != nil {
			return err
		}
		sum.passed += r.totals.passed
		sum.failed += r.totals.failed
		sum.skipped += r.totals.skipped
		flakes = append(flakes, r.flakes...)
	}
	for _, f := range flakes {
		fmt.Fprintln(w, "FLAKE", f)
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", sum.passed, sum.failed, sum.skipped)
	if err := ctx.Err(); err != nil {
		return err
	}
	if sum.failed > 0 {
		return errFailed
	}
	return nil
}

// runTwice runs a guest's tests, and once more those that failed, or all of them
// where the guest itself did. What passes the second time is a flake, and said.
func (i image) runTwice(ctx context.Context, o options) *outcome {
	out := &outcome{}
	first := i.once(ctx, o, nil, "")
	second := (*attempt)(nil)
	if first.why != "" || first.failedTests() > 0 {
		if ctx.Err() == nil {
			second = i.once(ctx, o, first, ".again")
		}
	}
	first.write(out, o, second)
	return out
}

// An attempt is one boot with its tests.
type attempt struct {
	guest   guest
	console *console
	why     string // the guest itself failed
	wall    time.Duration
}

// failedTests counts the tests that failed, and the test binaries that did so
// without one.
func (a *attempt) failedTests() int {
	n := 0
	for _, e := range a.console.ends {
		n += max(e.failed, min(e.code, 1))
	}
	return n
}

// once boots the guest. After an attempt that only had failed tests it runs
// these alone.
func (i image) once(ctx context.Context, o options, after *attempt, suffix string) *attempt {
	a := &attempt{guest: i.guest, console: &console{}}
	lines := i.commands(o, after)
	if err := i.list(lines); err != nil {
		a.why = err.Error()
		return a
	}
	log, err := os.Create(strings.TrimSuffix(i.initramfs, ".cpio") + suffix + ".console")
	if err != nil {
		a.why = err.Error()
		return a
	}
	defer log.Close()
	begun := time.Now()
	err = i.boot(ctx, o.timeout, io.MultiWriter(log, a.console))
	a.wall = time.Since(begun)
	a.why = a.failure(err, o, len(lines))
	return a
}

// commands returns the lines of /tests/list.
func (i image) commands(o options, after *attempt) []string {
	var lines []string
	for _, p := range i.tests {
		run := p.Run
		if o.run != "" {
			run = o.run
		}
		if after != nil && after.why == "" {
			var names []string
			for _, r := range after.console.results {
				if r.suite == p.Package && r.verdict == "FAIL" {
					names = append(names, regexp.QuoteMeta(r.name))
				}
			}
			switch at := slices.IndexFunc(after.console.ends, func(e suiteEnd) bool { return e.suite == p.Package }); {
			case len(names) > 0 && !after.console.unfinished(p.Package):
				run = "^(" + strings.Join(names, "|") + ")$"
			case at < 0 || after.console.ends[at].code == 0:
				continue
			}
		}
		line := p.Package + " -test.timeout=" + o.timeout.String()
		if run != "" {
			line += " -test.run=" + quote(run)
		}
		if p.Skip != "" {
			line += " -test.skip=" + quote(p.Skip)
		}
		if o.short {
			line += " -test.short"
		}
		lines = append(lines, line)
	}
	return lines
}

// unfinished tells of a test that has begun and not ended: its binary died.
func (c *console) unfinished(suite string) bool {
	return slices.ContainsFunc(c.results, func(r result) bool { return r.suite == suite && r.verdict == "" })
}

// quote makes a word of the guest's shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// failure says what is wrong with the guest itself, if anything is. boot is the
// error of its QEMU.
func (a *attempt) failure(boot error, o options, suites int) string {
	c := a.console
	switch {
	case errors.Is(boot, errTimeLimit) && !c.up:
		return fmt.Sprintf("did not boot within %v", o.timeout)
	case errors.Is(boot, errTimeLimit):
		return fmt.Sprintf("time limit: still running after %v", o.timeout)
	case c.panicked:
		return "the kernel panicked"
	case boot != nil:
		return boot.Error()
	case !c.up:
		return "did not boot"
	case !c.done:
		return "ended before its tests did"
	case len(c.modules) > 0:
		return "modules did not load: " + strings.Join(c.modules, ", ")
	case len(c.kernel) > 0:
		return "the kernel complained: " + c.kernel[0]
	case len(c.ends) != suites:
		return fmt.Sprintf("ran %d test binaries, expected %d", len(c.ends), suites)
	}
	return ""
}

// write reports an attempt as go test would, and how the second one went.
func (a *attempt) write(out *outcome, o options, second *attempt) {
	w := &out.text
	again := func(suite, name string) string { // the second verdict on a test
		if second == nil {
			return ""
		}
		for _, r := range second.console.results {
			if r.suite == suite && r.name == name {
				return r.verdict
			}
		}
		return ""
	}
	whole := second != nil && second.why == "" && second.failedTests() == 0
	for _, e := range a.console.ends {
		bad := false
		ran := 0
		for _, r := range a.console.results {
			if r.suite != e.suite {
				continue
			}
			ran++
			name := a.guest.name + "/" + r.name
			switch {
			case r.verdict == "PASS":
				out.totals.passed++
			case r.verdict == "SKIP":
				out.totals.skipped++
			case again(r.suite, r.name) == "PASS":
				out.totals.passed++
				out.flakes = append(out.flakes, fmt.Sprintf("%s (%s) failed once, then passed", name, r.suite))
				r.verdict = "FAIL"
			default:
				out.totals.failed++
				r.verdict, bad = "FAIL", true
			}
			writeResult(w, name, r, o.verbose)
			if r.verdict == "FAIL" && second != nil {
				fmt.Fprintf(w, "    once more: %s\n", strings.Replace(cmpOr(again(r.suite, r.name), "did not end"), "PASS", "passed", 1))
			}
		}
		if e.code != 0 && e.failed == 0 {
			fmt.Fprintf(w, "FAIL: %s: the tests of %s ended with code %d\n", a.guest.name, e.suite, e.code)
			writeLines(w, e.output)
			if whole {
				out.flakes = append(out.flakes, fmt.Sprintf("%s %s ended with code %d, then passed", a.guest.name, e.suite, e.code))
			} else {
				bad = true
				out.totals.failed++
			}
		} else if ran == 0 && o.run == "" {
			fmt.Fprintf(w, "FAIL: %s: no test of %s ran\n", a.guest.name, e.suite)
			writeLines(w, e.output)
			bad = true
			out.totals.failed++
		} else if o.verbose {
			writeLines(w, e.output)
		}
		verdict := "ok  "
		if bad {
			verdict = "FAIL"
		}
		fmt.Fprintf(w, "%s\t%s/%s\t%.1fs\n", verdict, a.guest.name, e.suite, e.seconds)
	}
	if a.why == "" {
		if a.failedTests() > 0 {
			writeBlock(w, a.guest.name+"'s kernel said", a.console.dmesg)
		}
		fmt.Fprintf(w, "guest\t%s\t%.1fs of the wall's clock\n", a.guest.name, a.wall.Seconds())
		return
	}
	fmt.Fprintf(w, "FAIL: %s: %s\n", a.guest.name, a.why)
	writeBlock(w, a.guest.name+"'s kernel said", a.console.dmesg)
	writeBlock(w, a.guest.name+"'s console ended with", a.console.tail)
	if whole {
		out.flakes = append(out.flakes, fmt.Sprintf("%s: %s; the second boot passed", a.guest.name, a.why))
	} else {
		out.totals.failed++
		if second != nil && second.why != "" {
			fmt.Fprintf(w, "FAIL: %s, once more: %s\n", a.guest.name, second.why)
		}
	}
	fmt.Fprintf(w, "guest\t%s\t%.1fs of the wall's clock\n", a.guest.name, a.wall.Seconds())
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func writeResult(w io.Writer, name string, r result, verbose bool) {
	line := fmt.Sprintf("--- %s: %s (%ss)", r.verdict, name, cmpOr(r.seconds, "?"))
	if r.verdict == "SKIP" && len(r.output) > 0 {
		line += " " + strings.TrimSpace(r.output[len(r.output)-1])
	}
	fmt.Fprintln(w, line)
	if r.verdict == "FAIL" || verbose {
		writeLines(w, r.output)
	}
}

func writeLines(w io.Writer, lines []string) {
	for _, l := range lines {
		fmt.Fprintln(w, "    "+l)
	}
}

func writeBlock(w io.Writer, title string, lines []string) {
	if len(lines) > 0 {
		fmt.Fprintln(w, title+":")
		writeLines(w, lines)
	}
}
