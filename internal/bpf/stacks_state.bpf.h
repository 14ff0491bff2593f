// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// What stacks.bpf.c begins with, keeps while it walks, and writes.

// The registers of struct bpf_perf_event_data, which are also the first ones of the kernel's own struct pt_regs, and
// where the three that are followed are by DWARF number.
#if defined(__TARGET_ARCH_x86)
struct registers {
	u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
#define SP 7
#define FP 6
#define X 3
#define SIGNED 0
#define RED_ZONE 128 // bytes in use below the stack pointer, where assembler keeps it while it makes room: OpenSSL's SHA for AVX2
#define ALL 0xffff
#define user_mode(r) (((r)->cs & 3) == 3)
#define narrow(r) (((r)->cs & 0xff) == 0x23) // __USER32_CS
#define instruction(r) ((r)->ip)
#elif defined(__TARGET_ARCH_arm64)
struct registers {
	u64 x[31], sp, pc, pstate;
};
#define SP 31
#define FP 29
#define X 30
#define SIGNED 1 // return addresses may be, and are in X until they are saved
#define RED_ZONE 0
#define ALL 0xffffffff
#define user_mode(r) (((r)->pstate & 0xf) == 0) // PSR_MODE_EL0t
#define narrow(r) (((r)->pstate & 0x10) != 0) // PSR_MODE32_BIT
#define instruction(r) ((r)->pc)
#endif

// SPREAD puts registers where their DWARF numbers are. It is no function so that the compiler does not make one piece of two uses, as one of
// them is of the context, which the verifier takes for another kind of memory.
#if defined(__TARGET_ARCH_x86)
#define SPREAD(to, from)             \
	do {                         \
		(to)[0] = (from)->ax; \
		(to)[1] = (from)->dx; \
		(to)[2] = (from)->cx; \
		(to)[3] = (from)->bx; \
		(to)[4] = (from)->si; \
		(to)[5] = (from)->di; \
		(to)[6] = (from)->bp; \
		(to)[7] = (from)->sp; \
		(to)[8] = (from)->r8; \
		(to)[9] = (from)->r9; \
		(to)[10] = (from)->r10; \
		(to)[11] = (from)->r11; \
		(to)[12] = (from)->r12; \
		(to)[13] = (from)->r13; \
		(to)[14] = (from)->r14; \
		(to)[15] = (from)->r15; \
	} while (0)
#else
#define SPREAD(to, from)                                               \
	do {                                                           \
		_Pragma("unroll") for (int i = 0; i < 31; i++)(to)[i] = (from)->x[i]; \
		(to)[31] = (from)->sp;                                 \
	} while (0)
#endif

// What is written for a sample: the header, so many frames, and if the walk is stuck the registers and the copy.
struct walked {
	u64 ip, mm;
	u32 tgid, exec, pid, tid;
	u16 frames;
	u8 outcome;
	u8 stuck; // 0, or why
	u32 module; // STUCK_CHUNK: of which the chunk is not there
	u64 number;
	u64 pc, base; // from here on: if it is stuck
	u32 known; // registers, by DWARF number
	u32 first;
	u64 copied; // bytes of the stack
};

enum { STUCK_SPACE = 1, STUCK_MAPPING, STUCK_CHUNK };

#define MAX_FRAMES 1024
#define MAX_COPY 24576
#define PAGE 4096

// Keeps the compiler from bounding a value by what it knows and the verifier does not.
#define BOUNDED(value) __asm__ volatile("" : "+r"(value))

// The state of a walk: that of the frame that has been reached.
struct walk {
	u64 pc, sp, fp, x;
	u64 list; // of mappings
	u32 serial; // the list's
	u64 cfa;  // of the frame: the caller's stack pointer
	u64 value; // what restore has found
	u64 number;
	u64 mask; // of addresses of code: without the signatures of arm64, which begin where the process's addresses end
	u32 module;
	u32 known; // of SP, FP and X
	u32 first; // pc is no return address
	u32 inner; // it is the innermost frame, of which all registers are known
	u32 frames, outcome, stuck;
	u32 at; // of the copy: the next byte of data
	u64 from;
	u64 left;
	u64 window; // the address of what is held in the scratch's window
	u64 held;   // bytes
};

// Nearly all frames have rules that fit into a word (struct found): PLAIN, the CFA's distance from one register, and how far below the CFA return
// address and registers are, in words. Slots that are not there: SAME_SLOT, LOST_SLOT.
#define PLAIN (1U << 31)
#define OF_FP (1U << 30) // the CFA's register is FP; else SP
#define POINTER (1U << 29)
#define CFA_WORDS(p) ((p) & 0xfff)
#if SIGNED
#define SLOTS 0xfff
#define FP_SLOT(p) ((p) >> 12 & SLOTS)
#define RA_SLOT(p) (FP_SLOT(p) - 1)
#define DEEPEST(p) FP_SLOT(p)
#define PLAIN_POINTER (PLAIN | OF_FP | POINTER | 2 | 2 << 12) // CFA_FRAME_POINTER
#else
#define SLOTS 31
#define FP_SLOT(p) ((p) >> 12 & SLOTS)
#define X_SLOT(p) ((p) >> 17 & SLOTS)
#define RA_SLOT(p) 1
#define DEEPEST(p) ((p) >> 22 & SLOTS)
#define PLAIN_POINTER (PLAIN | OF_FP | POINTER | 2 | 2 << 12 | LOST_SLOT << 17 | 2 << 22) // CFA_FRAME_POINTER
#endif
#define SAME_SLOT 0
#define LOST_SLOT SLOTS

// So much of the stack is read at once, as to read a word takes nearly as long. A power of two.
#define WINDOW 1024

// How many frames are gone through at a time: what is the same for all is looked up once.
#define STEPS 4

// What a CPU needs while it walks. The state is here and not on the stack, where the verifier would follow all values that it can have.
// What is used most comes first, where an instruction's offset reaches.
struct scratch {
	struct walk walk;
	u8 window[WINDOW + 8]; // some of the stack
	struct registers user;
	u64 r[32]; // of the innermost frame, by DWARF number
	// Rules that have been found, by address: those of a list of mappings never change.
	struct found {
		u64 at;
		u32 serial, rule; // PLAIN, or the rule's number
	} found[1024];
	u64 period; // the number of the last one in which something was copied
	u64 copied; // bytes in it
	struct walked out;
	u8 data[8 * MAX_FRAMES + 8 * 32 + MAX_COPY + PAGE]; // follows out
};

struct {
	int (*type)[BPF_MAP_TYPE_ARRAY];
	int (*max_entries)[1]; // the loader knows how many CPUs there can be
	u32 *key;
	struct scratch *value;
} scratches SEC(".maps");

const volatile u32 max_frames = 127;
const volatile u32 max_copy = MAX_COPY;
