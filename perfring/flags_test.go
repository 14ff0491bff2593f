package perfring_test

import (
	"testing"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// What an event excludes is said in the bits that attributes have here.
func TestFlagsOfEvents(t *testing.T) {
	for _, tt := range []struct {
		event pmu.Event
		want  perfring.Flags
	}{
		{pmu.Event{}, 0},
		{pmu.Event{ExcludeUser: true}, perfring.FlagExcludeUser},
		{pmu.Event{ExcludeKernel: true}, perfring.FlagExcludeKernel},
		{pmu.Event{ExcludeHV: true}, perfring.FlagExcludeHV},
		{pmu.Event{ExcludeIdle: true}, perfring.FlagExcludeIdle},
		{pmu.Event{ExcludeHost: true}, perfring.FlagExcludeHost},
		{pmu.Event{ExcludeGuest: true}, perfring.FlagExcludeGuest},
		{pmu.Event{Pinned: true}, perfring.FlagPinned},
		{pmu.Event{Exclusive: true}, perfring.FlagExclusive},
		{pmu.Event{ExcludeKernel: true, ExcludeHV: true, Pinned: true}, perfring.FlagExcludeKernel | perfring.FlagExcludeHV | perfring.FlagPinned},
	} {
		if got := perfring.Flags(tt.event.Flags()); got != tt.want {
			t.Errorf("%+v: flags %#x, want %#x", tt.event, got, tt.want)
		}
	}
}
