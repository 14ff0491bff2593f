package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/launch"
	"github.com/energyprof/energyprof/internal/session"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report"
)

// describe adds what the collector does not know.
func (r *run) describe(rec *report.Recording, result *session.Result) {
	rec.Tool = "energyprof " + version()
	rec.Data.Period = r.opt.Events[0].Nominal()
	rec.Data.Start = result.Wall
	rec.Data.Duration = time.Duration(result.End - result.Start)
	rec.Data.Comments = append(rec.Data.Comments, "events: "+describeEvents(r.opt.Events), "energyprof command line: "+strings.Join(os.Args, " "))
	total := result.Books.Total()
	rec.Throttled = int64(total.Throttles)
	rec.BadRecords = int64(total.Bad)
	if len(r.opt.Command) > 0 {
		rec.Command = &report.Command{Args: r.opt.Command}
		setExit(rec.Command, result.Exit)
	}
	rec.Notes = slices.Concat(rec.Notes, r.remarks, r.energy.notes(rec), r.counters.notes())
	if r.accesses {
		result.Notes = ofAccesses(result)
	}
	for _, n := range result.Notes {
		text := n.Text
		if hint := adviceNote(n); hint != "" {
			text += ": " + hint
		}
		rec.Notes = append(rec.Notes, text)
	}
	if result.Late > 0 {
		rec.Notes = append(rec.Notes, fmt.Sprintf("%d records came too late to be put in order", result.Late))
	}
	if unknown := total.Unknown; unknown > 0 {
		rec.Notes = append(rec.Notes, fmt.Sprintf("%d records of types that this version does not know were skipped", unknown))
	}
}

// ofAccesses are the notes of a recording of memory accesses: that the clock has too few samples is none of them.
func ofAccesses(result *session.Result) []session.Note {
	notes := slices.DeleteFunc(result.Notes, func(n session.Note) bool { return n.Kind == session.NoteNothing || n.Kind == session.NoteCoarse })
	if slices.ContainsFunc(result.Events[1:], func(b perfring.EventBooks) bool { return b.Samples > 0 }) {
		return notes
	}
	return append(notes, session.Note{Kind: session.NoteNothing, Text: "there are no samples of accesses to memory"})
}

func setExit(c *report.Command, exit *launch.Exit) {
	switch {
	case exit == nil:
	case exit.Signal != 0:
		c.Signal = unix.SignalName(exit.Signal)
	default:
		c.ExitCode = &exit.Code
	}
}

// closing prints what was recorded.
func (f *runFlags) closing(rec *report.Recording, result *session.Result) error {
	if f.quiet {
		warnOfNothing(result)
		return nil
	}
	rec.Summary().Text(os.Stderr, terminalWidth(os.Stderr))
	nameProfile(f.output)
	waiting(result)
	return nil
}

// waiting says that the command goes on.
func waiting(result *session.Result) {
	if result.Running() {
		fmt.Fprintf(os.Stderr, "energyprof: the recording has ended; waiting for the command\n")
	}
}

// nameProfile says where the profile is and what shows it.
func nameProfile(path string) {
	name := printable(path)
	fmt.Fprintf(os.Stderr, "profile: %s (energyprof report %s, go tool pprof -http=: %s)\n", name, name, name)
}

// warnOfNothing says even to someone who wants no summary that the profile is
// empty, and why.
func warnOfNothing(result *session.Result) {
	for _, n := range result.Notes {
		if n.Kind == session.NoteNothing {
			fmt.Fprintf(os.Stderr, "energyprof: %s\n", n.Text)
		}
	}
}

// waitForCommand gives the command's exit code as ours, and adds it to the
// summary when the command outlived the recording.
func (f *runFlags) waitForCommand(rec *report.Recording, result *session.Result) error {
	if result.Running() {
		if err := result.Wait(); err != nil {
			return err
		}
		setExit(rec.Command, result.Exit)
		if f.summary != "" {
			if err := writeSummary(f.summary, rec); err != nil {
				return err
			}
		}
	}
	switch {
	case result.Exit == nil:
		return nil
	case result.Exit.Signal != 0:
		return commandExit(exitSignal + int(result.Exit.Signal))
	case result.Exit.Code != 0:
		return commandExit(result.Exit.Code)
	}
	return nil
}
