package unwind

// goRows calls put for each run of addresses from start to below limit for which the function table of a Go program has
// a rule, in order of address. It is false if the binary has no such table.
func (m *Module) goRows(start, limit uint64, put func(start, limit uint64, r Rule)) bool {
	return false
}
