package unwind

// returning lets the rule of a signal's frame hold for the byte behind it, where nothing else is known. The trampoline to which
// a handler returns ends in a system call, rt_sigreturn, and its table with that: while the kernel puts the interrupted
// registers back, those of the thread still have the address behind the call.
func (m *Module) returning(rows spans, hi uint64) spans {
	for i := range rows {
		next := hi
		if i+1 < len(rows) {
			next = rows[i+1].start
		}
		if r := &rows[i]; r.limit < next && m.rules.list[r.rule].Flags&FlagSignal != 0 {
			r.limit++
		}
	}
	return rows
}
