package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/rapl"
)

func newList() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "Energy sources, PMUs and events: usable or not, and why",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			inv, err := takeInventory(pmu.NewFS("/sys", "/proc"), rapl.Machine{})
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(c.OutOrStdout(), inv)
			}
			return inv.write(c.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
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

func (inv inventory) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	section := func(title string, findings []finding) {
		fmt.Fprintf(t, "%s\n", title)
		for _, f := range findings {
			f.write(t)
		}
	}
	section("Energy sources, in order of preference", inv.Energy)
	fmt.Fprintln(t)
	section("Events", inv.Events)
	for _, p := range inv.PMUs {
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
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

func (f finding) write(w io.Writer) {
	verdict, text := "yes", f.Detail
	if !f.Usable {
		verdict, text = "no", f.Reason
		if f.Fix != "" {
			text += "; " + f.Fix
		}
	}
	fmt.Fprintf(w, "  %s\t%s\t%s\n", f.Name, verdict, text)
}
