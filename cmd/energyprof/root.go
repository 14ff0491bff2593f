package main

import (
	"runtime/debug"

	"github.com/spf13/cobra"
)

// newRoot builds the command tree.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "energyprof",
		Short: "Which function spends the joules",
		Long: "Energyprof samples what runs, reads the energy counters on the same clock and writes\n" +
			"a pprof profile in which every function has CPU time and energy.",
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return usagef("a subcommand is missing: %s --help lists them", c.Name())
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	for _, subcommand := range subcommands {
		root.AddCommand(subcommand())
	}
	return root
}

var subcommands = []func() *cobra.Command{newRecord, newStat, newMem, newBench, newConvert, newReport, newDiff, newCheck, newList, newDoctor}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 && (v == "" || v == "(devel)") {
			v = s.Value[:12]
		}
	}
	if v == "" {
		return "(devel)"
	}
	return v
}
