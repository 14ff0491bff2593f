package main

import (
	"fmt"
	"os"

	"github.com/energyprof/energyprof/internal/symbol"
)

// debuginfod is whom the environment says to ask for debug files. They can take minutes: unless quiet, standard error has each.
func debuginfod(quiet bool) symbol.Debuginfod {
	d := symbol.DebuginfodFrom(os.Getenv)
	if quiet {
		return d
	}
	d.Fetching = func(url string, size int64) {
		if size < 0 {
			fmt.Fprintf(os.Stderr, "energyprof: fetching %s\n", url)
			return
		}
		fmt.Fprintf(os.Stderr, "energyprof: fetching %s, %.1f MB\n", url, float64(size)/1e6)
	}
	return d
}
