package unwind

import "encoding/binary"

// What is known of code that no table covers.

// maxBridge is the alignment of functions: no function fits into less between two others.
const maxBridge = 16

// bridge lets what holds before a gap hold in it where a function goes on behind it: it starts where no function does, at an
// address that is not aligned. libc's clone is so: its table leaves out the system call, in which most of its time is
// spent.
func (s spans) bridge() spans {
	for i := 1; i < len(s); i++ {
		before, after := &s[i-1], s[i]
		if after.start-before.limit < maxBridge && after.start%maxBridge != 0 {
			before.limit = after.start
		}
	}
	return s
}

// stubs fills gaps between rows with the code whose form is known: procedure linkage tables and signal trampolines.
func (m *Module) stubs(rows spans, lo, hi uint64) spans {
	fill := func(start, limit uint64, r Rule) { rows = rows.over(m.within(start, limit, lo, hi, r)) }
	m.image.linkage(fill)
	if at, ok := m.image.trampoline(); ok {
		// A signal handler returns to the trampoline's start: what called is looked up in the instruction before.
		fill(at-4, at+8, arm64Signal)
	}
	return rows
}

// within is a rule for what of a range is from lo to below hi.
func (m *Module) within(start, limit, lo, hi uint64, r Rule) spans {
	if start, limit = max(start, lo), min(limit, hi); start < limit {
		return spans{{start, limit, m.number(r)}}
	}
	return nil
}

// known fills gaps between rows as stubs does, and with the program's start, what the compiler adds to it, and what was generated. Rows are
// also those of maxStart bytes before lo and of maxBridge behind hi.
func (m *Module) known(rows spans, lo, hi uint64) spans {
	starts := m.madeUp(rows, lo, hi)
	rows = m.stubs(rows, lo, hi)
	if entry := m.image.Entry; entry != 0 && entry < hi && m.image.isCode(entry) {
		limit := entry + maxStart
		for _, s := range rows {
			if s.limit > entry {
				limit = min(limit, max(s.start, entry))
				break
			}
		}
		rows = rows.over(m.within(entry, limit, lo, hi, Rule{CFA: CFAEnd}))
	}
	if m.image.Arch == AMD64 {
		fill := func(start, limit uint64, r Rule) { rows = rows.over(m.within(start, limit, lo, hi, r)) }
		startSection(m.image.Init, lo, hi, fill)
		startSection(m.image.Fini, lo, hi, fill)
		if !rows.cover(lo, hi) {
			m.crtbegin(lo-min(lo, maxStart), hi+maxStart, fill)
		}
	}
	return m.generated(m.returning(rows, hi), lo, hi).over(starts)
}

// maxStart is the bytes of the code at an entry point without a table; the dynamic linker's has 64.
const maxStart = 256

// linkage tells of procedure linkage tables. Lazily bound ones start with the code that calls the dynamic linker.
func (img *Image) linkage(fill func(start, limit uint64, r Rule)) {
	plt, called := img.PLT, atEntry
	if img.Arch == AMD64 {
		// push GOT+8 (6 bytes); jmp; then for each function 16 bytes: jmp (6 bytes); push (5 bytes); jmp to the start.
		first, second, each := called, called, called
		first.CFAOffset, second.CFAOffset = 16, 24
		each.CFA, each.CFAAdd = CFAPLT, 11
		fill(plt.Start, min(plt.Start+6, plt.Limit), first)
		fill(plt.Start+6, min(plt.Start+16, plt.Limit), second)
		fill(plt.Start+16, plt.Limit, each)
	} else {
		// stp x16, x30, [sp, #-16]!, 7 more instructions; then code that changes neither stack nor link register.
		called = Rule{CFA: CFARegister, CFAReg: arm64SP}
		pushed := Rule{CFA: CFARegister, CFAReg: arm64SP, CFAOffset: 16, RA: AtCFA, RAOffset: -8, X: AtCFA, XOffset: -8}
		fill(plt.Start, min(plt.Start+4, plt.Limit), called)
		fill(plt.Start+4, min(plt.Start+32, plt.Limit), pushed)
		fill(plt.Start+32, plt.Limit, called)
	}
	for _, s := range img.Stubs {
		fill(s.Start, s.Limit, called)
	}
}

// arm64Return is mov x8, #139 (rt_sigreturn); svc #0, which debuggers look for, too (arch/arm64/kernel/vdso/sigreturn.S).
const arm64Return = 0xd4000001_d2801168

// maxVDSO is far above the size of a vdso's code.
const maxVDSO = 1 << 16

// trampoline finds the code to which signal handlers return on arm64.
func (img *Image) trampoline() (addr uint64, ok bool) {
	s := img.Trampoline
	if s.Data == nil || img.Arch != ARM64 || s.Size > maxVDSO {
		return 0, false
	}
	w := s.open(maxVDSO)
	defer w.close()
	b := w.bytes(0, s.Size)
	for i := 0; i+8 <= len(b); i += 4 {
		if binary.LittleEndian.Uint64(b[i:]) == arm64Return {
			return s.Addr + uint64(i), true
		}
	}
	return 0, false
}
