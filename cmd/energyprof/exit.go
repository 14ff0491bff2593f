package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/launch"
	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/rapl"
)

// Exit codes. What runs a command follows env(1); all else has its own.
const (
	exitFailed = 1
	exitUsage  = 2
	exitCannot = 3 // this machine or user cannot
	// exitUndecided is of check alone: the data cannot tell.
	exitUndecided = 4

	exitOurs          = 125
	exitNotExecutable = 126
	exitNotFound      = 127
	exitSignal        = 128 // plus the signal's number
)

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// commandExit carries the exit code of the command that was recorded.
type commandExit int

func (e commandExit) Error() string { return "" }

// exitCode translates what a subcommand returned.
func exitCode(ran *cobra.Command, err error) int {
	var command commandExit
	var usage usageError
	var decision decided
	switch {
	case err == nil:
		return 0
	case errors.As(err, &decision):
		return int(decision)
	case errors.As(err, &command):
		return int(command)
	case ran != nil && ran.Annotations[runsCommand] != "":
		switch {
		case errors.Is(err, launch.ErrNotFound):
			return exitNotFound
		case errors.Is(err, launch.ErrNotExecutable):
			return exitNotExecutable
		}
		return exitOurs
	case errors.As(err, &usage), isUnknownCommand(err):
		return exitUsage
	case errors.As(err, new(checkError)), errors.As(err, new(diffError)):
		return exitCannot
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EPERM), errors.Is(err, rapl.ErrNoHardware), errors.Is(err, rapl.ErrNoDriver),
		errors.Is(err, pebs.ErrNone), errors.As(err, new(pebs.Reason)):
		return exitCannot
	}
	return exitFailed
}

// runsCommand annotates the subcommands whose exit code is the command's own.
const runsCommand = "runs-command"

// isUnknownCommand recognises cobra's only error for a subcommand that does not
// exist, which has no type.
func isUnknownCommand(err error) bool { return strings.HasPrefix(err.Error(), "unknown command") }

// message is the one line that an error prints.
func message(err error) string {
	text := err.Error()
	if text == "" {
		return ""
	}
	if hint := advice(err); hint != "" {
		text += ": " + hint
	}
	return printable(text)
}

// printable is text in one line that no terminal obeys: names of files and
// commands may hold anything.
func printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n':
			b.WriteByte(' ')
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}
