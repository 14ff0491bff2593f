package pebs

// Choose finds the events that sample accesses to memory here and tries them on the kernel:
// mem-loads and mem-stores of each kind of core, or AMD's IBS op, at the highest precise
// level that opens. Where none does, the error is a *NoneError; another error is of options
// that make no sense or of a sysfs that cannot be read.
func (m Machine) Choose(opt Options) (Choice, error) {
	return Choice{}, &NoneError{}
}

// Try tries an event that is written by hand, in perf's syntax: a raw one
// (cpu/event=0xd3,umask=0x1/pp), page-faults, a breakpoint (mem:0x1000/8:w), ibs_fetch//. It is
// tried at the precise level that is written; the modifier P is for the highest that opens. A name
// that stands for several PMUs gives one sampler for each. Where the kernel refuses it, the error
// is a Reason.
func (m Machine) Try(spec string, opt Options) ([]Sampler, error) {
	return nil, Reason{PMU: spec}
}
