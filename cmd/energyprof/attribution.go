package main

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/energyprof/energyprof/internal/collect"
	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report"
	"github.com/energyprof/energyprof/report/attribution"
	"github.com/energyprof/energyprof/report/pprofile"
)

// attributionFlags say how energy is shared out: of record and of convert.
type attributionFlags struct {
	method      string
	baseline    string
	weight      string
	staticWatts float64 // of --baseline WATTS
}

const (
	baselineAuto    = "auto"
	baselineMeasure = "measure"
)

func (f *attributionFlags) register(fl *pflag.FlagSet, baselines string) {
	fl.StringVar(&f.method, "attribution", string(attribution.Auto), "how joules are shared out: auto, regression, proportional or share")
	fl.StringVar(&f.baseline, "baseline", baselineAuto, "static power that no function is charged for: "+baselines)
	fl.StringVar(&f.weight, "weight", "", "share joules out by the counts of this sampled event, instead of CPU time")
}

func (f *attributionFlags) check() error {
	switch attribution.Method(f.method) {
	case attribution.Auto, attribution.Regression, attribution.Proportional, attribution.Share:
	default:
		return usagef("--attribution %q: it is auto, regression, proportional or share", f.method)
	}
	switch f.baseline {
	case baselineAuto, baselineMeasure:
	default:
		watts, err := strconv.ParseFloat(strings.TrimSuffix(f.baseline, "W"), 64)
		if err != nil || !(watts >= 0 && watts < 1e6) {
			return usagef("--baseline %q: it is auto, 0, a number of watts or measure", f.baseline)
		}
		f.staticWatts = watts
	}
	if f.method == string(attribution.Share) && f.baseline != baselineAuto && f.baseline != "0" {
		return usagef("--attribution share has no baseline: its rest is [idle]")
	}
	return nil
}

// options are those of attribution for a source. What --baseline measure finds is the caller's to add.
func (f *attributionFlags) options(info rapl.Info) attribution.Options {
	opt := attribution.Options{Method: attribution.Method(f.method)}
	if opt.Method == attribution.Auto && !info.Measured {
		// What a model says is a sum of CPU times already: there is nothing to find out about functions.
		opt.Method = attribution.Proportional
	}
	switch {
	case opt.Method == attribution.Share:
	case f.baseline == baselineAuto && opt.Method == attribution.Proportional && !info.Measured:
		// Of a model the static power is known; without it a millisecond on an idle
		// machine pays for the whole interval.
		for _, d := range info.Domains {
			opt.BaselineWatts = append(opt.BaselineWatts, d.IdleWatts)
		}
	case f.baseline == baselineAuto || f.baseline == baselineMeasure:
	default:
		opt.BaselineWatts = f.givenWatts(info.Domains)
	}
	return opt
}

// givenWatts spreads a number of watts, which is meant for each package, over the domains: what is nothing of
// it has to be fitted.
func (f *attributionFlags) givenWatts(domains []rapl.Domain) []float64 {
	packages := slices.ContainsFunc(domains, func(d rapl.Domain) bool { return d.Name == "package" })
	// What there is of one kind alone is what the watts are of, as memory is for mem.
	alone := !slices.ContainsFunc(domains, func(d rapl.Domain) bool { return d.Name != domains[0].Name })
	watts := make([]float64, len(domains))
	for i, d := range domains {
		// A meter of a board has no package: its total is what the watts are of. 0 is meant for all.
		if d.Name == "package" || alone || !packages && d.Sum {
			watts[i] = f.staticWatts
		} else if f.staticWatts > 0 {
			watts[i] = math.NaN()
		}
	}
	return watts
}

// weigh marks the event of --weight. names are those it may have been given by.
func (f *attributionFlags) weigh(events []collect.Event) error {
	if f.weight == "" {
		return nil
	}
	var names []string
	for i := range events {
		if events[i].Name == f.weight || withoutModifiers(events[i].Name) == f.weight {
			events[i].Weight = true
			return nil
		}
		names = append(names, events[i].Name)
	}
	return usagef("--weight %s: sampled are %s", f.weight, strings.Join(names, ", "))
}

// withoutModifiers is the name of an event as it was given to perf, without what limits it (":u", ":ppp").
func withoutModifiers(name string) string {
	i := strings.LastIndexByte(name, ':')
	if i < 0 || strings.Trim(name[i+1:], "ukhGHpPSDeIW") != "" {
		return name
	}
	return name[:i]
}

// staticIncluded is the note on joules of CPU time without any baseline.
const staticIncluded = "joules of functions include static power: no baseline was given (--baseline WATTS, or record --baseline measure)"

// notes says what a reader of the joules must know of how they were shared out in the end.
func (f *attributionFlags) notes(rec *report.Recording) []string {
	if len(rec.Data.Columns) == 0 || !rec.Data.Measured || f.baseline != baselineAuto || rec.Attribution.Method != attribution.Proportional ||
		slices.Contains(rec.Attribution.BaselineFitted, true) || !slices.ContainsFunc(rec.Data.Stacks, charged) {
		return nil
	}
	return []string{staticIncluded}
}

// charged tells whether a stack has joules: all can be static, where nothing that memory served was sampled.
func charged(s pprofile.Stack) bool {
	return slices.ContainsFunc(s.Joules, func(j float64) bool { return j > 0 })
}

// cores tells attribution which CPUs are hardware threads of one core, and on a hybrid machine of which type it is.
// What the machine does not tell is left out.
func cores(fs pmu.FS) (core []int32, coreType []uint8) {
	cpus, err := fs.Topology()
	if err != nil {
		return nil, nil
	}
	type place struct{ pkg, die, core int }
	first := map[place]int32{} // CPU of a core, whose number stands for it
	for _, c := range cpus {
		for c.ID >= len(core) {
			core = append(core, int32(len(core)))
		}
		p := place{c.Package, c.Die, c.Core}
		if _, known := first[p]; !known || c.Core < 0 {
			first[p] = int32(c.ID)
		}
		core[c.ID] = first[p]
	}
	return core, coreTypes(fs, len(core))
}

// hybridPMUs are the PMUs of the types of cores of a hybrid machine (drivers of arch/x86/events/intel).
var hybridPMUs = []string{"cpu_core", "cpu_atom", "cpu_lowpower"}

// coreTypes are 0 but on hybrid machines, whose PMUs list the CPUs of each type.
func coreTypes(fs pmu.FS, cpus int) []uint8 {
	types := make([]uint8, cpus)
	hybrid := false
	for i, name := range hybridPMUs {
		p, err := fs.PMU(name)
		if err != nil {
			continue
		}
		for _, cpu := range p.CPUs {
			if cpu < cpus {
				types[cpu] = uint8(i)
				hybrid = hybrid || i > 0
			}
		}
	}
	if !hybrid {
		return nil
	}
	return types
}
