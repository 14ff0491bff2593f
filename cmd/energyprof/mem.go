package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/energyprof/energyprof/internal/memory"
	"github.com/energyprof/energyprof/internal/session"
	"github.com/energyprof/energyprof/pebs"
	"github.com/energyprof/energyprof/report/attribution"
)

// memFlags are the flags of mem, as they were given.
type memFlags struct {
	runFlags
	sampling
	changed func(flag string) bool

	kinds   string
	latency uint
	input   string

	by        string
	rows      int
	samples   bool
	addresses bool
	json      bool
}

// dramDomain is what sources of energy call the memory of a package.
const dramDomain = "dram"

// memFrequency is perf's rate of memory events; clockOfMemory that of the clock beside them, which is
// there for the time alone.
const (
	memFrequency  = 4000
	clockOfMemory = 199
)

// maxLatency is what the register for the least latency of a load holds (MSR_PEBS_LD_LAT_THRESHOLD, SDM volume 4:
// bits 15:0); below minLatency the threshold means nothing (SDM volume 3, load latency performance monitoring).
const (
	minLatency = 3
	maxLatency = 1<<16 - 1
)

func newMem() *cobra.Command {
	var f memFlags
	c := &cobra.Command{
		Use:   "mem [flags] [--] [command args...] | mem [flags] -i perf.data",
		Short: "Record which loads and stores wait for memory, on which pages, and the joules of DRAM",
		Long: "Mem samples accesses to memory of a command with its children and threads (or -p, or -a): where\n" +
			"the data came from and how long that took, by function, page, cache line or NUMA node. Energy of\n" +
			"DRAM is shared out by the loads that memory served, 64 bytes each, which is a proxy: prefetches\n" +
			"and write-backs are in no sample. With -i the samples come from a file: perf mem record,\n" +
			"perf record -d -W, or mem --perf-data.\n\n" +
			"Where no PMU samples accesses, page faults with their addresses are recorded instead;\n" +
			"-e mem:ADDRESS:rw records whatever accesses a variable.\n\n" +
			"The tables go to standard error beside a command, and to standard output without one, as do\n" +
			"--json and --samples always. The exit code beside a command is its own (128+signal if it was\n" +
			"killed), 125 for a failure of energyprof, 126 if it cannot be executed and 127 if it was not found.",
		Example: "  energyprof mem -- ./app --its-flag\n  energyprof mem --by page -e page-faults -- ./app\n" +
			"  energyprof mem -e mem:0x55d0c8:w --samples -- ./app\n  energyprof mem --by cacheline -i perf.data",
		Annotations: map[string]string{runsCommand: "yes"},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				delete(c.Annotations, runsCommand) // there is no command whose exit code it could be
			}
			f.changed = c.Flags().Changed
			f.frequencySet, f.periodSet = f.changed("freq"), f.changed("count")
			return f.run(c.Flags(), args)
		},
	}
	f.register(c.Flags())
	return c
}

func (f *memFlags) register(fl *pflag.FlagSet) {
	fl.StringVarP(&f.kinds, "type", "t", "load,store", "what to sample: load, store or load,store")
	fl.UintVar(&f.latency, "ldlat", pebs.DefaultLatency, "leave out loads of fewer cycles, where the PMU can")
	fl.StringArrayVarP(&f.specs, "event", "e", nil, "sample this event in place of the machine's own: page-faults, mem:ADDR[/LEN]:rw,\ncpu/event=0xd3,umask=0x1/pp (several times: several events)")
	fl.Uint64VarP(&f.frequency, "freq", "F", memFrequency, "samples per second of each event (page faults and breakpoints: all, if not given)")
	fl.Uint64VarP(&f.period, "count", "c", 0, "sample every so many accesses instead")
	fl.StringVarP(&f.input, "input", "i", "", "read the samples of this perf.data (-: standard input)")
	fl.StringVar(&f.by, "by", string(memory.ByFunction), "rows: function, page, cacheline or node")
	fl.IntVarP(&f.rows, "rows", "n", 30, "rows to print, 0 for all")
	fl.BoolVar(&f.samples, "samples", false, "print every sample, in place of the tables")
	fl.BoolVar(&f.addresses, "addresses", false, "every address is a sample of the profile by itself, with the label address")
	fl.BoolVarP(&f.json, "json", "j", false, "print JSON")
	// The weight of energy is what memory served, here.
	var shared pflag.FlagSet
	f.runFlags.register(&shared)
	// Where each access is a sample none may be missing: the kernel drops those of events with a program where it is at another one.
	f.callGraph, shared.Lookup("call-graph").DefValue = string(session.StacksFP), string(session.StacksFP)
	shared.VisitAll(func(flag *pflag.Flag) {
		if flag.Name != "weight" {
			fl.AddFlag(flag)
		}
	})
	fl.SetInterspersed(false) // what follows the command is the command's
	f.only = dramDomain
}

// check refuses what makes no sense, of a recording and of a file.
func (f *memFlags) check() error {
	switch {
	case !slices.Contains(memory.Bys, memory.By(f.by)):
		return usagef("--by %q: it is function, page, cacheline or node", f.by)
	case f.rows < 0:
		return usagef("-n %d: rows cannot be negative", f.rows)
	case f.json && f.samples:
		return usagef("--json and --samples exclude each other")
	case f.changed("input") && f.input == "":
		return usagef("-i: the file has no name")
	}
	if f.method == string(attribution.Share) {
		return usagef("--attribution share is by CPU time, and joules of DRAM are shared out by what memory served: auto, regression or proportional")
	}
	if _, _, err := f.wanted(); err != nil {
		return err
	}
	if f.latency < minLatency || f.latency > maxLatency {
		return usagef("--ldlat %d: the least latency of a load is from %d to %d cycles", f.latency, minLatency, maxLatency)
	}
	if len(f.specs) > 0 && (f.changed("type") || f.changed("ldlat")) {
		return usagef("-e names the event, -t and --ldlat choose it: they exclude each other")
	}
	return nil
}

// wanted reads -t.
func (f *memFlags) wanted() (loads, stores bool, err error) {
	for kind := range strings.SplitSeq(f.kinds, ",") {
		switch kind {
		case "load":
			loads = true
		case "store":
			stores = true
		default:
			return false, false, usagef("-t %q: it is load, store or load,store", f.kinds)
		}
	}
	return loads, stores, nil
}

// ofFile are the flags that mean something for samples that are there.
var ofFile = []string{"input", "by", "rows", "samples", "addresses", "json", "quiet", "output", "summary",
	"energy-event", "energy-scale", "attribution", "baseline"}

// run records, or reads a file.
func (f *memFlags) run(fl *pflag.FlagSet, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.input == "" {
		return f.record(args)
	}
	if len(args) > 0 {
		return usagef("-i reads what was recorded: there is no command to run (found %q)", args[0])
	}
	var wrong error
	fl.Visit(func(flag *pflag.Flag) {
		if wrong == nil && !slices.Contains(ofFile, flag.Name) {
			wrong = usagef("--%s belongs to a recording, and -i reads one", flag.Name)
		}
	})
	if wrong != nil {
		return wrong
	}
	return f.read()
}
