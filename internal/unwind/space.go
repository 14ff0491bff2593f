package unwind

// Mapping is one mapping of code in the address space of a process.
type Mapping struct {
	Start, Limit uint64
	// Bias is how much higher the code lies than in its file's own numbering.
	Bias uint64
	// Module has the tables of the file. It is nil for code without a file, such as that of a JIT compiler, which is
	// taken to keep frame pointers.
	Module *Module
	// Err says that there is a file that could not be read.
	Err bool
}

// Space is the code that is mapped in a process, as of one moment: another one is made when that changes.
type Space struct {
	mappings []Mapping
}

// NewSpace makes a space of the mappings, in any order. Where two overlap the later one of the list is taken to be the newer, which holds.
// The list is copied.
func NewSpace(ms []Mapping) *Space {
	return &Space{}
}

// find gives the mapping that an address is in, nil if there is none.
func (s *Space) find(addr uint64) *Mapping { return nil }
