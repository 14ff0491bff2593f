package pmu

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// tracepoint looks up the number tracefs gives group:name. tracefs is mounted on
// its own or, on older systems, below debugfs.
func (f FS) tracepoint(group, name string) (parsed, *EventError) {
	for _, part := range []string{group, name} {
		if !isTraceName(part) {
			return parsed{}, refuse(part, ErrNoEvent, "a tracepoint is group:name, of letters, digits, '_', '-' and '.'")
		}
	}
	var denied error
	for _, root := range []string{"kernel/tracing", "kernel/debug/tracing"} {
		events := filepath.Join(f.sys, root, "events")
		path := filepath.Join(events, group, name, "id")
		text, err := os.ReadFile(path)
		switch {
		case err == nil:
			id, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
			if err != nil {
				return parsed{}, refuse(name, err, "%s: %v", path, err)
			}
			ev := parsed{Event: Event{Type: unix.PERF_TYPE_TRACEPOINT, Config: id}}
			ev.excludeGuest(nil)
			return ev, nil
		case !errors.Is(err, fs.ErrNotExist):
			denied = err
			continue
		}
		if _, err := os.Stat(events); err != nil {
			continue // not mounted here
		}
		if _, err := os.Stat(filepath.Join(events, group)); err != nil {
			return parsed{}, refuse(group, ErrNoEvent, "no such event, and tracefs has no tracepoint group of that name")
		}
		return parsed{}, refuse(name, ErrNoEvent, "no such tracepoint in group %s", group)
	}
	if denied != nil {
		return parsed{}, refuse(group+":"+name, denied, "the tracepoint cannot be looked up: %v", denied)
	}
	return parsed{}, refuse(group+":"+name, ErrNoTracefs, "the tracepoint cannot be looked up: %v", ErrNoTracefs)
}

// isTraceName keeps separators and ".." out of the path to look up.
func isTraceName(s string) bool {
	return s != "" && s[0] != '.' && strings.IndexFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_-.", r))
	}) < 0
}
