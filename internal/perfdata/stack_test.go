package perfdata

import (
	"encoding/binary"
	"testing"

	"github.com/energyprof/energyprof/perfring"
)

// Where callers are in a copy of the stack alone, with nothing to unwind it by, the profile has none, and says so.
func TestStackCopiesAreNoted(t *testing.T) {
	for _, test := range []struct {
		name   string
		format perfring.SampleFormat
		flags  perfring.Flags
		want   int
	}{
		{"frame pointers", perfring.SampleCallchain, 0, 0},
		{"frame pointers and a copy", perfring.SampleCallchain | perfring.SampleStackUser, 0, 0},
		{"dwarf", perfring.SampleCallchain | perfring.SampleRegsUser | perfring.SampleStackUser, perfring.FlagExcludeCallchainUser, 0},
		{"dwarf without registers", perfring.SampleCallchain | perfring.SampleStackUser, perfring.FlagExcludeCallchainUser, 1},
		{"a copy alone", perfring.SampleStackUser, 0, 1},
	} {
		f := &built{order: binary.LittleEndian, events: testEvents()[:1]}
		f.events[0].attr.SampleFormat |= test.format
		f.events[0].attr.Flags |= test.flags
		f.round()
		if _, r := readFile(t, f.file(), &counter{}); len(r.Notes) != test.want {
			t.Errorf("%s: notes %q, want %d", test.name, r.Notes, test.want)
		}
	}
}
