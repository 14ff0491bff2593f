package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// write prints the events and then the figures, one in a line.
func (f matches) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	if len(f.Events) > 0 {
		fmt.Fprintln(t, "Events")
	}
	for _, m := range f.Events {
		event := m.Event
		if event == m.Name {
			event = ""
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\n", m.Name, yesNo(m.Usable), m.From, event, m.text())
	}
	if len(f.Events) > 0 && len(f.Metrics) > 0 {
		fmt.Fprintln(t)
	}
	writeMetrics(t, f.Metrics)
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// writeMetrics is the section of the figures, for both forms of the list.
func writeMetrics(t io.Writer, metrics []metricMatch) {
	if len(metrics) > 0 {
		fmt.Fprintln(t, "Metrics")
	}
	for _, m := range metrics {
		text := m.Formula
		if m.Reason != "" {
			text += "; not here: " + m.Reason
		}
		if m.Doubt != "" {
			text += "; DOUBTFUL: " + m.Doubt
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\tper %s\t%s; source: %s\n", m.Name, yesNo(m.Usable), m.Unit, m.Scope, text, m.Source)
	}
}

func yesNo(usable bool) string {
	if usable {
		return "yes"
	}
	return "no"
}

// text is what stands behind the name of an event.
func (m match) text() string {
	var parts []string
	if m.Brief != "" {
		parts = append(parts, m.Brief)
	} else if m.Detail != "" {
		parts = append(parts, m.Detail)
	}
	if !m.Usable {
		reason := m.Reason
		if m.Fix != "" {
			reason += "; " + m.Fix
		}
		parts = append(parts, "not here: "+reason)
	}
	if m.Deprecated {
		parts = append(parts, "deprecated")
	}
	if m.Doubt != "" {
		parts = append(parts, "DOUBTFUL: "+m.Doubt)
	}
	if len(m.Counters) > 0 {
		numbers := make([]string, len(m.Counters))
		for i, c := range m.Counters {
			numbers[i] = strconv.Itoa(c)
		}
		parts = append(parts, "counters "+strings.Join(numbers, ","))
	}
	return strings.Join(parts, "; ")
}
