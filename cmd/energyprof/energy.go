package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/internal/session"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report"
	"github.com/energyprof/energyprof/report/attribution"
)

// energyFlags are the flags about energy that record and its kin share.
type energyFlags struct {
	attributionFlags
	source   string
	event    string
	scale    float64
	interval time.Duration
	trace    string

	only string     // the name of the domains that are wanted; "": all
	idle *rapl.Idle // what --baseline measure found, for all recordings of a bench
}

const (
	// measureTime is how long --baseline measure watches the machine before the
	// command starts.
	measureTime = 3 * time.Second
	// Counters move about every millisecond: shorter intervals say nothing.
	minInterval = time.Millisecond
	maxInterval = time.Minute

	modelInterval = 250 * time.Millisecond
)

func (f *energyFlags) register(fl *pflag.FlagSet) {
	fl.StringVar(&f.source, "energy", "auto", "source of energy: auto, perf, powercap, msr, hwmon, model or none")
	fl.StringVar(&f.event, "energy-event", "", "read energy from this counting event, for instance 'msr/tsc/'")
	fl.Float64Var(&f.scale, "energy-scale", 0, "joules per count of --energy-event (default: the scale that sysfs gives)")
	fl.DurationVar(&f.interval, "energy-interval", rapl.DefaultInterval, "time between two readings of energy")
	f.attributionFlags.register(fl, "auto, 0, WATTS (per package) or measure")
	fl.StringVar(&f.trace, "energy-trace", "", "write the energy readings as CSV to this file")
}

// energy is an open source with its recorder; all fields are zero without one.
type energy struct {
	source      rapl.Source
	recorder    *rapl.Recorder
	info        rapl.Info
	attribution attribution.Options
	flags       *energyFlags
	remarks     []string
	trace       *tracer // nil if none was asked for
}

// sourceError is why a source of energy cannot be used: the advice on what the
// kernel refused depends on who asked for it.
type sourceError struct{ error }

func (e sourceError) Unwrap() error { return e.error }

// open opens the source and, if asked, measures the idle machine.
func (f *energyFlags) open() (*energy, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	e := &energy{flags: f}
	if f.source == "none" && f.event == "" {
		if f.trace != "" {
			return nil, usagef("--energy-trace needs a source of energy, and --energy is none")
		}
		return e, nil
	}
	var err error
	if f.event != "" {
		if parsed, err := pmu.NewFS("/sys", "/proc").Parse(f.event); err == nil && f.scale == 0 && parsed.Unit != "Joules" {
			return nil, usagef("--energy-event %s has no scale in joules of its own: --energy-scale says how many joules a count is", f.event)
		}
		e.source, err = rapl.OpenEvent(rapl.Machine{}, f.event, f.scale)
	} else {
		e.source, err = rapl.Open(rapl.Machine{}, f.source)
	}
	if errors.Is(err, rapl.ErrUnknownKind) {
		return nil, usageError{err}
	}
	if err != nil {
		return nil, sourceError{err}
	}
	e.info = e.source.Info()
	e.info.Notes = nil // they grow with the readings: see notes
	if f.source == "auto" && f.event == "" && e.info.Name != rapl.Kinds()[0] {
		sources := rapl.Probe(rapl.Machine{})
		e.remarks = append(e.remarks, whyNotBetter(e.info.Name, sources)...)
		if !e.info.Measured {
			e.remarks = append(e.remarks, whyEstimated(sources)...)
		}
	}
	if f.only != "" {
		some, err := rapl.Only(e.source, f.choose)
		if err != nil {
			return f.without(e)
		}
		e.source = some
		e.info.Domains = some.Info().Domains
	}
	interval := f.interval
	if !e.info.Measured {
		// A model knows busy time in ticks of 10 ms: asking it more often costs
		// more and tells nothing.
		interval = max(interval, modelInterval)
	}
	e.recorder = rapl.NewRecorder(e.source, interval)
	if err := f.setBaseline(e); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// choose takes the domains of the name that is wanted. An event that the user names for energy is meant for that. They
// are in no sum.
func (f *energyFlags) choose(d rapl.Domain) (rapl.Domain, bool) {
	if f.event != "" {
		d.Name = f.only
	}
	d.Sum = false
	return d, d.Name == f.only
}

// without is no energy, as that of e has no domain that is wanted.
func (f *energyFlags) without(e *energy) (*energy, error) {
	have := "the source is a model"
	if e.info.Measured {
		have = "the source is " + e.info.Name
	}
	why := fmt.Sprintf("no counter of %s energy can be read here (%s)", strings.ToUpper(f.only), have)
	e.close()
	if f.trace != "" {
		return nil, usagef("--energy-trace: %s", why)
	}
	return &energy{flags: f, remarks: append(e.remarks, "no joules: "+why)}, nil
}

// whyNotBetter says which better source than the one in use the kernel has and
// did not let us open, other than for lack of rights: something is wrong with it.
func whyNotBetter(used string, sources []rapl.Status) []string {
	for _, s := range sources {
		var refused *perfring.OpenError
		if s.Kind == used {
			break
		}
		if errors.As(s.Err, &refused) && !errors.Is(s.Err, fs.ErrPermission) {
			return []string{fmt.Sprintf("energy comes from %s because the kernel refuses %s: %s", used, s.Kind, reason(s.Err))}
		}
	}
	return nil
}

// whyEstimated says what keeps this user from the best counter that the machine
// has, and what to do about it; nothing if it has none.
func whyEstimated(sources []rapl.Status) []string {
	for _, cause := range []error{fs.ErrPermission, rapl.ErrNoDriver} {
		for _, s := range sources {
			if !errors.Is(s.Err, cause) {
				continue
			}
			text := fmt.Sprintf("energy is estimated because it cannot be measured: %s: %s", s.Kind, reason(s.Err))
			if hint := advice(s.Err); hint != "" {
				text += ": " + hint
			}
			return []string{text}
		}
	}
	return nil
}

func (f *energyFlags) check() error {
	if f.event != "" && f.source != "auto" {
		return usagef("--energy and --energy-event exclude each other")
	}
	if f.event == "" && f.scale != 0 {
		return usagef("--energy-scale belongs to --energy-event")
	}
	if f.scale < 0 {
		return usagef("--energy-scale %v: joules per count cannot be negative", f.scale)
	}
	if f.source != "none" && f.source != "auto" && f.source != "perf" && !slices.Contains(rapl.Kinds(), f.source) {
		return usagef("--energy %q: it is auto, perf, powercap, msr, hwmon, model or none", f.source)
	}
	if f.interval < minInterval || f.interval > maxInterval {
		return usagef("--energy-interval %v: it is from %v to %v", f.interval, minInterval, maxInterval)
	}
	return f.attributionFlags.check()
}

// setBaseline gives the static power of each domain to the attribution.
func (f *energyFlags) setBaseline(e *energy) error {
	e.attribution = f.options(e.info)
	if f.baseline != baselineMeasure {
		return nil
	}
	if f.idle == nil {
		fmt.Fprintf(os.Stderr, "energyprof: measuring the idle machine for %v\n", measureTime)
		idle, err := rapl.MeasureIdle(rapl.Machine{}, e.source, measureTime)
		if err != nil {
			return fmt.Errorf("measuring the baseline: %w", err)
		}
		f.idle = &idle
	}
	e.attribution.BaselineWatts = slices.Clone(f.idle.Watts)
	e.remarks = append(e.remarks, fmt.Sprintf("baseline measured for %v before the start, with the CPUs %.1f %% busy", measureTime, 100*f.idle.Busy))
	return nil
}

// traced returns a sink that writes the energy points to the trace as well.
func (e *energy) traced(sink session.Sink, file *output) (session.Sink, error) {
	if file == nil {
		return sink, nil
	}
	w, err := rapl.NewTraceWriter(file, e.info.Domains)
	if err != nil {
		return nil, fmt.Errorf("output file %s: %w", file.path, err)
	}
	e.trace = &tracer{Sink: sink, trace: w}
	return e.trace, nil
}

// tracer writes the energy points on their way to the sink.
type tracer struct {
	session.Sink
	trace *rapl.TraceWriter
	err   error
}

func (t *tracer) Energy(domain int, at int64, joules float64) {
	if err := t.trace.Write(domain, at, joules); err != nil && t.err == nil {
		t.err = err
	}
	t.Sink.Energy(domain, at, joules)
}

// finish writes out what is buffered and returns the first error.
func (t *tracer) finish() error {
	if t.err != nil {
		return t.err
	}
	return t.trace.Flush()
}

// notes says what a reader of the joules of rec must know.
func (e *energy) notes(rec *report.Recording) []string {
	if e.source == nil {
		return e.remarks
	}
	notes := slices.Concat(e.remarks, e.flags.notes(rec), e.source.Info().Notes)
	books := e.recorder.Books()
	onPerf, ok := e.source.(interface{ Counters() []rapl.Counter })
	if ok && len(onPerf.Counters()) > 0 && books.Switched != "" {
		notes = append(notes, "energy was polled, not stamped by the kernel: "+books.Switched)
	}
	if books.Dropped > 0 {
		notes = append(notes, fmt.Sprintf("%d energy readings could not follow the counter (a reset, a suspend): what was used meanwhile is missing", books.Dropped))
	}
	return notes
}

func (e *energy) close() {
	if e.source != nil {
		e.source.Close()
	}
}
