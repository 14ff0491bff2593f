package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/report"
	"github.com/energyprof/energyprof/report/pprofile"
)

func newReport() *cobra.Command {
	var f reportFlags
	c := &cobra.Command{
		Use:   "report [flags] profile.pb.gz",
		Short: "Joules, share, seconds and watts per function, process or thread of a profile",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("report takes one file, a profile: found %d", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return f.show(c, args[0])
		},
	}
	c.Flags().StringVar(&f.by, "by", string(report.ByFunction), "rows: function, process or thread")
	c.Flags().IntVarP(&f.rows, "rows", "n", 30, "rows to print, 0 for all")
	c.Flags().StringVar(&f.sort, "sort", "", strings.Join(report.SortKeys, ", ")+" (default joules, or seconds without energy)")
	c.Flags().StringVar(&f.counter, "counter", "", "counts of this event (record --counter, or -e) in place of joules")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return c
}

// reportFlags are the flags of report.
type reportFlags struct {
	by   string
	rows int
	sort string
	json bool

	counter string
}

func (f *reportFlags) show(c *cobra.Command, path string) error {
	if f.rows < 0 {
		return usagef("-n %d: rows cannot be negative", f.rows)
	}
	if f.sort != "" && !slices.Contains(report.SortKeys, f.sort) {
		return usagef("--sort %q: it is one of %s", f.sort, strings.Join(report.SortKeys, ", "))
	}
	if !slices.Contains(report.Bys, report.By(f.by)) {
		return usagef("--by %q: it is function, process or thread", f.by)
	}
	if f.counter != "" && f.sort != "" {
		return usagef("--sort belongs to joules and seconds: --counter sorts by counts")
	}
	p, err := readProfileFile(path)
	if err != nil {
		return err
	}
	if f.counter != "" {
		return f.showCounts(c, path, p)
	}
	if accesses, ok := report.ReadAccesses(p, report.By(f.by)); ok {
		if f.sort != "" {
			return fmt.Errorf("%s: --sort %s: memory accesses are sorted by joules, then by cycles", path, f.sort)
		}
		return f.print(c, accesses)
	}
	table := report.ReadTableBy(p, report.By(f.by))
	if table.CPU && table.Seconds == 0 && table.Joules == 0 { // of a few writes to a variable, say
		for _, st := range p.SampleType[1:] {
			if st.Unit == "count" {
				table.Missing = append(table.Missing, "no CPU time was sampled; --counter "+st.Type+" shows what was counted")
			}
		}
	}
	if f.sort != "" {
		if err := table.Sort(f.sort); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return f.print(c, &table)
}

// printed is a table in its two forms.
type printed interface {
	Text(w io.Writer, rows, width int) error
	JSON(w io.Writer, rows int) error
}

func (f *reportFlags) print(c *cobra.Command, table printed) error {
	out := bufio.NewWriter(c.OutOrStdout())
	var err error
	if f.json {
		err = table.JSON(out, f.rows)
	} else {
		err = table.Text(out, f.rows, terminalWidth(os.Stdout))
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// showCounts prints the counts of an event.
func (f *reportFlags) showCounts(c *cobra.Command, path string, p *profile.Profile) error {
	counts, err := report.ReadCounts(p, f.counter, report.By(f.by))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return f.print(c, counts)
}

func readProfileFile(path string) (*profile.Profile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s: %w", path, unix.EISDIR)
	}
	p, err := pprofile.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// terminalWidth is the width of a terminal in characters, 0 if f is none.
func terminalWidth(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}
