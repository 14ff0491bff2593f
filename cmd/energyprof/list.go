package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/uncore"
)

func newList() *cobra.Command {
	var asJSON bool
	var expression string
	var eventFiles []string
	machine := uncore.Machine{}
	c := &cobra.Command{
		Use:   "list [--grep REGEXP [--event-file FILE]]",
		Short: "Energy sources, PMUs, events and metrics: usable or not, and why",
		Long: `Without --grep: the sources of energy, the PMUs and the events that the kernel
names, which events sample loads and stores, the metrics that follow from
counters, and whether each works here.

With --grep: every event whose name or description matches, of the kernel's
names, sysfs, tracepoints, the built-in tables of processors and the event files
given, with what it is on this machine; and the metrics that match. Upper and
lower case are the same.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			fs := pmu.NewFS("/sys", "/proc")
			if err := checkPlatform(machine.Platform); err != nil {
				return err
			}
			if !c.Flags().Changed("grep") {
				if len(eventFiles) > 0 {
					return usagef("--event-file goes with --grep: what of the file is looked for?")
				}
				l, err := takeListing(fs, machine)
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(c.OutOrStdout(), l)
				}
				return l.write(c.OutOrStdout())
			}
			var err error
			if machine.Tables, err = readEventFiles(eventFiles); err != nil {
				return err
			}
			found, err := grep(fs, machine, expression)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(c.OutOrStdout(), found)
			}
			if len(found.Events) == 0 && len(found.Metrics) == 0 {
				return fmt.Errorf("no event and no metric matches %q", expression)
			}
			return found.write(c.OutOrStdout())
		},
	}
	fl := c.Flags()
	fl.BoolVar(&asJSON, "json", false, "print JSON")
	fl.StringVar(&expression, "grep", "", "look for events and metrics that match this regular expression")
	fl.StringArrayVar(&eventFiles, "event-file", nil, "search this file of Intel's perfmon JSON, too")
	fl.StringVar(&machine.Platform, "platform", "", "take the built-in table of this processor: SPR, EMR, GNR (default: this one)")
	return c
}

// listing is what `energyprof list --json` prints.
type listing struct {
	inventory
	Memory  []finding     `json:"memory"` // events that sample accesses to memory, and PMUs that do not
	Metrics []metricMatch `json:"metrics"`
}

func takeListing(fs pmu.FS, machine uncore.Machine) (l listing, err error) {
	if l.inventory, err = takeInventory(fs, rapl.Machine{}); err != nil {
		return l, err
	}
	if l.Memory, err = memorySampling(pebs.Machine{}); err != nil {
		return l, err
	}
	l.Metrics, err = grepMetrics(machine, nil)
	return l, err
}

// noArgs refuses arguments as a mistake of usage.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument, found %q", c.CommandPath(), args[0])
	}
	return nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

func (l listing) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	section := func(title string, findings []finding) {
		fmt.Fprintf(t, "%s\n", title)
		for _, f := range findings {
			f.write(t)
		}
	}
	section("Energy sources, in order of preference", l.Energy)
	fmt.Fprintln(t)
	section("Events", l.Events)
	fmt.Fprintln(t)
	section("Memory samples (energyprof mem)", l.Memory)
	for _, p := range l.PMUs {
		title := fmt.Sprintf("PMU %s (type %d)", p.Name, p.Type)
		if p.CPUs != "" {
			title += ", CPUs " + p.CPUs
		}
		fmt.Fprintln(t)
		section(title, p.Events)
		for _, fault := range p.Faults {
			fmt.Fprintf(t, "  fault: %s\n", fault)
		}
	}
	fmt.Fprintln(t)
	var here []metricMatch
	others := map[string]bool{}
	for _, m := range l.Metrics {
		if m.Usable {
			here = append(here, m)
		} else {
			others[m.Name] = true
		}
	}
	writeMetrics(t, here)
	if len(others) > 0 {
		fmt.Fprintf(t, "  (%d more cannot be had here: --grep, by name or by event, shows them, and why)\n", len(others))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

func (f finding) write(w io.Writer) {
	text := f.Detail
	if !f.Usable {
		text = f.Reason
		if f.Fix != "" {
			text += "; " + f.Fix
		}
	}
	fmt.Fprintf(w, "  %s\t%s\t%s\n", f.Name, yesNo(f.Usable), text)
}

// checkPlatform refuses a --platform that no built-in table is of; "" is this machine's own.
func checkPlatform(name string) error {
	if name == "" {
		return nil
	}
	tables, err := uncore.Builtin()
	if err != nil {
		return err
	}
	var platforms []string
	for _, t := range tables {
		if strings.EqualFold(t.Platform, name) {
			return nil
		}
		platforms = append(platforms, t.Platform)
	}
	return usagef("--platform %s: the built-in tables are of %s", name, strings.Join(platforms, ", "))
}
