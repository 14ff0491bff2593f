package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/energyprof/energyprof/internal/counting"
)

// statOutput is where results go, in one of the formats.
type statOutput struct {
	format func(w io.Writer, r *statResult) error
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
		out.format = func(w io.Writer, r *statResult) error { return r.writeJSON(w) }
	case f.csv:
		out.format, out.notes = new(statCSV).write, true
	case f.bench:
		out.format, out.notes = func(w io.Writer, r *statResult) error { return r.writeBench(w, "/proc") }, true
	default:
		out.format = newStatText().write
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
func (o *statOutput) write(r *statResult) error {
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

// nameHolders says which processes may hold the PMUs that were busy.
func (b *statBuilder) nameHolders(r *statResult) {
	for i := range r.Counts {
		if r.Counts[i].State != stateName(counting.Busy) {
			continue
		}
		if b.holders == nil {
			b.holders = []string{}
			for _, h := range counting.Holders(b.opt.Proc) {
				b.holders = append(b.holders, fmt.Sprintf("%s (%d)", h.Comm, h.PID))
			}
		}
		r.Counts[i].Holders = b.holders
	}
}

// notes are what a reader of the numbers must know.
func (b *statBuilder) notes(result *counting.Result, r *statResult, e *energy) []string {
	notes := slices.Clone(b.remarks)
	for _, n := range result.Notes {
		text := n.Text
		if hint := adviceCount(n); hint != "" {
			text += ": " + hint
		}
		notes = append(notes, text)
	}
	switch asked := b.opt.Repeats; {
	case r.Repeats == asked:
	case len(result.Runs) == 1:
		notes = append(notes, fmt.Sprintf("%v ended the first of %d repeats", result.Signal, asked))
	default:
		notes = append(notes, fmt.Sprintf("%d of %d repeats: %v ended the next one, which is left out", r.Repeats, asked, result.Signal))
	}
	if c := r.Command; c != nil && r.Repeats > 1 && c.Failed > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d repeats failed", c.Failed, r.Repeats))
	}
	told := map[string]bool{}
	for _, c := range r.Counts {
		if hint := advice(c.err); c.err != nil && c.State != "not supported" && hint != "" && !told[hint] {
			told[hint] = true
			notes = append(notes, c.Event+": "+reason(c.err)+": "+hint)
		}
	}
	if e.source == nil {
		return notes
	}
	notes = append(notes, e.remarks...)
	notes = append(notes, e.source.Info().Notes...)
	if text := b.shortRun(b.shortest(result.Runs)); text != "" {
		notes = append(notes, text)
	}
	return notes
}
