package unwind

// KeepsFramePointers says whether the code of a module keeps frame pointers, so that chains of them can be
// believed. It is told from the unwind information of a sample of its functions. An error says that there is none.
func KeepsFramePointers(m *Module) (bool, error) { return false, nil }
