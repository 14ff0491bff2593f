package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/energyprof/energyprof/internal/runs"
	"github.com/energyprof/energyprof/internal/session"
	"github.com/energyprof/energyprof/report"
)

// benchRun is a bench under way.
type benchRun struct {
	flags   *benchFlags
	sides   []*benchSide // one, or the two of --ab
	order   *rand.Rand
	signals chan os.Signal // that ask for the end of all, not of one run alone
	stopped os.Signal
	input   *int64   // where the first run begins to read a file as its standard input
	made    []string // directories that were not there, innermost last
	tell    bool     // each run, on a terminal
	out     *output  // of Go benchmarks, nil if not wanted
}

// benchSide is a command and the directory of its runs.
type benchSide struct {
	name    string // "a", "b"; "" without --ab
	dir     string
	command []string
	writer  *runs.Writer
	notes   []string // of the first run
}

// newBenchRun creates the directories, so that nothing is run that could not be kept. What it returns is to be closed,
// with an error, too.
func newBenchRun(f *benchFlags, commands [][]string) (*benchRun, error) {
	b := &benchRun{flags: f, signals: make(chan os.Signal, 8), tell: isTerminal(os.Stderr) && !f.quiet,
		order: rand.New(rand.NewPCG(f.seed, 0))}
	if err := b.makeDirectory(f.dir); err != nil {
		return b, err
	}
	for i, command := range commands {
		side := &benchSide{dir: f.dir, command: command}
		m := runs.Manifest{
			Tool: version(), Go: runtime.Version(), Machine: runs.ThisMachine("/sys", "/proc"),
			Source:      runs.Source{Name: "none"},
			Attribution: runs.Attribution{Method: f.method, Baseline: f.baseline, Weight: f.weight},
			Command:     command, Pair: f.pairOf(commands, i), Warmup: f.warmup, Planned: f.repeats, IgnoreFailures: f.ignore,
		}
		if m.Pair != nil {
			side.name, side.dir = m.Pair.Side, filepath.Join(f.dir, m.Pair.Side)
			if err := b.makeDirectory(side.dir); err != nil {
				return b, err
			}
		}
		var err error
		if side.writer, err = runs.Create(side.dir, m, writeFile); err != nil {
			return b, err
		}
		b.sides = append(b.sides, side)
	}
	if f.file != "" {
		var err error
		if b.out, err = createOutput(f.file); err != nil {
			return b, err
		}
	}
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		if !signal.Ignored(sig) { // nohup's HUP stays ignored
			signal.Notify(b.signals, sig)
		}
	}
	return b, nil
}

// close leaves no trace of a bench that has no run.
func (b *benchRun) close() {
	signal.Stop(b.signals)
	if b.out != nil {
		b.out.discard()
	}
	if slices.ContainsFunc(b.sides, func(s *benchSide) bool { return len(s.writer.Manifest.Runs) > 0 }) {
		return
	}
	for _, side := range b.sides {
		os.Remove(filepath.Join(side.dir, runs.ManifestName))
	}
	for _, dir := range slices.Backward(b.made) {
		os.Remove(dir) // unless somebody put something there
	}
}

// makeDirectory makes a directory for the user alone, which belongs to the one who called sudo. One that is there
// and empty will do.
func (b *benchRun) makeDirectory(path string) error {
	info, err := os.Lstat(path)
	if err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is there and no directory: runs are written into one", path)
		}
		entries, err := os.ReadDir(path)
		if err == nil && len(entries) > 0 {
			return fmt.Errorf("%s is not empty (it has %s): runs of a bench have a directory of their own", path, entries[0].Name())
		}
		return err
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	b.made = append(b.made, path)
	uid, err1 := strconv.Atoi(os.Getenv("SUDO_UID"))
	gid, err2 := strconv.Atoi(os.Getenv("SUDO_GID"))
	if os.Geteuid() == 0 && err1 == nil && err2 == nil {
		return os.Lchown(path, uid, gid)
	}
	return nil
}

func writeFile(path string, fill func(io.Writer) error) error {
	o, err := createOutput(path)
	if err != nil {
		return err
	}
	return o.fill(fill)
}

// all runs the warm-up and then all runs. The error is a commandExit if it is the command that failed or a signal
// that ended the bench.
func (b *benchRun) all() error {
	if len(b.sides) == 2 && !b.flags.quiet {
		fmt.Fprintf(os.Stderr, "energyprof: the order within pairs has the seed %d\n", b.flags.seed)
	}
	for i := range b.flags.warmup + b.flags.repeats {
		number := i - b.flags.warmup // from 0; negative: warm-up
		sides := slices.Clone(b.sides)
		if len(sides) == 2 && b.order.IntN(2) == 1 {
			sides[0], sides[1] = sides[1], sides[0]
		}
		for position, side := range sides {
			if err := b.one(side, number, position == 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// one is one run of a side.
func (b *benchRun) one(side *benchSide, number int, first bool) error {
	if err := b.interrupted(nil); err != nil {
		return err
	}
	f := b.flags
	f.output, f.summary = os.DevNull, ""
	if number >= 0 {
		f.output, f.summary = side.writer.Next()
	}
	if err := b.rewind(); err != nil {
		return err
	}
	var run runs.Run
	err := f.recordFlags.run(side.command, func(rec *report.Recording, _ *session.Result) error {
		run = b.recorded(side, rec)
		return nil
	})
	var failed commandExit
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	if stopped := b.interrupted(err); stopped != nil {
		if number >= 0 { // what is there is a part of a run
			os.Remove(f.output)
			os.Remove(f.summary)
		}
		return stopped
	}
	if number >= 0 {
		if len(b.sides) == 2 {
			run.First = &first
		}
		if err := side.writer.Add(run); err != nil {
			return err
		}
	}
	b.progress(side, number, &run)
	if err != nil && !f.ignore {
		fmt.Fprintf(os.Stderr, "energyprof: %s: the command %s: the bench ends here (--ignore-failures goes on)\n", b.nameRun(side, number), howItEnded(&run))
		return err
	}
	return nil
}

// rewind gives each run the whole of a file that is the standard input. A pipe cannot be read again.
func (b *benchRun) rewind() error {
	if info, err := os.Stdin.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	if b.input == nil {
		at, err := os.Stdin.Seek(0, io.SeekCurrent)
		b.input = &at
		return err
	}
	_, err := os.Stdin.Seek(*b.input, io.SeekStart)
	return err
}

// interrupted returns an error once a signal asked for the end: err, the command's end, if there is one.
func (b *benchRun) interrupted(err error) error {
	select {
	case b.stopped = <-b.signals:
	default:
	}
	switch {
	case b.stopped == nil:
		return nil
	case err != nil:
		return err
	}
	return commandExit(exitSignal + int(b.stopped.(syscall.Signal)))
}

// recorded is what the manifest tells of a run, and of all of them since the first.
func (b *benchRun) recorded(side *benchSide, rec *report.Recording) runs.Run {
	if m := &side.writer.Manifest; m.Events == "" {
		m.Events = eventsOf(rec)
		if m.Source = sourceOf(rec); b.flags.idle != nil {
			m.Attribution.MeasuredWatts = b.flags.idle.Watts
		}
		side.notes = rec.Notes
	}
	run := runs.Run{Start: rec.Data.Start, Elapsed: rec.Data.Duration.Seconds()}
	if c := rec.Command; c != nil {
		run.ExitCode, run.Signal = c.ExitCode, c.Signal
	}
	return run
}

// eventsOf is what was sampled, as describe put it into the comments.
func eventsOf(rec *report.Recording) string {
	for _, c := range rec.Data.Comments {
		if events, ok := strings.CutPrefix(c, "events: "); ok {
			return events
		}
	}
	return ""
}

// sourceOf is where the joules of a recording are from.
func sourceOf(rec *report.Recording) runs.Source {
	if len(rec.Data.Columns) == 0 {
		return runs.Source{Name: "none"}
	}
	s := runs.Source{Name: rec.Source, Measured: rec.Data.Measured}
	for _, c := range rec.Data.Columns {
		if c.Sum {
			s.Domains = append(s.Domains, fmt.Sprintf("%s %d", c.Domain, c.Package))
		}
	}
	return s
}
