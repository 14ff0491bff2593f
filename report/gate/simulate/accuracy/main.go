// Command accuracy simulates checks of programs whose change is known and writes the tables of what package gate said of
// them, as Markdown. It ends with status 1 when a promise was not kept.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

func main() {
	times := flag.Int("checks", 1000, "checks of each case")
	workers := flag.Int("workers", runtime.NumCPU(), "how many at the same time")
	out := flag.String("o", "", "file to write the tables to, - is standard output")
	into := flag.String("into", "", "file in which the tables go between the lines "+begin+" and "+end)
	command := flag.String("command", "go run ./report/gate/simulate/accuracy", "the command that the page names")
	flag.Parse()
	start := time.Now()
	b := &book{times: *times, workers: *workers}
	fmt.Fprintf(&b.page, "Made by `%s`: programs of 50 functions whose change is known, %d simulated checks of each case.\n", *command, *times)
	for _, table := range []func() error{b.planned, b.unchanged, b.limits, b.detectable, b.found} {
		if err := table(); err != nil {
			fail(err)
		}
		fmt.Fprintf(os.Stderr, "%.0f s\n", time.Since(start).Seconds())
	}
	var err error
	switch {
	case *into != "":
		err = insert(*into, b.page.Bytes())
	case *out == "-":
		_, err = os.Stdout.Write(b.page.Bytes())
	case *out != "":
		err = os.WriteFile(*out, b.page.Bytes(), 0o644)
	}
	if err != nil {
		fail(err)
	}
	for _, v := range b.broken {
		fmt.Fprintln(os.Stderr, v)
	}
	fmt.Fprintf(os.Stderr, "%.0f s, %d promises not kept\n", time.Since(start).Seconds(), len(b.broken))
	if len(b.broken) > 0 {
		os.Exit(1)
	}
}

const (
	begin = "<!-- gate-accuracy -->"
	end   = "<!-- /gate-accuracy -->"
)

// insert puts the tables between the lines begin and end of a file.
func insert(file string, tables []byte) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	from, to := bytes.Index(data, []byte(begin)), bytes.Index(data, []byte(end))
	if from < 0 || to < from {
		return fmt.Errorf("%s: no lines %s and %s", file, begin, end)
	}
	page := append([]byte{}, data[:from+len(begin)]...)
	page = append(page, "\n\n"...)
	page = append(page, tables...)
	page = append(page, '\n')
	return os.WriteFile(file, append(page, data[to:]...), 0o644)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "accuracy:", err)
	os.Exit(1)
}
