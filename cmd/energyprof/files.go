package main

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"

	"github.com/energyprof/energyprof/report"
	"github.com/energyprof/energyprof/report/pprofile"
)

// recordFiles are the files that a recording writes. All are created before it
// begins; those not asked for are nil.
type recordFiles struct {
	profile, summary, trace, perfData *output
}

// wantedFile is a file and the flag that asks for it; no path if it was not given.
type wantedFile struct{ flag, path string }

func (f *runFlags) createFiles() (files recordFiles, err error) {
	return createFiles([]wantedFile{{"-o", f.output}, {"--summary", f.summary}, {"--energy-trace", f.trace}, {"--perf-data", f.perfData}})
}

// createFiles creates the files in the order of recordFiles; the profile is needed where it has a flag.
func createFiles(all []wantedFile) (files recordFiles, err error) {
	if all[0].flag != "" && all[0].path == "" {
		return files, usagef("-o: the profile's file has no name")
	}
	to := []**output{&files.profile, &files.summary, &files.trace, &files.perfData}
	flagOf := make(map[string]string)
	for i, want := range all {
		if want.path == "" {
			continue
		}
		name := filepath.Clean(want.path)
		if other, taken := flagOf[name]; taken && !isSpecial(name) {
			files.discard()
			return files, usagef("%s and %s both write %s: one would replace the other", other, want.flag, want.path)
		}
		flagOf[name] = want.flag
		if *to[i], err = createOutput(want.path); err != nil {
			files.discard()
			return files, err
		}
	}
	return files, nil
}

// discard removes what has not been committed.
func (files recordFiles) discard() {
	for _, o := range []*output{files.profile, files.summary, files.trace, files.perfData} {
		if o != nil {
			o.discard()
		}
	}
}

// write writes the profile and the summary and makes all files appear.
func (files recordFiles) write(rec *report.Recording, trace *tracer) error {
	if files.profile != nil {
		p, err := rec.Profile()
		if err != nil {
			return fmt.Errorf("building the profile: %w", err)
		}
		if err := files.profile.fill(func(w io.Writer) error { return pprofile.Write(w, p) }); err != nil {
			return err
		}
	}
	if files.summary != nil {
		if err := files.summary.fill(rec.Summary().JSON); err != nil {
			return err
		}
	}
	if trace != nil {
		if err := trace.finish(); err != nil {
			return fmt.Errorf("output file %s: %w", files.trace.path, err)
		}
		return files.trace.commit()
	}
	return nil
}

// writeSummary replaces the summary of a recording whose command ended later.
func writeSummary(path string, rec *report.Recording) error {
	o, err := createOutput(path)
	if err != nil {
		return err
	}
	return o.fill(rec.Summary().JSON)
}

// fill writes the file with write and commits it.
func (o *output) fill(write func(io.Writer) error) error {
	w := bufio.NewWriter(o)
	err := write(w)
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		o.discard()
		return fmt.Errorf("output file %s: %w", o.path, err)
	}
	return o.commit()
}
