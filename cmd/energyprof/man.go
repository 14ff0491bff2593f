//go:build man

package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// Writing man pages is for packagers. The parser of Markdown that it takes costs every
// start of the command half a millisecond, so it is not in what they ship.
func init() { subcommands = append(subcommands, newMan) }

func newMan() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:    "man",
		Short:  "Write the man pages",
		Args:   noArgs,
		Hidden: true,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("man pages: %w", err)
			}
			header := &doc.GenManHeader{Title: "ENERGYPROF", Section: "1", Source: "energyprof " + version(), Manual: "energyprof"}
			if err := doc.GenManTree(c.Root(), header, dir); err != nil {
				return fmt.Errorf("man pages: %w", err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&dir, "dir", "man", "directory to write to")
	return c
}
