package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/energyprof/energyprof/internal/collect"
	"github.com/energyprof/energyprof/internal/memory"
	"github.com/energyprof/energyprof/internal/perfdata"
	"github.com/energyprof/energyprof/perfring"
)

// errNoAccesses is a file without what this subcommand is about.
var errNoAccesses = errors.New("no event of it samples accesses to memory")

// read shows what a file has of accesses to memory. A profile is written only where one was asked for.
func (f *memFlags) read() error {
	convert := convertFlags{attributionFlags: f.attributionFlags, changed: f.changed, event: f.event, scale: f.scale, addresses: f.addresses}
	if err := convert.check(); err != nil {
		return err
	}
	outputs := []wantedFile{{}, {"--summary", f.summary}}
	if f.changed("output") {
		outputs[0] = wantedFile{"-o", f.output}
	}
	if err := spareInputs([]string{f.input}, outputs); err != nil {
		return err
	}
	c, err := convert.open(f.input, f.choose)
	if err != nil {
		return err
	}
	defer c.file.Close()
	if !hasAddresses(c.what.Events) {
		return fmt.Errorf("%s: %w", c.path, errNoAccesses)
	}
	out, err := f.openOutput(false)
	if err != nil {
		return err
	}
	defer out.close()
	kinds := tableEvents(c.what.Events, func(event int) uint32 { return c.file.Events[slices.Index(c.index, event)].Attr.BPType })
	table := memory.New(memory.Options{Events: kinds, Nodes: c.nodes(), Samples: out.spool()})
	if f.shows() {
		c.what.Access = table.Add
	}
	if err := c.begin(); err != nil {
		return err
	}
	files, err := createFiles(outputs)
	if err != nil {
		return err
	}
	defer files.discard()
	if c.file.Own == nil { // which has it from the recording
		c.remarks = append(c.remarks, nobodys(c.what.Events, c.info)...)
	}
	rec, result, err := c.read()
	if err != nil {
		return err
	}
	if err := files.write(rec, nil); err != nil {
		return err
	}
	return out.write(table, rec, c.books(result), f)
}

// hasAddresses tells whether there is an event with addresses of data.
func hasAddresses(events []collect.Event) bool {
	for _, e := range events {
		if e.Memory || e.Address {
			return true
		}
	}
	return false
}

// books are those of the events that are collected.
func (c *conversion) books(result *perfdata.Result) []perfring.EventBooks {
	books := make([]perfring.EventBooks, len(c.what.Events))
	for i, b := range result.Events {
		if i < len(c.index) && c.index[i] >= 0 {
			books[c.index[i]] = b
		}
	}
	return books
}
