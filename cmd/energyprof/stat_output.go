package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/energyprof/energyprof/internal/stat"
)

// statOutput is where results go, in one of the formats.
type statOutput struct {
	format func(w io.Writer, r *stat.Result) error
	to     io.Writer
	file   *output // nil for a standard file
	stream bool    // the file is there to be followed while it grows
	notes  bool    // the format has no place for notes
}

// openStat opens the output: what is for programs goes to standard output, and
// so does text, unless a command has standard output for its own.
func (f *statFlags) openStat(command bool) (*statOutput, error) {
	out := &statOutput{to: os.Stdout}
	switch {
	case f.json:
		out.format = func(w io.Writer, r *stat.Result) error { return r.WriteJSON(w) }
	case f.csv:
		out.format, out.notes = new(stat.CSV).Write, true
	case f.bench:
		out.format, out.notes = func(w io.Writer, r *stat.Result) error { return r.WriteBench(w, "/proc", printable) }, true
	default:
		out.format = stat.NewText(printable).Write
		if command {
			out.to = os.Stderr
		}
	}
	switch f.output {
	case "":
	case "-":
		out.to = os.Stdout
	default:
		var err error
		if out.file, err = createOutput(f.output); err != nil {
			return nil, err
		}
		out.to, out.stream = out.file, f.interval > 0
	}
	return out, nil
}

// show makes a file appear under its name before it is complete.
func (o *output) show() error {
	if o.special {
		return nil
	}
	if err := os.Rename(o.Name(), o.path); err != nil {
		o.discard()
		return fmt.Errorf("output file: %w", err)
	}
	o.special = true // it is in its place
	return nil
}

// write writes a result in one piece.
func (o *statOutput) write(r *stat.Result) error {
	var b bytes.Buffer
	if err := o.format(&b, r); err != nil {
		return err
	}
	if o.stream && o.file != nil {
		if err := o.file.show(); err != nil {
			return err
		}
		o.stream = false
	}
	if _, err := o.to.Write(b.Bytes()); err != nil {
		if path := (*fs.PathError)(nil); errors.As(err, &path) {
			err = path.Err // /dev/stdout is not what the user calls it
		}
		name := "standard output"
		switch {
		case o.file != nil:
			name = "output file " + o.file.path
		case o.to == os.Stderr:
			name = "standard error"
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	if o.notes {
		tellNotes(r.Notes)
	}
	return nil
}

// tellNotes says what has no place in the output.
func tellNotes(notes []string) {
	for _, note := range notes {
		fmt.Fprintf(os.Stderr, "energyprof: note: %s\n", printable(note))
	}
}

// close completes the file.
func (o *statOutput) close() error {
	if o.file == nil {
		return nil
	}
	file := o.file
	o.file = nil
	return file.commit()
}

// discard removes a file that was not completed.
func (o *statOutput) discard() {
	if o.file != nil {
		o.file.discard()
		o.file = nil
	}
}
