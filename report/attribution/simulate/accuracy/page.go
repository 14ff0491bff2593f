package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/energyprof/energyprof/report/attribution/simulate"
)

func write(w io.Writer, all []*simulate.Evaluation, seeds int) {
	p := func(format string, args ...any) { fmt.Fprintf(w, format, args...) }
	for _, e := range all {
		p("| %s |", e.Scenario.Name)
		for _, m := range e.Methods {
			p(" %s / %s |", percent(m.Mean), percent(m.Worst))
		}
		p("\n")
	}
	_ = seeds
	for _, e := range all {
		for _, n := range slices.Sorted(maps.Keys(e.Notes)) {
			p("%s: %s (%d)\n", e.Scenario.Name, n, e.Notes[n])
		}
	}
	_ = strings.Repeat
}

// percent has two digits that count.
func percent(v float64) string {
	switch v *= 100; {
	case math.IsNaN(v):
		return "-"
	case v < 9.95:
		return fmt.Sprintf("%.2g", v)
	}
	return fmt.Sprintf("%.0f", v)
}
