package main

import (
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

// runAll boots the guests, some at a time, and reports one after the other.
func runAll(ctx context.Context, images []image, o options, w io.Writer) error {
	turn := make(chan struct{}, o.jobs)
	out := newOrdered(w, len(images))
	sums := make([]chan totals, len(images))
	for n := range images {
		sums[n] = make(chan totals, 1)
	}
	go func() {
		for n, i := range images {
			turn <- struct{}{}
			go func() {
				sums[n] <- i.runTwice(ctx, o, out.part(n))
				<-turn
			}()
		}
	}()
	var all totals
	for _, c := range sums {
		all.add(<-c)
		out.close()
	}
	for _, f := range all.flakes {
		fmt.Fprintln(w, "FLAKE\t"+f)
	}
	fmt.Fprintf(w, "%d passed, %d failed\n", all.passed, all.failed)
	if err := ctx.Err(); err != nil {
		return err
	}
	switch {
	case all.failed > 0:
		return errFailed
	case all.passed == 0: // a guest that has nothing to do without a choice has failed
		return fmt.Errorf("-run %q matches no test that runs in %s", o.run, strings.Join(namesOf(images), ", "))
	}
	return nil
}

func namesOf(images []image) []string {
	var names []string
	for _, i := range images {
		names = append(names, i.guest.name)
	}
	return names
}

// runTwice runs a guest's tests, and once more those that failed, or all of them
// where the guest itself did.
func (i image) runTwice(ctx context.Context, o options, w io.Writer) totals {
	first := i.once(ctx, o, nil, w)
	if ctx.Err() != nil || first.good() {
		return account(first, nil)
	}
	fmt.Fprintf(w, "again\t%s\n", i.guest.name)
	return account(first, i.once(ctx, o, first, w))
}

// An attempt is one boot with its tests.
type attempt struct {
	guest   guest
	console *console
	why     string // the guest itself failed, or a test binary without a test
	wall    time.Duration
	cpu     time.Duration // of QEMU, on the host
}

func (a *attempt) good() bool {
	return a.why == "" && !slices.ContainsFunc(a.console.results, func(r result) bool { return r.verdict == "FAIL" })
}

// once boots the guest and reports. After an attempt that only had failed tests
// it runs these alone.
func (i image) once(ctx context.Context, o options, after *attempt, w io.Writer) *attempt {
	a := &attempt{guest: i.guest, console: &console{}}
	a.console.onResult = func(r result) { writeResult(w, i.guest, r, o.verbose) }
	a.console.onEnd = func(e suiteEnd) { writeEnd(w, i.guest, e, o) }
	suffix := ".console"
	if after != nil {
		suffix = ".again.console"
	}
	lines := i.commands(o, after)
	begun := time.Now()
	err := i.list(lines)
	if err == nil {
		var log *os.File
		if log, err = os.Create(strings.TrimSuffix(i.initramfs, ".cpio") + suffix); err == nil {
			defer log.Close()
			a.cpu, err = i.boot(ctx, o, a.console, log)
		}
	}
	a.wall = time.Since(begun)
	a.console.finish()
	a.why = a.console.failure(err, o, len(lines))
	writeGuest(w, a)
	return a
}

// commands returns the lines of /tests/list.
func (i image) commands(o options, after *attempt) []string {
	var lines []string
	for _, p := range i.tests {
		run := p.Run
		if o.short {
			run = "^(" + strings.Join(shortTests, "|") + ")$"
		}
		if o.run != "" {
			run = o.run
		}
		if after != nil && after.why == "" {
			failed := after.console.failed(p.Package)
			if len(failed) == 0 {
				continue
			}
			run = "^(" + strings.Join(failed, "|") + ")$"
		}
		// The binary's own limit comes first: it shows where the test stands.
		line := fmt.Sprintf("%s %s -test.timeout=%v", p.Package, testBinary(p), o.timeout*3/4)
		if run != "" {
			line += " -test.run=" + quote(run)
		}
		if p.Skip != "" {
			line += " -test.skip=" + quote(p.Skip)
		}
		lines = append(lines, line)
	}
	return lines
}

// failed returns the names of a package's tests that failed, as regular
// expressions.
func (c *console) failed(suite string) []string {
	var names []string
	for _, r := range c.results {
		if r.suite == suite && r.verdict == "FAIL" {
			names = append(names, regexp.QuoteMeta(r.name))
		}
	}
	return names
}

// quote makes a word of the guest's shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// failure says what is wrong besides failed tests, if anything is. boot is the
// error of the guest's QEMU, suites are the test binaries that should have run.
func (c *console) failure(boot error, o options, suites int) string {
	switch {
	case errors.Is(boot, errBootLimit):
		return fmt.Sprintf("did not boot within %v", o.boot)
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
	case len(c.ends) != suites:
		return fmt.Sprintf("ran %d test binaries, expected %d", len(c.ends), suites)
	}
	for _, e := range c.ends {
		// 1 is for failed tests; a panic is 2, and what comes after it did not run.
		if e.code > 1 || e.code != 0 && e.failed == 0 {
			return fmt.Sprintf("the tests of %s ended with code %d", e.suite, e.code)
		}
		if e.tests == 0 && o.run == "" {
			return fmt.Sprintf("no test of %s ran", e.suite)
		}
	}
	if slices.ContainsFunc(c.results, func(r result) bool { return r.verdict == "" }) {
		return "a test did not end"
	}
	if len(c.kernel) > 0 {
		return "the kernel complained: " + c.kernel[0]
	}
	return ""
}
