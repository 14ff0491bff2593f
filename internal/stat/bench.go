package stat

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/perf/benchfmt"
)

// WriteBench writes the result in the Go benchmark format
// (https://golang.org/design/14313-benchmark-format), for benchstat: one line
// for each repeat. What was not counted is left out of its line. Proc is the root of
// procfs; printable makes one line of a text that may hold anything.
func (r *Result) WriteBench(w io.Writer, proc string, printable func(string) string) error {
	out := benchfmt.NewWriter(w)
	config := r.benchConfig(proc, printable)
	for i := range r.Repeats {
		res := &benchfmt.Result{Config: config, Name: benchfmt.Name(benchName(r)), Iters: 1}
		units := map[string]int{}
		add := func(q *Quantity, factor float64, unit string) {
			if q == nil {
				return
			}
			v := q.Value
			if len(q.Values) > 0 {
				v = q.Values[i]
			}
			if v == nil {
				return
			}
			if units[unit]++; units[unit] > 1 {
				base, per, _ := strings.Cut(unit, "/")
				unit = fmt.Sprintf("%s#%d/%s", base, units[unit], per)
			}
			res.Values = append(res.Values, benchfmt.Value{Value: *v * factor, Unit: unit})
		}
		add(&r.Seconds, 1e9, "ns/op")
		add(r.UserSeconds, 1e9, "user-ns/op")
		add(r.SystemSeconds, 1e9, "sys-ns/op")
		if e := r.energy(); e != nil {
			prefix := ""
			if r.Model != nil {
				prefix = "model-" // benchstat must not compare an estimate with a measurement
			}
			add(&e.Joules, 1, prefix+"J/op")
			if len(e.Domains) > 1 { // one is the sum
				for _, d := range e.Domains {
					add(&d.Joules, 1, prefix+benchUnit(d.Name+"-"+d.where(e.Domains))+"-J/op")
				}
			}
			add(e.EnergyDelay, 1, prefix+"J*s/op")
			add(e.JoulesPerInstruction, 1, prefix+"J/instruction")
		}
		for _, c := range r.Counts {
			unit := benchUnit(strings.Trim(c.Event+"-"+c.Where, "-"))
			if c.Unit != "" {
				unit += "-" + benchUnit(c.Unit)
			}
			add(&c.Quantity, 1, unit+"/op")
		}
		for _, m := range r.Metrics {
			unit := benchUnit(strings.Trim(m.Name+"-"+m.Where, "-"))
			if m.Unit != "" {
				unit += "-" + strings.ReplaceAll(m.Unit, " ", "-")
			}
			add(&m.Quantity, 1, unit)
		}
		if err := out.Write(res); err != nil {
			return fmt.Errorf("writing the output: %w", err)
		}
	}
	return nil
}

// benchConfig says where the numbers are from, in go test's own keys. benchstat
// keeps results of different configurations apart, so that there is nothing
// here that changes from run to run.
func (r *Result) benchConfig(proc string, printable func(string) string) []benchfmt.Config {
	var config []benchfmt.Config
	add := func(key, value string) {
		if value != "" {
			config = append(config, benchfmt.Config{Key: key, Value: []byte(printable(value)), File: true})
		}
	}
	add("goos", runtime.GOOS)
	add("goarch", runtime.GOARCH)
	add("cpu", cpuModel(proc))
	if r.Source != nil {
		name := r.Source.Name
		if !r.Source.Measured {
			name += " (ESTIMATED)"
		}
		add("energy", name)
	}
	return config
}

func benchName(r *Result) string {
	if r.Command == nil {
		if len(r.PIDs) > 0 {
			return "Processes"
		}
		return "Machine"
	}
	return BenchName(r.Command.Args)
}

// BenchName makes a benchmark's name of a command: that of its file, then its
// arguments. What would have a meaning in a name, or end it, becomes "_".
func BenchName(args []string) string {
	clean := func(s string, keep string) string {
		return strings.Map(func(c rune) rune {
			if unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune(keep, c) {
				return c
			}
			return '_'
		}, s)
	}
	first := clean(filepath.Base(args[0]), "._+")
	c, size := utf8.DecodeRuneInString(first)
	name := string(unicode.ToUpper(c)) + first[size:]
	if len(args) > 1 {
		name += "/" + clean(strings.Join(args[1:], " "), ".+=,:")
	}
	return name
}

// benchUnit makes a unit of an event's name: one word, in which a slash would
// begin the denominator.
func benchUnit(name string) string {
	name = strings.Map(func(c rune) rune {
		switch {
		case c == '/', unicode.IsSpace(c):
			return '-'
		case !unicode.IsPrint(c):
			return '_'
		}
		return c
	}, name)
	return strings.Trim(strings.ReplaceAll(name, "--", "-"), "-")
}

// cpuModel is the processor's name, "" where /proc/cpuinfo has none, as on arm64.
func cpuModel(proc string) string {
	text, err := os.ReadFile(filepath.Join(proc, "cpuinfo"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
