package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/pebs"
)

// memorySampling tells which events sample accesses to memory here, for a process of this
// user, and why other PMUs do not.
func memorySampling(machine pebs.Machine) ([]finding, error) {
	choice, err := machine.Choose(pebs.Options{})
	reasons := choice.Reasons
	if none := (*pebs.NoneError)(nil); errors.As(err, &none) {
		reasons = none.Reasons
	} else if err != nil {
		return nil, fmt.Errorf("memory samples: %w", err)
	}
	findings := []finding{}
	for _, s := range choice.Samplers {
		findings = append(findings, finding{Name: s.Spec, Usable: true, Detail: describeSampler(s)})
	}
	for _, r := range reasons {
		findings = append(findings, finding{Name: r.PMU, Reason: r.Why, Fix: advice(r)})
	}
	return findings, nil
}

// describeSampler says what an event samples, and what it does without.
func describeSampler(s pebs.Sampler) string {
	text := s.Kind.String()
	if s.Precise > 0 {
		text += fmt.Sprintf(", precise level %d", s.Precise)
	}
	if s.AuxSpec != "" {
		text += ", led by " + s.AuxSpec
	}
	if s.CPUs != nil {
		text += ", on CPUs " + pmu.FormatCPUList(s.CPUs)
	}
	var without []string
	for _, r := range s.Refused {
		without = append(without, r.String())
	}
	if len(without) > 0 {
		text += "; without " + strings.Join(without, "; ")
	}
	return text
}

// memory is a line of the doctor's on samples of loads and stores.
func (d *diagnosis) memory(machine pebs.Machine) {
	f := finding{Name: "sample loads and stores (mem)"}
	choice, err := machine.Choose(pebs.Options{})
	if none := (*pebs.NoneError)(nil); errors.As(err, &none) {
		// That none of them does is the verdict beside it.
		reasons := make([]string, len(none.Reasons))
		for i, r := range none.Reasons {
			reasons[i] = r.Error()
		}
		f.Reason, f.Fix = strings.Join(reasons, "; "), advice(err)
	} else if err != nil {
		f.Reason, f.Fix = reason(err), advice(err)
	}
	var events []string
	for _, s := range choice.Samplers {
		f.Usable = true
		events = append(events, s.Spec)
	}
	f.Detail = strings.Join(events, ", ")
	d.findings = append(d.findings, f)
}
