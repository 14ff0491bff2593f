package unwind

import (
	"bytes"
	"encoding/binary"
)

// Code that every program and library for amd64 has from the C library and the compiler, without tables: each process runs it when it
// begins and when it ends, and where all processes are short that is where many samples are.

// atEntry is the rule of a function of amd64 that has pushed nothing, pushed8 and pushedRBP those of one that has pushed a word.
var (
	atEntry   = Rule{CFA: CFARegister, CFAReg: amd64RSP, CFAOffset: 8, RA: AtCFA, RAOffset: -8}
	pushed8   = Rule{CFA: CFARegister, CFAReg: amd64RSP, CFAOffset: 16, RA: AtCFA, RAOffset: -8}
	pushedRBP = Rule{CFA: CFARegister, CFAReg: amd64RSP, CFAOffset: 16, RA: AtCFA, RAOffset: -8, FP: AtCFA, FPOffset: -16}
)

// madeUp tells of returns to where no call was, from lo to below hi. Whoever makes a stack puts there the address of what is to run when its
// first function returns: __start_context for libc's makecontext. That is a function's first address, and before it lies none: its frame
// is the outermost.
func (m *Module) madeUp(rows spans, lo, hi uint64) (out spans) {
	at := lo
	for _, s := range rows {
		if s.start > at && s.start <= hi && s.start%maxBridge == 0 {
			out = append(out, span{s.start - 1, s.start, m.number(Rule{CFA: CFAEnd})})
		}
		at = max(at, s.limit)
	}
	return out
}

// endbr64 begins functions that are called through pointers.
const endbr64 = "\xf3\x0f\x1e\xfa"

// startSection tells of .init or .fini, if it is between lo and hi, whose beginning and end are of the C library's crti.o and crtn.o: sub rsp, 8 (or push rax); what is called;
// add rsp, 8 (or pop); ret.
func startSection(s Section, lo, hi uint64, fill func(start, limit uint64, r Rule)) {
	if s.Data == nil || s.Size > maxStart || s.Addr >= hi || s.Addr+s.Size <= lo {
		return
	}
	w := s.open(maxChunkWork)
	defer w.close()
	b := w.bytes(0, s.Size)
	begin, end := 0, len(b)-1
	if bytes.HasPrefix(b, []byte(endbr64)) {
		begin = len(endbr64)
	}
	switch {
	case bytes.HasPrefix(b[begin:], []byte("\x48\x83\xec\x08")) && bytes.HasSuffix(b[begin+4:], []byte("\x48\x83\xc4\x08\xc3")):
		begin += 4
	case bytes.HasPrefix(b[begin:], []byte("\x50")) && (bytes.HasSuffix(b[begin+1:], []byte("\x58\xc3")) || bytes.HasSuffix(b[begin+1:], []byte("\x59\xc3"))):
		begin++
	default:
		return
	}
	fill(s.Addr, s.Addr+uint64(begin), atEntry)
	fill(s.Addr+uint64(begin), s.Addr+uint64(end), pushed8)
	fill(s.Addr+uint64(end), s.Addr+s.Size, atEntry)
}

// The compiler's crtbegin.o is deregister_tm_clones, register_tm_clones, __do_global_dtors_aux and frame_dummy, each at a multiple of
// 16 bytes. The third, which calls libc's __cxa_finalize when the process ends, is
//
//	(endbr64) cmp byte [rip+completed], 0; jne out; push rbp; ...; mov byte [rip+completed], 1; pop rbp; ret; out: ret
//
// and the others push nothing.
const (
	crtLeaves  = 0x70 // bytes of the first two
	crtLongest = 0x80 // and more than the third has
)

// crtbegin finds the compiler's code in what lies between start and limit.
func (m *Module) crtbegin(start, limit uint64, fill func(start, limit uint64, r Rule)) {
	code := m.image.Code
	if code.Data == nil || code.Addr+code.Size < code.Addr {
		return
	}
	start, limit = max(start, code.Addr), min(limit, code.Addr+code.Size)
	if start >= limit {
		return
	}
	w := code.open(maxChunkWork)
	defer w.close()
	b := w.bytes(start-code.Addr, limit-start)
	m.fault(w.err)
	for at := 0; ; at++ {
		i := bytes.Index(b[at:], []byte("\x80\x3d")) // cmp byte [rip+x], n
		if i < 0 {
			return
		}
		at += i
		f, ok := destructors(b, at)
		if !ok {
			continue
		}
		here := func(at int) uint64 { return start + uint64(at) }
		if before := f.begin - crtLeaves; before >= 0 && !bytes.Contains(b[before:f.begin], []byte("\x55\x48")) {
			fill(here(before), here(f.begin), atEntry)
		}
		fill(here(f.begin), here(f.pushed), atEntry)
		fill(here(f.pushed), here(f.popped), pushedRBP)
		fill(here(f.popped), here(f.end), atEntry)
		return
	}
}

// destructor is where in some code __do_global_dtors_aux begins, has pushed rbp and popped it, and frame_dummy behind it ends.
type destructor struct{ begin, pushed, popped, end int }

// destructors tells whether the comparison at an offset is that of __do_global_dtors_aux.
func destructors(b []byte, at int) (f destructor, ok bool) {
	const compare = 7 // bytes; then jne, 2, and push rbp
	if len(b) < at+compare+3 || b[at+6] != 0 || b[at+7] != 0x75 || b[at+9] != 0x55 {
		return f, false
	}
	completed := at + compare + int(int32(binary.LittleEndian.Uint32(b[at+2:])))
	f.begin, f.pushed = at, at+compare+3
	if bytes.HasSuffix(b[:at], []byte(endbr64)) {
		f.begin -= len(endbr64)
	}
	tail := b[f.pushed:min(len(b), f.pushed+crtLongest)]
	for i := 0; i+9 <= len(tail); i++ { // mov byte [rip+x], 1 (7 bytes); pop rbp; ret
		if t := tail[i:]; t[0] == 0xc6 && t[1] == 0x05 && t[6] == 1 && t[7] == 0x5d && t[8] == 0xc3 &&
			f.pushed+i+7+int(int32(binary.LittleEndian.Uint32(t[2:]))) == completed {
			f.popped = f.pushed + i + 8
			out := at + compare + 2 + int(int8(b[at+8]))
			if out < f.popped || out >= len(b) || b[out] != 0xc3 {
				return f, false
			}
			f.end = out + 1
			next := (f.begin + (f.end-f.begin+15)&^15)
			if dummy := bytes.TrimPrefix(b[min(next, len(b)):], []byte(endbr64)); len(dummy) >= 5 && (dummy[0] == 0xe9 || dummy[0] == 0xeb) {
				f.end = len(b) - len(dummy) + 5 // jmp register_tm_clones
			}
			return f, true
		}
	}
	return f, false
}
