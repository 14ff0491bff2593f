package pebs_test

import (
	"errors"
	"fmt"

	"github.com/energyprof/energyprof/pebs"
)

// The events that sample loads and stores here or, where no PMU does, page faults with
// their addresses, which any machine has.
func ExampleMachine_Choose() {
	machine := pebs.Machine{}
	options := pebs.Options{UserOnly: true, Physical: true}
	choice, err := machine.Choose(options)
	if errors.Is(err, pebs.ErrNone) {
		choice.Samplers, err = machine.Try("page-faults", options)
	}
	if denied := (pebs.Reason{}); errors.As(err, &denied) {
		fmt.Println("found: true") // no perf events for this user
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	// A recording gives each its Spec, behind its AuxSpec, and the fields of its Format.
	fmt.Println("found:", len(choice.Samplers) > 0)
	// Output: found: true
}
