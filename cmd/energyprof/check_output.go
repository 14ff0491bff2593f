package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/verdict"
)

// checkFiles are the files that a check writes; nil if they were not asked for.
type checkFiles struct{ junit, badge *output }

// createFiles creates both before anything is read: a name that cannot be written costs nobody a bench.
func (f *checkFlags) createFiles() (checkFiles, error) {
	made, err := createFiles([]wantedFile{{path: ""}, {"--junit", f.junit}, {"--badge", f.badge}})
	return checkFiles{made.summary, made.trace}, err
}

func (c checkFiles) discard() {
	for _, o := range []*output{c.junit, c.badge} {
		if o != nil {
			o.discard()
		}
	}
}

// publish writes a report to all that want it. One that was refused is on stdout as JSON alone: its reason is the error's.
func (f *checkFlags) publish(r *verdict.Report, files checkFiles) error {
	if files.junit != nil {
		if err := files.junit.fill(func(w io.Writer) error { return r.JUnit(w, printable) }); err != nil {
			return err
		}
	}
	if files.badge != nil {
		if err := files.badge.fill(r.Badge); err != nil {
			return err
		}
	}
	out := bufio.NewWriter(f.stdout)
	var err error
	switch {
	case f.json:
		err = r.JSON(out)
	case r.Refused == "":
		err = r.Text(out, printable)
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return f.github(r)
}

// github tells GitHub Actions. Annotations are on stderr, where its runner looks for them as well as on stdout: that may
// be JSON.
func (f *checkFlags) github(r *verdict.Report) error {
	if !f.actions {
		return nil
	}
	if err := r.Annotations(f.stderr, printable); err != nil {
		return err
	}
	if f.summary == "" {
		return nil
	}
	// The runner makes the file, and other steps write to it: it is appended to, and only if it is a plain file.
	file, err := os.OpenFile(f.summary, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("step summary ($GITHUB_STEP_SUMMARY): %w", err)
	}
	err = r.Summary(file, printable)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("step summary %s: %w", f.summary, err)
	}
	return nil
}
