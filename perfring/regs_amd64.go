package perfring

// RegsMask names the registers that a stack is unwound from, for Attr.RegsUser: all but the data segments, which
// 64-bit code has none of (enum perf_event_x86_regs in arch/x86/include/uapi/asm/perf_regs.h).
const RegsMask uint64 = 0xff0fff
