package rapl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/energyprof/energyprof/internal/pmu"
)

// Limits on a trace, so that a broken file is an error and not a memory problem.
const (
	maxTraceLine    = 64 << 10 // bytes; "0,2,4,..." of all CPUs that Linux allows fits
	maxTraceCPU     = 8191     // CONFIG_NR_CPUS is at most 8192
	maxTraceName    = 64       // bytes of a domain's name
	maxTraceDomains = 8192
	maxTraceEnergy  = 1e18 // µJ, a terajoule: float64 is exact to a fraction of a millijoule there
)

// ReadTrace reads an energy trace and holds it to its rules. wrapAt declares at how
// many µJ the counter of a domain starts again from 0; a domain that is not in it
// must never go back. Errors in the file are *TraceError.
func ReadTrace(r io.Reader, wrapAt map[string]float64) (*Trace, error) {
	for name, at := range wrapAt {
		if !(at > 0 && at <= maxTraceEnergy) {
			return nil, fmt.Errorf("energy trace: %s cannot wrap at %v µJ", name, at)
		}
	}
	t := traceReader{
		series:  map[string]*traceSeries{},
		owner:   map[cpuOf]*traceSeries{},
		wrapAt:  wrapAt,
		scanner: bufio.NewScanner(r),
	}
	t.scanner.Buffer(make([]byte, 0, 4096), maxTraceLine)
	for line := 1; t.scanner.Scan(); line++ {
		if err := t.row(line, t.scanner.Text()); err != nil {
			return nil, &TraceError{line, err}
		}
		t.lines = line
	}
	if err := t.scanner.Err(); err != nil {
		return nil, &TraceError{t.lines + 1, err}
	}
	if len(t.trace.Points) == 0 {
		return nil, &TraceError{t.lines + 1, errors.New("there is no reading")}
	}
	if sumless(t.trace.Domains) {
		t.trace.Domains[0].Sum = true
	}
	return &t.trace, nil
}

type traceReader struct {
	scanner *bufio.Scanner
	trace   Trace
	series  map[string]*traceSeries // by the three fields that name it
	owner   map[cpuOf]*traceSeries
	wrapAt  map[string]float64
	lines   int
}

// cpuOf is a CPU of a domain: it pays for one package only.
type cpuOf struct {
	domain string
	cpu    int
}

type traceSeries struct {
	index   int
	time    int64
	energy  float64 // µJ as in the file
	wrapped float64 // µJ that wraps took away so far
}

func (t *traceReader) row(line int, text string) error {
	if line == 1 {
		if text != TraceHeader {
			return fmt.Errorf("the header is %q, not %q", clip(text), TraceHeader)
		}
		return nil
	}
	stamp, key, value, err := splitRow(text)
	if err != nil {
		return err
	}
	time, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || time < 0 {
		return fmt.Errorf("time_ns %q is no time in nanoseconds", clip(stamp))
	}
	energy, err := parseMicrojoules(value)
	if err != nil {
		return err
	}
	s := t.series[key]
	if s == nil {
		if s, err = t.newSeries(key); err != nil {
			return err
		}
		t.series[key] = s
	} else if skip, err := s.follow(time, energy, t.wrapAt[t.trace.Domains[s.index].Name]); err != nil {
		return fmt.Errorf("%s: %w", t.trace.Domains[s.index], err)
	} else if skip {
		return nil
	}
	s.time, s.energy = time, energy
	t.trace.Points = append(t.trace.Points, TracePoint{s.index, time, (energy + s.wrapped) * 1e-6})
	return nil
}

// follow holds a row to the one before of its series. A row that says the same
// once more is skipped.
func (s *traceSeries) follow(time int64, energy, wrapAt float64) (skip bool, err error) {
	switch {
	case time < s.time:
		return false, fmt.Errorf("time goes back from %d to %d ns", s.time, time)
	case time == s.time && energy == s.energy:
		return true, nil
	case time == s.time:
		return false, fmt.Errorf("there are two readings at %d ns", time)
	case energy >= s.energy:
		return false, nil
	case wrapAt == 0:
		return false, fmt.Errorf("energy goes back from %v to %v µJ", s.energy, energy)
	case s.energy > wrapAt:
		return false, fmt.Errorf("energy goes back from %v to %v µJ, which is no wrap at %v µJ", s.energy, energy, wrapAt)
	}
	s.wrapped += wrapAt
	return false, nil
}

// splitRow cuts a row into its time, the three fields that name the series, and
// its energy. A list of CPUs with commas in it stands in quotes.
func splitRow(text string) (stamp, key, value string, err error) {
	stamp, rest, ok := strings.Cut(text, ",")
	end := strings.LastIndexByte(rest, ',')
	if !ok || end < 0 {
		return "", "", "", errors.New("there are fewer than 5 fields")
	}
	return stamp, rest[:end], rest[end+1:], nil
}

func (t *traceReader) newSeries(key string) (*traceSeries, error) {
	name, rest, _ := strings.Cut(key, ",")
	pkg, list, ok := strings.Cut(rest, ",")
	if !ok {
		return nil, errors.New("there are fewer than 5 fields")
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(pkg, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("package %q is no number", clip(pkg))
	}
	if inner, quoted := strings.CutPrefix(list, `"`); quoted {
		if list, ok = strings.CutSuffix(inner, `"`); !ok {
			return nil, errors.New("a quote is open")
		}
	} else if strings.Contains(list, ",") {
		return nil, errors.New("there are more than 5 fields: a list of CPUs with commas stands in quotes")
	}
	cpus, err := traceCPUs(list)
	if err != nil {
		return nil, err
	}
	if len(t.series) == maxTraceDomains {
		return nil, fmt.Errorf("there are more than %d domains", maxTraceDomains)
	}
	s := &traceSeries{index: len(t.trace.Domains)}
	for _, cpu := range cpus {
		if other := t.owner[cpuOf{name, cpu}]; other != nil {
			return nil, fmt.Errorf("CPU %d is in %s and in %s %d", cpu, t.trace.Domains[other.index], name, number)
		}
		t.owner[cpuOf{name, cpu}] = s
	}
	if len(t.owner) > 16*(maxTraceCPU+1) {
		return nil, fmt.Errorf("there are more than %d CPUs of domains", len(t.owner)-1)
	}
	if len(cpus) == 0 && slices.ContainsFunc(t.trace.Domains, func(d Domain) bool {
		return d.Name == name && d.Package == int(number) && len(d.CPUs) == 0
	}) {
		return nil, fmt.Errorf("%s %d without CPUs is written in two ways", name, number)
	}
	t.trace.Domains = append(t.trace.Domains, Domain{Name: name, Package: int(number), CPUs: cpus, Sum: name == "package" || name == "dram"})
	return s, nil
}

// traceCPUs reads the kernel's list form, in rising order, which bounds what a
// line can ask for.
func traceCPUs(list string) ([]int, error) {
	next := 0
	for part := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == '-' }) {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil || n > maxTraceCPU {
			return nil, fmt.Errorf("cpus %q: %q is no number from 0 to %d", clip(list), clip(part), maxTraceCPU)
		}
		if int(n) < next {
			return nil, fmt.Errorf("cpus %q: CPU %d stands behind CPU %d", clip(list), n, next-1)
		}
		next = int(n) + 1
	}
	cpus, err := pmu.ParseCPUList(list)
	if err != nil {
		return nil, fmt.Errorf("cpus: %w", err)
	}
	return cpus, nil
}

// checkName holds a domain's name to what label makes, besides "-" and ".".
func checkName(name string) error {
	ok := name != "" && len(name) <= maxTraceName
	for _, r := range name {
		ok = ok && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.", r))
	}
	if !ok {
		return fmt.Errorf("domain %q is no name of 1 to %d letters, digits, '_', '-' or '.'", clip(name), maxTraceName)
	}
	return nil
}

func parseMicrojoules(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	// ParseFloat also takes "inf", "nan", hexadecimal and underscores.
	plain := strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789.eE+-", r) }) < 0
	if err != nil || !plain || v < 0 {
		return 0, fmt.Errorf("energy_uj %q is no number of microjoules", clip(s))
	}
	if v > maxTraceEnergy {
		return 0, fmt.Errorf("energy_uj %q is more than %g", clip(s), float64(maxTraceEnergy))
	}
	return v, nil
}

// clip keeps a message short whatever the file holds.
func clip(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}
