package runs

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Invalid is why a file or a directory that is there cannot be compared. Errors of the file system are none.
type Invalid struct {
	Path string
	Err  error
}

func (e *Invalid) Error() string { return e.Path + ": " + e.Err.Error() }
func (e *Invalid) Unwrap() error { return e.Err }

func invalidf(path, format string, args ...any) error {
	return &Invalid{path, fmt.Errorf(format, args...)}
}

// Read reads runs of one command: a directory of runs, a profile or a summary of one run, or several files of either
// kind. What is there but cannot be used is an *Invalid.
func Read(paths ...string) (*Set, error) {
	if len(paths) == 0 {
		return nil, errors.New("no directory of runs and no file is named")
	}
	set := &Set{Name: paths[0]}
	var files []fs.FileInfo
	for _, path := range paths {
		info, err := os.Stat(path)
		same := slices.IndexFunc(files, func(other fs.FileInfo) bool { return os.SameFile(info, other) })
		files = append(files, info)
		switch {
		case err != nil:
			return nil, err
		case same >= 0:
			return nil, invalidf(path, "named twice (as %s): a run is counted once", paths[same])
		case !info.IsDir():
			a, err := readFile(path)
			if err != nil {
				return nil, err
			}
			set.runs = append(set.runs, *a)
		case len(paths) > 1:
			return nil, invalidf(path, "a directory among several files: runs are in one directory, or named file by file")
		default:
			if err := set.readDirectory(path); err != nil {
				return nil, err
			}
		}
	}
	return set, set.agree()
}

// readFile reads a profile or a summary, as its first bytes say.
func readFile(path string) (*amounts, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewReader(f)
	var a *amounts
	if looksLikeJSON(in) {
		s, err := readSummary(in)
		if err != nil {
			return nil, &Invalid{path, err}
		}
		a, err = fromSummary(s)
		if err != nil {
			return nil, &Invalid{path, err}
		}
	} else if a, err = readProfile(in); err != nil {
		return nil, &Invalid{path, err}
	}
	if err := a.finite(); err != nil {
		return nil, &Invalid{path, err}
	}
	a.file = path
	for i, note := range a.notes {
		a.notes[i] = path + ": " + note
	}
	return a, nil
}

// open refuses what is no regular file: a pipe would be waited for.
func open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = invalidf(path, "neither a file nor a directory of runs")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// looksLikeJSON tells a summary from a profile, which as a protocol buffer begins with the field of a sample type.
func looksLikeJSON(in *bufio.Reader) bool {
	head, _ := in.Peek(64)
	return strings.HasPrefix(strings.TrimLeft(string(head), " \t\r\n"), "{")
}

// readDirectory reads the runs of a manifest.
func (s *Set) readDirectory(dir string) error {
	path := filepath.Join(dir, ManifestName)
	f, err := open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return noManifest(dir)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if s.Manifest, err = readManifest(f); err != nil {
		return &Invalid{path, err}
	}
	if len(s.Manifest.Runs) == 0 {
		return invalidf(path, "it lists no run: the bench was cut off before the first one ended, or that failed")
	}
	failed := 0
	for i := range s.Manifest.Runs {
		run := &s.Manifest.Runs[i]
		if run.Failed() {
			if failed++; !s.Manifest.IgnoreFailures {
				continue
			}
		}
		a, err := readRun(dir, run)
		if errors.Is(err, fs.ErrNotExist) {
			return invalidf(dir, "run %d of %d is missing: %w", i+1, len(s.Manifest.Runs), err)
		}
		if err != nil {
			return err
		}
		s.runs = append(s.runs, *a)
		s.numbers = append(s.numbers, i)
	}
	return s.tellRuns(path, failed)
}

// tellRuns notes the runs that are not there or did not succeed.
func (s *Set) tellRuns(path string, failed int) error {
	m := s.Manifest
	switch {
	case len(s.runs) == 0:
		return invalidf(path, "all %d runs failed", failed)
	case failed > 0 && m.IgnoreFailures:
		s.note("%s: the command failed in %d of %d runs, which are compared all the same (--ignore-failures)", s.Name, failed, len(m.Runs))
	case failed > 0:
		s.note("%s: the command failed in %d of %d runs, which are left out", s.Name, failed, len(m.Runs))
	}
	if len(m.Runs) < m.Planned {
		s.note("%s: %d of %d runs: the bench was cut off", s.Name, len(m.Runs), m.Planned)
	}
	return nil
}

func (s *Set) note(format string, args ...any) {
	s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
}

// readManifest reads a manifest; what a later version adds to this one is skipped.
func readManifest(in io.Reader) (*Manifest, error) {
	var all json.RawMessage
	if err := readJSON(in, &all); err != nil {
		return nil, fmt.Errorf("not a manifest of runs: %w", err)
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(all, &head); err != nil {
		return nil, fmt.Errorf("not a manifest of runs: %w", err)
	}
	switch {
	case head.Version <= 0:
		return nil, errors.New("not a manifest of runs: it has no version")
	case head.Version > Version:
		return nil, fmt.Errorf("a manifest of version %d: this energyprof reads %d at most", head.Version, Version)
	}
	m := new(Manifest)
	if err := json.Unmarshal(all, m); err != nil {
		return nil, fmt.Errorf("not a manifest of runs: %w", err)
	}
	runOf := map[string]int{}
	for i, run := range m.Runs {
		for _, name := range []string{run.Profile, run.Summary} {
			if name == "" || filepath.Base(name) != name || !filepath.IsLocal(name) {
				return nil, fmt.Errorf("run %d: %q is no name of a file in the directory", i+1, name)
			}
			if other := runOf[name]; other > 0 {
				return nil, fmt.Errorf("run %d: %q is a file of run %d already: a run is counted once", i+1, name, other)
			}
			runOf[name] = i + 1
		}
	}
	return m, nil
}

// noManifest says what a directory without a manifest is.
func noManifest(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	switch {
	case len(names) == 0:
		return invalidf(dir, "an empty directory: it has no runs")
	case slices.Contains(names, SideA) && slices.Contains(names, SideB):
		return invalidf(dir, "it has the runs of two commands: name %s and %s", filepath.Join(dir, SideA), filepath.Join(dir, SideB))
	}
	return invalidf(dir, "not a directory of runs: it has no %s", ManifestName)
}

// readRun reads a profile, and from its summary what a profile does not tell.
func readRun(dir string, run *Run) (*amounts, error) {
	a, err := readFile(filepath.Join(dir, run.Profile))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, run.Summary)
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	summary, err := readSummary(f)
	if err != nil {
		return nil, &Invalid{path, err}
	}
	if err := a.isOf(run); err != nil {
		return nil, &Invalid{Path: a.file, Err: err}
	}
	a.command = nil
	a.describe(summary)
	if run.Elapsed > 0 {
		a.elapsed = run.Elapsed
	}
	return a, nil
}
