package perfdata

import (
	"fmt"

	"github.com/energyprof/energyprof/perfring"
)

// Result is what Read found.
type Result struct {
	First, Last int64 // times of the first and the last sample in ns; 0 without samples
	Samples     []uint64
	// Foreign counts samples of events that the file does not describe.
	Foreign uint64
	Books   perfring.Books
	// Events are the books of File.Events, in their order. The section of our own has them as
	// the recording did. Else they are made from the records, which do not tell what the kernel
	// counted (HasCount is false); how many an event lost only those of perf tell that asks the
	// kernel for it, from 6.1 on, and only at the end of a file that is whole.
	Events []perfring.EventBooks
	// Late counts records that were delivered after younger ones: the file
	// says too late that they exist.
	Late uint64
	// AuxRecords counts records of hardware trace that arrived, and Aux is how
	// many bytes of it were skipped.
	AuxRecords, Aux uint64
	// EnergyReadings counts the values of energy events in samples, and
	// EnergyBack those among them that were left out since they are smaller than one before.
	EnergyReadings, EnergyBack uint64
	// Truncated is the place, in bytes from the start of the file, from which on
	// nothing could be read, -1 if the file was read to its end; Reason says why.
	Truncated int64
	Reason    error
	// Notes are sentences on what was skipped or is not as it should be.
	Notes []string
}

// notes keeps sentences for a reader, each once and not too many.
type notes struct {
	list []string
	more int
}

const maxNotes = 50

func (n *notes) add(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, have := range n.list {
		if have == text {
			return
		}
	}
	if len(n.list) >= maxNotes {
		n.more++
		return
	}
	n.list = append(n.list, text)
}

func (n *notes) all() []string {
	if n.more == 0 {
		return n.list
	}
	return append(n.list[:len(n.list):len(n.list)], fmt.Sprintf("and %d more of this kind", n.more))
}
