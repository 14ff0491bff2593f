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
)
