package report

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
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
	if s.Stacks != nil {
		line("%s", s.Stacks.text())
	}
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
	switch {
	case len(s.Source.Domains) == 0 && s.Event != "":
		line("energy: no source, counts of %s only", s.Event)
	case len(s.Source.Domains) == 0:
		line("energy: no source, CPU time only")
	default:
		if err := s.writeDomains(&b); err != nil {
			return err
		}
		line("%s", s.Attribution.text())
		if text := s.Attribution.validation(); text != "" {
			line("%s", text)
		}
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
	for i := range s.Counters {
		if err := s.Counters[i].write(&b, s.Seconds, s.processes() > 1, width); err != nil {
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
		all += f.CPUSeconds + float64(f.count())
	}
	several := s.processes() > 1
	var listed []Function
	var rest Function
	var restJoules float64
	var restCount int64
	for _, f := range s.Functions {
		if len(listed) < closingFunctions && (f.joules() > 0 || f.CPUSeconds > 0 || f.count() > 0) {
			f.Name = functionName(f.Name, f.Process, several)
			listed = append(listed, f)
			continue
		}
		restJoules += f.joules()
		rest.CPUSeconds += f.CPUSeconds
		restCount += f.count()
	}
	rest.Count = &restCount
	if more := len(s.Functions) - len(listed); restJoules > 0 || rest.CPUSeconds > 0 || restCount > 0 {
		rest.Name, rest.Joules = fmt.Sprintf("(%d more functions)", more), &restJoules
		listed = append(listed, rest)
	}
	for _, f := range s.synthetic() {
		if f.joules() > 0 || f.CPUSeconds > 0 {
			listed = append(listed, f)
		}
	}
	var errors []string
	grouped := false
	for _, f := range listed {
		if f.JoulesLow != nil {
			errors = append(errors, plusMinus(f.joules(), *f.JoulesLow, *f.JoulesHigh))
		}
		grouped = grouped || f.Group != ""
	}
	width := widest(errors)
	row := func(f Function) []string {
		if !hasEnergy && s.Event != "" {
			return []string{strconv.FormatInt(f.count(), 10), share(float64(f.count()), all), f.Name}
		}
		if !hasEnergy {
			return []string{seconds(f.CPUSeconds), share(f.CPUSeconds, all), f.Name}
		}
		j := f.joules()
		cells := []string{joules(j)}
		if f.JoulesLow != nil {
			cells[0] = beside(j, true, *f.JoulesLow, *f.JoulesHigh, width)
		} else {
			cells[0] = beside(j, false, 0, 0, width)
		}
		if !s.Source.Measured {
			cells = append(cells, estimated+" ("+terminal(s.Source.Name)+")")
		}
		cells = append(cells, share(j, total))
		switch {
		case s.Event != "" && f.count() > 0:
			cells = append(cells, strconv.FormatInt(f.count(), 10))
		case s.Event != "":
			cells = append(cells, "")
		case f.CPUSeconds > 0:
			cells = append(cells, seconds(f.CPUSeconds), watts(j/f.CPUSeconds))
		default:
			cells = append(cells, "", "")
		}
		if grouped {
			cells = append(cells, shorten(terminal(f.Group), maxGroup))
		}
		return append(cells, f.Name)
	}
	head := []string{"cpu time", "share"}
	if s.Event != "" {
		head[0] = terminal(s.Event)
	}
	if hasEnergy {
		head = []string{"joules", "share"}
		if !s.Source.Measured {
			head = []string{"joules", "", "share"}
		}
		if s.Event != "" {
			head = append(head, terminal(s.Event))
		} else {
			head = append(head, "cpu time", "watts")
		}
		if grouped {
			head = append(head, "group")
		}
	}
	rows := [][]string{append(head, "function")}
	for _, f := range listed {
		rows = append(rows, row(f))
	}
	return rows
}

// count is that of the function, 0 where there is CPU time.
func (f Function) count() int64 {
	if f.Count == nil {
		return 0
	}
	return *f.Count
}

// joules are those of the function, 0 without energy.
func (f Function) joules() float64 {
	if f.Joules == nil {
		return 0
	}
	return *f.Joules
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
	all := []Function{
		{Name: pprofile.Baseline, Joules: s.BaselineJoules}, {Name: pprofile.Active, Joules: s.ActiveJoules},
		{Name: pprofile.Other, Joules: s.OtherJoules}, {Name: pprofile.Lost, Joules: s.LostJoules, CPUSeconds: s.LostSeconds},
		{Name: pprofile.Unattributed, Joules: s.UnattributedJoules}, {Name: pprofile.Idle, Joules: s.IdleJoules},
	}
	if s.PrefetchWriteBackJoules != nil {
		all = append(all, Function{Name: pprofile.Prefetch, Joules: s.PrefetchWriteBackJoules})
	}
	return all
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
