package perfdata

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// tracingData is the formats of tracepoints, without which perf opens no file that has one
// (tools/perf/util/trace-event-info.c and trace-event-read.c). nil if no event is a tracepoint.
func (m Machine) tracingData(events []Event) ([]byte, error) {
	bySystem := map[string][]string{}
	var systems []string
	for _, e := range events {
		if e.Attr.Type != unix.PERF_TYPE_TRACEPOINT {
			continue
		}
		name := strings.Split(e.Name, ":") // with modifiers, perhaps
		if len(name) < 2 || !filepath.IsLocal(name[0]) || !filepath.IsLocal(name[1]) {
			return nil, fmt.Errorf("event %q: not the name of a tracepoint", e.Name)
		}
		if bySystem[name[0]] == nil {
			systems = append(systems, name[0])
		}
		if !slices.Contains(bySystem[name[0]], name[1]) {
			bySystem[name[0]] = append(bySystem[name[0]], name[1])
		}
	}
	if len(systems) == 0 {
		return nil, nil
	}
	var failed error
	file := func(b []byte, path ...string) []byte {
		content, err := m.tracefs(filepath.Join(path...))
		failed = errors.Join(failed, err)
		return append(numbers64(b, uint64(len(content))), content...)
	}
	const (
		magic      = "\x17\x08\x44tracing"
		version    = "0.6\x00"
		sizeOfLong = 8
	)
	order := byte(0)
	if native.Uint16([]byte{0, 1}) == 1 {
		order = 1 // big-endian
	}
	b := append([]byte(magic+version), order, sizeOfLong)
	b = numbers32(b, uint32(os.Getpagesize()))
	b = file(append(b, "header_page\x00"...), "events/header_page")
	b = file(append(b, "header_event\x00"...), "events/header_event")
	b = numbers32(b, 0) // formats of ftrace's own events
	b = numbers32(b, uint32(len(systems)))
	for _, system := range systems {
		b = append(append(b, system...), 0)
		b = numbers32(b, uint32(len(bySystem[system])))
		for _, name := range bySystem[system] {
			b = file(b, "events", system, name, "format")
		}
	}
	// No kernel symbols, no formats of trace_printk, no names of threads.
	b = numbers64(numbers32(b, 0, 0), 0)
	return b, failed
}

// tracefs reads a file of tracefs, wherever that is mounted.
func (m Machine) tracefs(path string) (content []byte, err error) {
	for _, root := range []string{"kernel/tracing", "kernel/debug/tracing"} {
		if content, err = os.ReadFile(filepath.Join(m.Sys, root, path)); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return content, err
}
