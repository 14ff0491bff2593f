package rapl

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/energyprof/energyprof/internal/pmu"
)

// TraceHeader is the first line of an energy trace.
const TraceHeader = "time_ns,domain,package,cpus,energy_uj"

// TraceError says which line of an energy trace is wrong.
type TraceError struct {
	Line int // from 1
	Err  error
}

func (e *TraceError) Error() string { return fmt.Sprintf("energy trace line %d: %v", e.Line, e.Err) }

func (e *TraceError) Unwrap() error { return e.Err }

// TracePoint is one row of a trace.
type TracePoint struct {
	Domain int   // index of the domain
	Time   int64 // ns
	Joules float64
}

// Trace is a read energy trace.
type Trace struct {
	// Domains in the order of their first rows. Sum is set for package and dram;
	// if there is neither, for the first one. Unit is unknown, 0.
	Domains []Domain
	// Points in the order of the rows. The joules of a domain never decrease: they
	// are the file's, with declared wraps undone.
	Points []TracePoint
}

// TraceWriter writes an energy trace: cumulative µJ, to three decimals, on the
// clock of the samples.
type TraceWriter struct {
	w        *bufio.Writer
	prefixes []string // by domain: ",package,0,0-3,"
}

// NewTraceWriter writes the header.
func NewTraceWriter(w io.Writer, domains []Domain) (*TraceWriter, error) {
	t := &TraceWriter{w: bufio.NewWriter(w)}
	for _, d := range domains {
		if err := checkName(d.Name); err != nil {
			return nil, fmt.Errorf("energy trace: %w", err)
		}
		cpus := pmu.FormatCPUList(d.CPUs)
		if strings.Contains(cpus, ",") {
			cpus = `"` + cpus + `"`
		}
		prefix := fmt.Sprintf(",%s,%d,%s,", d.Name, d.Package, cpus)
		if slices.Contains(t.prefixes, prefix) {
			return nil, fmt.Errorf("energy trace: two domains are %s of CPUs %q", d, cpus)
		}
		t.prefixes = append(t.prefixes, prefix)
	}
	if _, err := t.w.WriteString(TraceHeader + "\n"); err != nil {
		return nil, err
	}
	return t, nil
}

// Write adds a row: what the domain of that index had used at time t, in ns.
func (t *TraceWriter) Write(domain int, ns int64, joules float64) error {
	line := strconv.AppendInt(t.w.AvailableBuffer(), ns, 10)
	line = append(line, t.prefixes[domain]...)
	line = strconv.AppendFloat(line, joules*1e6, 'f', 3, 64)
	_, err := t.w.Write(append(line, '\n'))
	return err
}

// Flush writes out what is buffered. Nothing more need be closed.
func (t *TraceWriter) Flush() error { return t.w.Flush() }
