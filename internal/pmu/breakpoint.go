package pmu

import (
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What a breakpoint stops at, linux/hw_breakpoint.h; x/sys/unix lacks them.
const (
	BreakRead  = 1 // HW_BREAKPOINT_R
	BreakWrite = 2 // HW_BREAKPOINT_W
	BreakExec  = 4 // HW_BREAKPOINT_X
)

// parseBreakpoint reads what follows "mem:", ADDR[/LEN][:access][:modifiers].
// Access is any of r, w, x, by default rw. The default length is perf's: 4
// bytes, but for execution what the processor wants, the size of a long on
// amd64 and of an instruction on arm64.
func parseBreakpoint(spec string) (parsed, *EventError) {
	parts := strings.Split(spec, ":")
	address, length, hasLength := strings.Cut(parts[0], "/")
	ev := parsed{Event: Event{Type: unix.PERF_TYPE_BREAKPOINT}}
	ev.excludeGuest(nil)
	var ok bool
	if ev.Config1, ok = parseNumber(address); !ok {
		return parsed{}, refuse(address, nil, "an address is 0x and hex digits, or decimal")
	}
	parts = parts[1:]
	if len(parts) > 0 && parts[0] != "" && strings.Trim(parts[0], "rwx") == "" {
		var err *EventError
		if ev.BPType, err = parseAccess(parts[0]); err != nil {
			return parsed{}, err
		}
		parts = parts[1:]
	}
	if ev.BPType == 0 {
		ev.BPType = BreakRead | BreakWrite
	}
	switch {
	case hasLength:
		// HW_BREAKPOINT_LEN_1 to _8; which of them work is up to the processor.
		if ev.Config2, ok = parseNumber(length); !ok || ev.Config2 < 1 || ev.Config2 > 8 {
			return parsed{}, refuse(length, nil, "a length is 1 to 8 bytes")
		}
	case ev.BPType == BreakExec && runtime.GOARCH != "arm64":
		ev.Config2 = 8
	default:
		ev.Config2 = 4
	}
	switch len(parts) {
	case 0:
		return ev, nil
	case 1:
		ev.letters = parts[0]
		return ev, ev.modify(parts[0], false)
	}
	return parsed{}, refuse(":"+strings.Join(parts[1:], ":"), nil, "a breakpoint has at most an access (r, w, x) and modifiers")
}

func parseAccess(s string) (bpType uint32, err *EventError) {
	for _, letter := range s {
		bit := map[rune]uint32{'r': BreakRead, 'w': BreakWrite, 'x': BreakExec}[letter]
		if bpType&bit != 0 {
			return 0, refuse(s, nil, "%c is given twice", letter)
		}
		bpType |= bit
	}
	return bpType, nil
}

// parseNumber reads 0x and hex digits, or decimal ones. A leading zero means
// nothing: no octal.
func parseNumber(s string) (uint64, bool) {
	base := 10
	if digits, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		s, base = digits, 16
	}
	n, err := strconv.ParseUint(s, base, 64)
	return n, err == nil
}
