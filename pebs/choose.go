package pebs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// Choose finds the events that sample accesses to memory here and tries them on the kernel:
// mem-loads and mem-stores of each kind of core, or AMD's IBS op, at the highest precise
// level that opens. Where none does, the error is a *NoneError; another error is of options
// that make no sense or of a machine whose CPUs cannot be told.
func (m Machine) Choose(opt Options) (Choice, error) { return m.choose(opt, ask) }

func (m Machine) choose(opt Options, open opener) (Choice, error) {
	if !opt.Loads && !opt.Stores {
		opt.Loads, opt.Stores = true, true
	}
	t, err := m.newTrial(opt, open)
	if err != nil {
		return Choice{}, err
	}
	pmus, unreadable := t.fs.PMUs()
	found, reasons, err := candidates(pmus, opt)
	if err != nil {
		return Choice{}, err
	}
	if unreadable != nil {
		reasons = append(reasons, Reason{PMU: "sysfs", Why: unreadable.Error(), Err: unreadable})
	}
	var choice Choice
	for _, c := range found {
		sampler, reason := t.settle(c)
		if reason != nil {
			choice.Reasons = append(choice.Reasons, *reason)
			continue
		}
		choice.Samplers = append(choice.Samplers, sampler)
	}
	choice.Reasons = append(choice.Reasons, reasons...)
	if len(choice.Samplers) == 0 {
		return Choice{}, &NoneError{Reasons: choice.Reasons}
	}
	return choice, nil
}

// The events that the kernel names for accesses to memory, in the events directory of a
// PMU of the cores (arch/x86/events/intel/core.c, arch/powerpc/perf/power9-pmu.c), and the
// field that bounds the latency of loads from below.
const (
	loadsAlias  = "mem-loads"
	storesAlias = "mem-stores"
	auxAlias    = "mem-loads-aux"
	latencyTerm = "ldlat"
)

// The PMUs of AMD's instruction-based sampling (arch/x86/events/amd/ibs.c).
const (
	ibsOp    = "ibs_op"
	ibsFetch = "ibs_fetch"
)

// candidate is an event to try.
type candidate struct {
	pmu  pmu.PMU // without a name where the event names none
	name string  // what a Reason calls it
	kind Kind
	// spec writes the event with a precise level. excluding says that samples in the
	// kernel or in user space are to be left out, which IBS has to be told in a field.
	spec    func(level uint8, excluding bool) string
	aux     string  // the event that leads its group; "" without
	levels  []uint8 // precise levels in the order in which they are tried
	lacking []Refusal

	wholeCPUs bool // the kernel takes it, but for all that runs on a CPU
}

// candidates are the events of pmus that sample what opt wants, and why other PMUs do not.
// IBS samples instructions of every kind; a processor that has it has no mem-loads.
func candidates(pmus []pmu.PMU, opt Options) (found []candidate, reasons []Reason, err error) {
	cores, anArm, spe := 0, false, false
	for _, p := range pmus {
		switch {
		case p.Name == ibsOp:
			return []candidate{ibsCandidate(p, opt)}, nil, nil
		case p.Core:
			cores++
			anArm = anArm || strings.HasPrefix(p.Name, "arm")
			added, missing, err := coreCandidates(p, opt)
			if err != nil {
				return nil, nil, err
			}
			found = append(found, added...)
			if len(missing) > 0 {
				reasons = append(reasons, Reason{PMU: p.Name, Why: fmt.Sprintf("the kernel names no %s of it, as it does where the processor has precise samples of them", strings.Join(missing, " and no "))})
			}
		case strings.HasPrefix(p.Name, armSPE):
			spe = true
			reasons = append(reasons, Reason{PMU: p.Name, Why: ErrTrace.Error(), Err: ErrTrace})
		}
	}
	switch {
	case cores == 0:
		reasons = append(reasons, Reason{PMU: "cpu", Why: "there is no PMU of the cores; virtual machines often have none"})
	case anArm && !spe:
		reasons = append(reasons, Reason{PMU: armSPE + "0", Why: "no such PMU; the processor has no statistical profiling, or its driver (arm_spe_pmu) is not loaded"})
	}
	if len(found) == 0 && !anArm {
		reasons = append(reasons, Reason{PMU: ibsOp, Why: "no such PMU; AMD's processors have it"})
	}
	return found, reasons, nil
}

// coreCandidates are the loads and stores of a PMU of the cores, and the names of those
// that it has not.
func coreCandidates(p pmu.PMU, opt Options) (found []candidate, missing []string, err error) {
	add := func(alias string, kind Kind, terms, aux string) {
		found = append(found, candidate{
			pmu: p, name: p.Name + "/" + alias + "/", kind: kind, aux: aux,
			spec: func(level uint8, _ bool) string {
				return p.Name + "/" + alias + terms + "/" + strings.Repeat("p", int(level))
			},
			// Imprecise samples have no address.
			levels: []uint8{3, 2, 1},
		})
	}
	if opt.Loads && !hasEvent(p, loadsAlias) {
		missing = append(missing, loadsAlias)
	} else if opt.Loads {
		terms, aux := "", ""
		if field, ok := p.Format[latencyTerm]; ok {
			latency := opt.Latency
			if latency == 0 {
				latency = DefaultLatency
			}
			if max := field.Max(); uint64(latency) > max {
				return nil, nil, fmt.Errorf("a latency of %d cycles is out of the range of %s, whose %s is at most %d", latency, p.Name, latencyTerm, max)
			}
			terms = "," + latencyTerm + "=" + strconv.FormatUint(uint64(latency), 10)
		}
		if hasEvent(p, auxAlias) {
			aux = p.Name + "/" + auxAlias + "/"
		}
		add(loadsAlias, Loads, terms, aux)
		if last := &found[len(found)-1]; terms == "" && opt.Latency > 0 {
			last.lacking = append(last.lacking, Refusal{What: latencyTerm, Why: "the PMU has no such field: loads of any latency are sampled"})
		}
	}
	if opt.Stores && !hasEvent(p, storesAlias) {
		missing = append(missing, storesAlias)
	} else if opt.Stores {
		add(storesAlias, Stores, "", "")
	}
	return found, missing, nil
}

// The least and the greatest latency that IBS filters by (perf_ibs_init).
const ibsLatencyMin, ibsLatencyMax = 128, 2048

// ibsCandidate is AMD's sampling of operations. It counts what was dispatched where the
// processor can, not cycles: then each instruction is as likely to be sampled as the next, and
// loads times period are loads (cnt_ctl, PPR of family 19h, IBS_OP_CTL). The modifiers for
// precise levels are for events of the cores, which the kernel hands to IBS.
func ibsCandidate(p pmu.PMU, opt Options) candidate {
	c := candidate{pmu: p, name: p.Name + "//", kind: Accesses, levels: []uint8{0}}
	var terms []string
	if _, ok := p.Format["cnt_ctl"]; ok {
		terms = append(terms, "cnt_ctl=1")
	}
	if opt.Latency > 0 {
		_, filters := p.Format[latencyTerm]
		why := ""
		switch {
		case !filters:
			why = "this processor's IBS has no such filter: accesses of any latency are sampled"
		case opt.Stores:
			why = "IBS with this filter samples no stores: accesses of any latency are sampled"
		case opt.Latency < ibsLatencyMin || opt.Latency > ibsLatencyMax:
			why = fmt.Sprintf("IBS filters by %d to %d cycles: accesses of any latency are sampled", ibsLatencyMin, ibsLatencyMax)
		default:
			c.kind = Loads
			terms = append(terms, latencyTerm+"="+strconv.FormatUint(uint64(opt.Latency), 10))
		}
		if why != "" {
			c.lacking = append(c.lacking, Refusal{What: latencyTerm, Why: why})
		}
	}
	_, excludes := p.Format[ibsExcludes]
	c.spec = func(_ uint8, excluding bool) string {
		all := terms
		if excluding && excludes {
			all = append(all[:len(all):len(all)], ibsExcludes+"=1")
		}
		return p.Name + "/" + strings.Join(all, ",") + "/"
	}
	return c
}

// ibsExcludes is the field by which the kernel passes over samples of what is excluded, as IBS itself
// cannot (Linux 6.14).
const ibsExcludes = "swfilt"

// armSPE begins the name of Arm's statistical profiling (drivers/perf/arm_spe_pmu.c), which writes
// what it sampled into a ring of its own (AUX).
const armSPE = "arm_spe_"

func hasEvent(p pmu.PMU, name string) bool {
	return slices.ContainsFunc(p.Events, func(a pmu.Alias) bool { return a.Name == name })
}

// base is the fields without which a sample of the kind is worth nothing.
func (k Kind) base() perfring.SampleFormat {
	switch {
	case k.Sampled():
		return perfring.SampleAddr | perfring.SampleDataSrc
	case k == Fetches:
		return 0
	}
	return perfring.SampleAddr
}
