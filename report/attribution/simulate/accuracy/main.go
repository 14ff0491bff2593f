// Command accuracy runs the scenarios of package simulate with many seeds and
// writes what came out as a page of Markdown. It ends with status 1 when the
// regression did not keep a limit.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"time"

	"github.com/energyprof/energyprof/report/attribution/simulate"
)

func main() {
	seeds := flag.Int("seeds", 200, "recordings of each scenario")
	workers := flag.Int("workers", runtime.NumCPU(), "how many at the same time")
	out := flag.String("o", "", "file to write the page to, - is standard output")
	only := flag.String("run", "", "regular expression of the scenarios to run")
	command := flag.String("command", "go run ./report/attribution/simulate/accuracy", "the command that the page names")
	flag.Parse()
	match, err := regexp.Compile(*only)
	if err != nil {
		fail(err)
	}
	start := time.Now()
	clock := func() int64 { return int64(time.Since(start)) }
	var all []*simulate.Evaluation
	bad := 0
	for _, s := range simulate.Scenarios() {
		if !match.MatchString(s.Name) {
			continue
		}
		began := time.Now()
		e, err := simulate.Evaluate(s, *seeds, *workers, clock)
		if err != nil {
			fail(err)
		}
		all = append(all, e)
		m, oracle := e.Methods[0], e.Methods[len(e.Methods)-1]
		fmt.Fprintf(os.Stderr, "%-20s mean %.2f %% (bias %+.2f) worst %.2f %% coverage %.1f %% (of %d) width %.2f oracles, oracle %.2f/%.2f %%, baseline %.1f %% (clear %.1f %% of %.0f %%), %.1f s\n",
			s.Name, 100*m.Mean, 100*m.Bias, 100*m.Worst, 100*e.Coverage, e.Intervals, e.WidthOracle, 100*oracle.Mean, 100*oracle.Worst, 100*e.Baseline.Mean, 100*e.Baseline.Clear, 100*e.Baseline.Of, time.Since(began).Seconds())
		for _, v := range e.Violations() {
			fmt.Fprintf(os.Stderr, "    %s\n", v)
			bad++
		}
	}
	page := &bytes.Buffer{}
	write(page, all, *seeds, *command, cpu())
	switch *out {
	case "":
	case "-":
		_, err = os.Stdout.Write(page.Bytes())
	default:
		err = os.WriteFile(*out, page.Bytes(), 0o644)
	}
	if err != nil {
		fail(err)
	}
	fmt.Fprintf(os.Stderr, "%d scenarios in %.0f s, %d limits not kept\n", len(all), time.Since(start).Seconds(), bad)
	if bad > 0 {
		os.Exit(1)
	}
}

// cpu is the name of the processor.
func cpu() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	if m := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(data); m != nil {
		return string(m[1])
	}
	return runtime.GOARCH
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "accuracy:", err)
	os.Exit(2)
}
