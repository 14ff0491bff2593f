package main

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/rapl"
)

// finding is whether one thing can be measured here, in the stable form of
// `energyprof list --json`.
type finding struct {
	Name   string `json:"name"`
	Usable bool   `json:"usable"`
	Reason string `json:"reason,omitempty"` // why not, with the errno's name
	Fix    string `json:"fix,omitempty"`    // the command that would change that
	Detail string `json:"detail,omitempty"`
}

// inventory is what `energyprof list --json` prints.
type inventory struct {
	Version int         `json:"version"` // 1
	Energy  []finding   `json:"energy"`
	Events  []finding   `json:"events"` // generic events
	PMUs    []pmuDetail `json:"pmus"`
}

type pmuDetail struct {
	Name   string    `json:"name"`
	Type   uint32    `json:"type"`
	CPUs   string    `json:"cpus,omitempty"` // kernel's list form
	Events []finding `json:"events,omitempty"`
	Faults []string  `json:"faults,omitempty"` // files below the PMU that make no sense
}

// genericEvents are the events that need no name of a PMU.
var genericEvents = []string{
	"cpu-clock", "task-clock", "page-faults", "context-switches", "cpu-migrations",
	"cycles", "instructions", "cache-misses", "branch-misses", "mem:0x1000:w", "sched:sched_switch",
}

// takeInventory tries everything this machine offers.
func takeInventory(fs pmu.FS, machine rapl.Machine) (inventory, error) {
	inv := inventory{Version: 1}
	for _, s := range rapl.Probe(machine) {
		f := judgeSource(s.Kind, s)
		if s.Usable {
			f.Detail = describeSource(s.Info)
		}
		inv.Energy = append(inv.Energy, f)
	}
	for _, name := range genericEvents {
		e, err := fs.Parse(name)
		if err == nil {
			err = tryEvent(e)
		}
		inv.Events = append(inv.Events, judge(name, err))
	}
	pmus, err := fs.PMUs()
	if err != nil {
		return inv, err
	}
	for _, p := range pmus {
		d := pmuDetail{Name: p.Name, Type: p.Type, CPUs: pmu.FormatCPUList(p.CPUs)}
		for _, alias := range p.Events {
			name := p.Name + "/" + alias.Name + "/"
			e, err := fs.Parse(name)
			if err == nil {
				err = tryEvent(e)
			}
			f := judge(name, err)
			f.Detail = alias.Unit
			d.Events = append(d.Events, f)
		}
		for _, fault := range p.Faults {
			d.Faults = append(d.Faults, fault.Error())
		}
		inv.PMUs = append(inv.PMUs, d)
	}
	return inv, nil
}

func judge(name string, err error) finding {
	if err == nil {
		return finding{Name: name, Usable: true}
	}
	return finding{Name: name, Reason: reason(err), Fix: advice(err)}
}

// judgeSource has no fix for hardware that is not there: the other sources stand
// beside it.
func judgeSource(name string, s rapl.Status) finding {
	if s.Err == nil {
		return judge(name, nil)
	}
	f := judge(name, sourceError{s.Err})
	if errors.Is(s.Err, rapl.ErrNoHardware) {
		f.Fix = ""
	}
	return f
}

// tryEvent opens a counter for a moment: nothing less tells whether it works.
func tryEvent(e pmu.Event) error {
	attr := perfring.Attr{
		Type: e.Type, Config: e.Config, Config1: e.Config1, Config2: e.Config2, Config3: e.Config3, Config4: e.Config4,
		BPType: e.BPType, Flags: perfring.FlagDisabled,
	}
	pid, cpu := 0, -1
	if len(e.CPUs) > 0 && e.Uncore {
		pid, cpu = -1, e.CPUs[0]
	} else {
		attr.Flags |= perfring.FlagExcludeKernel | perfring.FlagExcludeHV
	}
	counter, err := perfring.Open(&attr, pid, cpu, nil)
	if errors.Is(err, unix.EINVAL) && attr.Flags&perfring.FlagExcludeKernel != 0 {
		// A PMU that cannot tell user from kernel refuses to be asked.
		attr.Flags &^= perfring.FlagExcludeKernel | perfring.FlagExcludeHV
		counter, err = perfring.Open(&attr, pid, cpu, nil)
	}
	if err != nil {
		return err
	}
	return counter.Close()
}

// describeSource names the domains of a usable source.
func describeSource(info rapl.Info) string {
	text := "measured"
	if !info.Measured {
		text = "ESTIMATED"
	}
	for i, d := range info.Domains {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		text += fmt.Sprintf("%s%s CPUs %s", sep, d, pmu.FormatCPUList(d.CPUs))
	}
	return text
}
