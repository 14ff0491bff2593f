package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/collect"
	"github.com/energyprof/energyprof/internal/perfdata"
	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report/pprofile"
)

// conversion is a file on its way into a profile: the Sink of its records.
type conversion struct {
	*collect.Collector
	flags   *convertFlags
	path    string // of the file, for messages
	file    *perfdata.File
	what    collect.Options
	index   []int                                 // by event of the file: that of the collector, -1 for those that are not in the profile
	main    int                                   // event of the file that is counted
	choose  func(rapl.Domain) (rapl.Domain, bool) // which domains are wanted, and as what; nil: all
	domain  []int                                 // by domain of the file: that of the collector, -1 for those that are not wanted; nil: they are the same
	info    rapl.Info                             // source of energy, with no domains without
	trace   *traceFeed
	shared  bool // energy is shared out otherwise than the recording itself did
	remarks []string
}

// Record passes on a record, under the number that its event has in the profile.
func (c *conversion) Record(rec perfring.Record, cpu, event int) {
	if event >= 0 {
		if event >= len(c.index) {
			return // of an event that the file told of too late
		}
		event = c.index[event]
	}
	if _, sample := rec.(*perfring.Sample); sample && event < 0 {
		return
	}
	c.Collector.Record(rec, cpu, event)
}

// options says what is collected.
func (c *conversion) options() (collect.Options, error) {
	if own := c.file.Own; own != nil {
		return c.ownOptions(own)
	}
	var opt collect.Options
	if err := c.chooseEvents(&opt); err != nil {
		return opt, err
	}
	if err := c.flags.weigh(opt.Events); err != nil {
		return opt, err
	}
	opt.Energy, opt.NoOthers, opt.SystemWide = c.info, true, systemWide(c.file)
	opt.CPUs = c.cpus()
	opt.Attribution = c.flags.options(c.info)
	opt.Attribution.Core, opt.Attribution.CoreType = topology(&c.file.Info)
	opt.Memory = collect.Memory{Addresses: c.flags.addresses, Weigh: c.weighMemory(opt.Events), ServedBy: c.nodes().ServedBy}
	c.names(&opt)
	return opt, nil
}

// ownOptions are those of the recording, but for what the flags say.
func (c *conversion) ownOptions(own *perfdata.Own) (collect.Options, error) {
	opt := collect.Options{SystemWide: own.SystemWide, NoOthers: own.NoOthers, CPUs: own.CPUs, Energy: c.info,
		Attribution: own.Attribution, MaxDepth: own.MaxDepth, Counters: own.Counters, CounterMethod: own.CounterMethod,
		Stacks: collect.Stacks{Method: ownMethod(own)},
		Past:   &collect.Past{Locations: own.Locations, Main: own.Main, KernelVisible: own.KernelVisible, Idle: own.Idle, MaxDepth: own.MaxDepth}}
	for i, e := range own.Events {
		opt.Events = append(opt.Events, collect.Event{Name: e.Name, Clock: e.Clock, Period: e.Period, Weight: e.Weight && c.flags.weight == "",
			Memory: e.Memory, Address: e.Address})
		c.index = append(c.index, i)
	}
	opt.Memory = collect.Memory{Addresses: c.flags.addresses}
	if m := own.Memory; m != nil {
		opt.Memory = collect.Memory{Addresses: m.Addresses || c.flags.addresses, Weigh: m.Weigh, Traffic: m.Traffic, ServedBy: own.ServedBy}
	}
	if err := c.flags.weigh(opt.Events); err != nil {
		return opt, err
	}
	c.shared = c.trace != nil || c.domain != nil || c.flags.changed("attribution") || c.flags.changed("baseline")
	if c.trace != nil || c.domain != nil {
		opt.Memory.Weigh = c.weighMemory(opt.Events)
	}
	if c.shared {
		opt.Attribution = c.flags.options(c.info)
		opt.Attribution.Core, opt.Attribution.CoreType = own.Attribution.Core, own.Attribution.CoreType
	}
	if len(own.Counters) > 0 && c.flags.changed("attribution") {
		opt.CounterMethod = c.flags.counterMethod()
	}
	return opt, nil
}

// chooseEvents takes the events that were sampled, under names that a profile can have.
func (c *conversion) chooseEvents(opt *collect.Options) error {
	taken := map[string]bool{"samples": true, "cpu": true, pprofile.EnergyType: true, "": true}
	for i := range c.file.Events {
		if c.sampled(i) && c.memory(i) {
			taken["loads"], taken["stores"], taken["latency"] = true, true, true
		}
	}
	c.main = -1
	for i := range c.file.Events {
		e := &c.file.Events[i]
		c.index = append(c.index, -1)
		if !c.sampled(i) {
			continue
		}
		name := e.Name
		for n := 2; taken[name] || strings.HasPrefix(name, pprofile.DomainPrefix); n++ {
			name = fmt.Sprintf("%s#%d", e.Name, n)
			if strings.HasPrefix(name, pprofile.DomainPrefix) {
				name = "event " + name
			}
		}
		taken[name] = true
		c.index[i] = len(opt.Events)
		if c.main < 0 || e.Clock && !c.file.Events[c.main].Clock {
			c.main = i
		}
		opt.Events = append(opt.Events, collect.Event{Name: name, Clock: e.Clock, Period: periodOf(e), Memory: c.memory(i), Address: !c.memory(i) && c.addressed(i),
			UserRegs: userRegs(e)})
	}
	opt.Stacks.Method = stackMethod(c.file.Events)
	if len(opt.Events) == 0 {
		return fmt.Errorf("%s: none of its %d events is sampled", c.path, len(c.file.Events))
	}
	return nil
}

// traceUnits are PMUs that write a trace beside the samples and take none.
var traceUnits = []string{"intel_pt", "intel_bts", "cs_etm", "arm_spe_0", "hisi_ptt0_2", "s390_cpum_cf_diag"}

// sampled tells whether samples of an event become part of the profile.
func (c *conversion) sampled(event int) bool {
	e := &c.file.Events[event]
	if e.Attr.Type == unix.PERF_TYPE_SOFTWARE && e.Attr.Config == unix.PERF_COUNT_SW_DUMMY {
		return false // it is there for the records of processes
	}
	if slices.Contains(traceUnits, c.file.Info.PMUs[e.Attr.Type]) {
		return false
	}
	if slices.ContainsFunc(c.file.EnergyDomains, func(d perfdata.EnergyDomain) bool { return d.Event == event }) {
		return false
	}
	return e.Sampled() || e.Leader != event
}

// periodOf is what a sample of the event stands for when it does not say so itself.
func periodOf(e *perfdata.Event) uint64 {
	switch {
	case e.Attr.SampleFormat&perfring.SamplePeriod != 0:
		return 0
	case e.Attr.Flags&perfring.FlagFreq == 0:
		return e.Attr.Sample
	case e.Clock && e.Attr.Sample > 0:
		return uint64(time.Second) / e.Attr.Sample
	}
	return 1
}

// nominal is the period of the profile: nanoseconds between two samples of a clock, or counts; 0 where the kernel
// chose it.
func nominal(e *perfdata.Event) time.Duration {
	switch {
	case e.Attr.Flags&perfring.FlagFreq == 0:
		return time.Duration(e.Attr.Sample)
	case e.Clock && e.Attr.Sample > 0:
		return time.Second / time.Duration(e.Attr.Sample)
	}
	return 0
}

// systemWide tells whether whatever ran on the recorded CPUs was sampled. Of a command perf enables its events at
// execve, unless it was to wait; of processes the command line tells.
func systemWide(file *perfdata.File) bool {
	for i := range file.Events {
		if file.Events[i].Attr.Flags&perfring.FlagEnableOnExec != 0 {
			return false
		}
	}
	for _, arg := range file.Info.Cmdline {
		if arg == "--" {
			break
		}
		name, _, _ := strings.Cut(arg, "=")
		switch {
		case arg == "-a", name == "--all-cpus", name == "--cpu", strings.HasPrefix(arg, "-C"):
			return true
		case name == "--pid", name == "--tid", name == "--uid", name == "--delay", name == "--per-thread",
			strings.HasPrefix(arg, "-p"), strings.HasPrefix(arg, "-t"), strings.HasPrefix(arg, "-u"), strings.HasPrefix(arg, "-D"):
			return false
		}
	}
	return true // what perf does without being told
}

// cpus are those of domains that do not say which they cover: all of the machine.
func (c *conversion) cpus() []int {
	info := &c.file.Info
	n := max(len(info.CPUs), info.CPUsAvailable, info.CPUsOnline)
	if n == 0 {
		n = 1024
		if len(c.info.Domains) > 0 {
			c.remarks = append(c.remarks, "the file does not say how many CPUs the machine has")
		}
	}
	var all []int
	for cpu := range min(n, 1<<16) {
		all = append(all, cpu)
	}
	return all
}

// topology tells attribution which CPUs are hardware threads of one core, and of which type it is.
func topology(info *perfdata.Info) (core []int32, coreType []uint8) {
	first := map[perfdata.CPU]int32{}
	for id, cpu := range info.CPUs {
		if _, known := first[cpu]; !known || cpu.Core < 0 {
			first[cpu] = int32(id)
		}
		core = append(core, first[cpu])
	}
	hybrid := false
	types := make([]uint8, len(core))
	for i, name := range hybridPMUs {
		list, err := pmu.ParseCPUList(info.HybridCPUs[name])
		if err != nil {
			continue
		}
		for _, cpu := range list {
			if cpu < len(types) {
				types[cpu] = uint8(i)
				hybrid = hybrid || i > 0
			}
		}
	}
	if !hybrid {
		types = nil
	}
	return core, types
}
