package perfring

// RegsMask names the registers that a stack is unwound from, for Attr.RegsUser: x0 to x30, sp and pc (enum
// perf_event_arm_regs in arch/arm64/include/uapi/asm/perf_regs.h).
const RegsMask uint64 = 1<<33 - 1
