package unwind

// Outcome is how a walk ended.
type Outcome uint8

const (
	Complete      Outcome = iota // at an entry point
	Truncated                    // the copy of the stack ended
	Deep                         // there were more frames than were asked for
	NoMapping                    // an address in no mapping of code
	NoBinary                     // the file that is mapped could not be read
	NoInformation                // the binary has no unwind information for an address
	Unsupported                  // an expression that is not understood
	Unreadable                   // memory that is not there
	BadFrame                     // a frame that is not above the one that it called
	NoStack                      // no stack came with the sample
	OtherWidth                   // a 32-bit program
	outcomes
)

var outcomeNames = [outcomes]string{
	Complete:      "complete",
	Truncated:     "the copy of the stack is too short",
	Deep:          "too many frames",
	NoMapping:     "address in no mapping",
	NoBinary:      "binary not readable",
	NoInformation: "no unwind information",
	Unsupported:   "unsupported unwind expression",
	Unreadable:    "stack not readable",
	BadFrame:      "bad frame",
	NoStack:       "no stack in the sample",
	OtherWidth:    "32-bit program",
}

// String says in a few words how the walk ended: the reason in [unwind failed: REASON].
func (o Outcome) String() string {
	if o < outcomes {
		return outcomeNames[o]
	}
	return "unknown outcome"
}

// Failed is false for chains that are complete, and for those that were cut: Truncated and Deep.
func (o Outcome) Failed() bool { return o > Deep }

// outcomeBase is no canonical address of amd64, and none of arm64, whose user addresses have 52 bits at most. It is
// also none of the context markers of perf_event.h, which are above -4096.
const outcomeBase = 0x7ff0_0000_0000_0000

// Address is what stands in a chain of addresses, as the outermost one, for how its walk ended.
func (o Outcome) Address() uint64 { return outcomeBase | uint64(o) }

// OutcomeOf says whether an address of a chain is not one but how the walk ended.
func OutcomeOf(addr uint64) (Outcome, bool) {
	if addr >= outcomeBase && addr < outcomeBase+uint64(outcomes) {
		return Outcome(addr - outcomeBase), true
	}
	return 0, false
}
