package main

import (
	"os"
	"slices"
	"time"

	"github.com/energyprof/energyprof/internal/collect"
	"github.com/energyprof/energyprof/internal/memory"
	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/internal/session"
	"github.com/energyprof/energyprof/rapl"
	"github.com/energyprof/energyprof/report"
)

// record records. Whatever can be refused is refused before the command starts.
func (f *memFlags) record(args []string) error {
	fs := pmu.NewFS("/sys", "/proc")
	r := run{flags: &f.runFlags, accesses: true}
	var err error
	if r.opt, err = f.target(fs, args); err != nil {
		return err
	}
	events, err := f.events(fs)
	if err != nil {
		return err
	}
	r.opt.Events, r.remarks = events.session, events.remarks
	if !f.changed("mmap-pages") && os.Geteuid() == 0 {
		cpus, err := fs.PresentCPUs()
		if err != nil {
			return err
		}
		if pages := roomFor(events.session, len(cpus)); pages > session.DefaultPages {
			r.opt.Pages = pages
		}
	}
	if r.energy, err = f.open(); err != nil {
		return err
	}
	defer r.energy.close()
	traffic := r.openTraffic(f, fs, hasMemory(events.collect))
	defer r.counters.close()
	if err := r.collected(); err != nil {
		return err
	}
	nodes, err := memory.OpenNodes("/sys", "/proc")
	if err != nil { // nil Nodes know nothing, and all else is as it was
		r.remarks = append(r.remarks, "the NUMA nodes of addresses are not known: "+reason(err))
	}
	out, err := f.openOutput(len(args) > 0)
	if err != nil {
		return err
	}
	defer out.close()
	kinds := tableEvents(events.collect, func(event int) uint32 { return events.session[event].BPType })
	table := memory.New(memory.Options{Events: kinds, Line: memory.LineSize("/sys"), Page: os.Getpagesize(), Nodes: nodes, Samples: out.spool()})
	r.remarks = append(r.remarks, nobodys(events.collect, r.energy.info)...)
	if r.what.Events, r.what.Counters = events.collect, r.counters.events; f.shows() {
		r.what.Access = table.Add
	}
	r.what.Memory = collect.Memory{Addresses: f.addresses, Weigh: len(r.energy.info.Domains) > 0, ServedBy: nodes.ServedBy, Traffic: traffic}
	r.tell = func(rec *report.Recording, result *session.Result) error {
		if err := out.write(table, rec, result.Events, f); err != nil {
			return err
		}
		if f.quiet {
			warnOfNothing(result)
			return nil
		}
		nameProfile(f.output)
		waiting(result)
		return nil
	}
	return r.record()
}

// Where every event is sampled there can be hundreds of thousands a second, 100 bytes each and more: beyond a few milliseconds
// of them rings are only as large for those whom the kernel's allowance of locked memory does not limit.
const (
	mostPages = 2048     // of a ring: 8 MiB
	mostRings = 64 << 20 // bytes of all rings
)

// roomFor is how many pages a ring has, by what is sampled.
func roomFor(events []session.Event, cpus int) int {
	pages := session.DefaultPages
	if !slices.ContainsFunc(events, func(e session.Event) bool { return e.Period == 1 }) {
		return pages
	}
	for pages < mostPages && 2*pages*os.Getpagesize()*cpus <= mostRings {
		pages *= 2
	}
	return pages
}

// trafficEvents are what drivers of Intel's memory controllers call the lines of 64 bytes that they move (the events
// directories of uncore_imc_* in sysfs).
var trafficEvents = []string{"cas_count_read", "cas_count_write"}

// longestTraffic is between two readings of memory controllers: what they count is held against the loads of that time,
// which wait a few seconds (internal/collect).
const longestTraffic = time.Second

// openTraffic opens the counters of memory controllers, where there are joules to share out by what they count
// beyond the samples. It returns their places among the counters.
func (r *run) openTraffic(f *memFlags, fs pmu.FS, memory bool) (traffic []int) {
	r.counters = &counters{}
	if !memory || len(r.energy.info.Domains) == 0 {
		return nil
	}
	var specs []string
	missing := func(why string) {
		r.remarks = append(r.remarks, "prefetches and write-backs are not told apart from what else uses energy of DRAM: "+why)
	}
	for _, name := range trafficEvents {
		if spec := "uncore_imc/" + name + "/"; known(fs, spec) {
			specs = append(specs, spec)
		}
	}
	if len(specs) == 0 {
		missing("no memory controller shows its counters")
		return nil
	}
	source, err := rapl.OpenCounts(rapl.Machine{}, specs, nil)
	if err != nil {
		text := reason(err)
		if hint := advice(err); hint != "" {
			text += ": " + hint
		}
		missing(text)
		return nil
	}
	r.counters = &counters{source: source, events: source.Events, recorder: rapl.NewCountRecorder(source, min(f.interval, longestTraffic))}
	for i := range source.Events {
		traffic = append(traffic, i)
	}
	return traffic
}

// known tells whether this machine has an event.
func known(fs pmu.FS, spec string) bool {
	_, err := fs.ParseList(spec)
	return err == nil
}
