package session

// StackMethod is a way to user stacks, as the command line names it.
type StackMethod string

// The methods.
const (
	StacksBPF   StackMethod = "bpf"   // walked in the kernel, with tables
	StacksDWARF StackMethod = "dwarf" // copied, and walked with tables while the rings are drained
	StacksFP    StackMethod = "fp"    // the kernel's callchains, of frame pointers
)

// StackChoice is what ChooseStacks chose.
type StackChoice struct {
	Method StackMethod
	// Why says it in a sentence without an end: of a way that is not taken although it is better, why it is not.
	Why string
}

// ChooseStacks chooses how user stacks of what opt records are taken when nobody said how. noBPF is why a BPF program
// cannot walk them, nil if it can; then that is taken. Else a copy is, if a binary that will run lacks frame pointers
// by its own unwind information: the command, its interpreter and the libraries that it needs, what is mapped
// into the processes, or with all CPUs into any process. It cannot be told what is loaded later.
//
// A copy has to be chosen before an event is opened, for all samples; hence one library without frame pointers decides.
func ChooseStacks(opt *Options, noBPF error) StackChoice {
	if noBPF == nil {
		return StackChoice{Method: StacksBPF}
	}
	return StackChoice{Method: StacksDWARF, Why: noBPF.Error()}
}
