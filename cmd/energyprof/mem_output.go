package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/energyprof/energyprof/internal/memory"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report"
)

// memOutput is where the tables or the samples go.
type memOutput struct {
	to      *os.File
	name    string
	samples *os.File // where samples wait for the names of their functions; nil if they are not wanted
}

// openOutput opens the output: what is for programs goes to standard output, and so do tables, unless a command has
// standard output for its own.
func (f *memFlags) openOutput(command bool) (*memOutput, error) {
	out := &memOutput{to: os.Stdout, name: "standard output"}
	if command && !f.json && !f.samples {
		out.to, out.name = os.Stderr, "standard error"
	}
	if !f.samples {
		return out, nil
	}
	var err error
	if out.samples, err = os.CreateTemp("", "energyprof.samples.*"); err != nil {
		return nil, err
	}
	// It is nobody else's, and is gone with this process however that ends.
	if err := os.Remove(out.samples.Name()); err != nil {
		out.samples.Close()
		return nil, err
	}
	return out, nil
}

// spool is where a table keeps its samples; nil if they are not wanted.
func (o *memOutput) spool() io.ReadWriteSeeker {
	if o.samples == nil {
		return nil
	}
	return o.samples
}

func (o *memOutput) close() {
	if o.samples != nil {
		o.samples.Close()
	}
}

// shows tells whether anything will be, so that a table is worth its time.
func (f *memFlags) shows() bool { return !f.quiet || f.json || f.samples }

// write shows what was recorded. books are those of the events of the table.
func (o *memOutput) write(table *memory.Table, rec *report.Recording, books []perfring.EventBooks, f *memFlags) error {
	if !f.shows() {
		return nil
	}
	w := bufio.NewWriter(o.to)
	err := f.show(w, table, rec, books, terminalWidth(o.to))
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", o.name, err)
	}
	if f.samples && !f.quiet {
		tellNotes(rec.Notes)
	}
	return nil
}

func (f *memFlags) show(w io.Writer, table *memory.Table, rec *report.Recording, books []perfring.EventBooks, width int) error {
	if f.samples {
		return table.WriteSamples(w, &rec.Data, printable)
	}
	result := table.Result(memory.Recorded{Data: &rec.Data, Source: rec.Source, Books: books})
	result.Notes = append(result.Notes, rec.Notes...)
	if c := rec.Command; c != nil {
		result.Command = &memory.Command{Args: c.Args, ExitCode: c.ExitCode, Signal: c.Signal}
	}
	if !f.json {
		return memory.Text{By: memory.By(f.by), Rows: f.rows, Width: width, Printable: printable}.Write(w, result)
	}
	if f.rows > 0 && f.changed("rows") {
		result.Keep(f.rows)
	}
	return result.WriteJSON(w)
}
