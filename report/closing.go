package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/energyprof/energyprof/report/pprofile"
)

// closingFunctions is how many functions the closing text shows.
const closingFunctions = 10

// Text writes the closing summary for a terminal of the given width in
// characters, 0 for any: what was recorded, the energy of each domain, and the
// functions with the most joules, or the most CPU time when there is no energy.
// Every line that shows joules of an estimate says so.
func (s Summary) Text(w io.Writer, width int) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintln(&b, terminal(fmt.Sprintf(format, args...))) }
	line("recorded %s: %d samples, %d lost, %d throttled, %d bad records",
		seconds(s.Seconds), s.Samples, s.Lost, s.Throttled, s.BadRecords)
	if c := s.Command; c != nil {
		switch {
		case c.Signal != "":
			line("command killed by %s: %s", c.Signal, commandLine(c.Args))
		case c.ExitCode != nil && *c.ExitCode != 0:
			line("command failed with exit code %d: %s", *c.ExitCode, commandLine(c.Args))
		}
	}
	if s.Error != "" {
		line("error: %s", s.Error)
	}
	if len(s.Source.Domains) == 0 {
		line("energy: no source, CPU time only")
	} else {
		if err := s.writeDomains(&b); err != nil {
			return err
		}
		line("%s", s.Attribution.text())
	}
	for _, note := range s.Notes {
		line("note: %s", note)
	}
	if len(s.Functions) > 0 || s.BaselineJoules != nil || s.LostSeconds > 0 {
		fmt.Fprintln(&b)
		if err := writeColumns(&b, s.functionRows(), width); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeDomains prints joules, mean watts over the recording and source of every domain.
func (s Summary) writeDomains(b *strings.Builder) error {
	var rows [][]string
	for _, d := range s.Source.Domains {
		mean := ""
		if s.Seconds > 0 {
			mean = watts(d.Joules / s.Seconds)
		}
		rows = append(rows, []string{"energy:", joules(d.Joules), mean,
			terminal(fmt.Sprintf("%v: %s", s.Source, domainName(d.Name, d.Package, d.CPUs, d.InEnergy)))})
	}
	return writeColumns(b, rows, 0)
}

// functionRows are the head and the lines of the closing table, which adds up:
// the first functions, the rest in one line, and what belongs to no function.
func (s Summary) functionRows() [][]string {
	hasEnergy := s.BaselineJoules != nil
	total, all := s.energy(), s.LostSeconds
	for _, f := range s.Functions {
		all += f.CPUSeconds
	}
	row := func(j, sec float64, name string) []string {
		if !hasEnergy {
			return []string{seconds(sec), share(sec, all), name}
		}
		cells := []string{joules(j), share(j, total), "", "", name}
		if sec > 0 {
			cells[2], cells[3] = seconds(sec), watts(j/sec)
		}
		if !s.Source.Measured {
			cells = append(cells[:1:1], append([]string{estimated + " (" + terminal(s.Source.Name) + ")"}, cells[1:]...)...)
		}
		return cells
	}
	rows := [][]string{{"cpu time", "share", "function"}}
	if hasEnergy {
		rows = [][]string{{"joules", "share", "cpu time", "watts", "function"}}
		if !s.Source.Measured {
			rows = [][]string{{"joules", "", "share", "cpu time", "watts", "function"}}
		}
	}
	several := s.processes() > 1
	var rest Function
	var restJoules float64
	shown := 0
	for _, f := range s.Functions {
		j := 0.0
		if f.Joules != nil {
			j = *f.Joules
		}
		if shown < closingFunctions && (j > 0 || f.CPUSeconds > 0) {
			shown++
			rows = append(rows, row(j, f.CPUSeconds, functionName(f.Name, f.Process, several)))
			continue
		}
		restJoules += j
		rest.CPUSeconds += f.CPUSeconds
	}
	if more := len(s.Functions) - shown; restJoules > 0 || rest.CPUSeconds > 0 {
		rows = append(rows, row(restJoules, rest.CPUSeconds, fmt.Sprintf("(%d more functions)", more)))
	}
	for _, f := range s.synthetic() {
		j := 0.0
		if f.Joules != nil {
			j = *f.Joules
		}
		if j > 0 || f.CPUSeconds > 0 {
			rows = append(rows, row(j, f.CPUSeconds, f.Name))
		}
	}
	return rows
}

// energy is the joules of all functions and all that belongs to none.
func (s Summary) energy() float64 {
	var sum float64
	for _, d := range s.Source.Domains {
		if d.InEnergy {
			sum += d.Joules
		}
	}
	return sum
}

func (s Summary) synthetic() []Function {
	return []Function{
		{Name: pprofile.Baseline, Joules: s.BaselineJoules}, {Name: pprofile.Active, Joules: s.ActiveJoules},
		{Name: pprofile.Other, Joules: s.OtherJoules}, {Name: pprofile.Lost, Joules: s.LostJoules, CPUSeconds: s.LostSeconds},
		{Name: pprofile.Unattributed, Joules: s.UnattributedJoules}, {Name: pprofile.Idle, Joules: s.IdleJoules},
	}
}

func (s Summary) processes() int {
	seen := map[string]bool{}
	for _, f := range s.Functions {
		seen[f.Process] = true
	}
	return len(seen)
}

// estimated marks a line whose joules come from a model.
const estimated = "ESTIMATED"

// functionName is safe to print and says the process when there are several.
func functionName(name, process string, several bool) string {
	if several {
		name += " (" + cmp.Or(process, "?") + ")"
	}
	return terminal(name)
}

// share is part of total in percent, "" of nothing.
func share(part, total float64) string {
	if total == 0 {
		return ""
	}
	return percent(part / total)
}
