//go:build ignore

// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// Walks the user stack of each sample, by the rules of internal/unwind, of which it is the same walk as Walker.Resume: what is
// changed here is changed there. Compiled by `make bpf`; stacks.go says how the tables are kept.
//
// It is called in the sample's interrupt, which may be an NMI, and never twice at a time on a CPU. What cannot be
// found in the tables is not a failure: the registers that were reached and a copy of the stack are handed out, and who
// reads them finishes the walk.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

#define SEC(name) __attribute__((section(name), used))
#define KERNEL __attribute__((preserve_access_index))
#define inline inline __attribute__((always_inline))
// Verified by itself, once, whoever calls it: the paths of its loops do not multiply with those of others.
#define APART __attribute__((noinline))

char licence[] SEC("license") = "GPL";

// Helpers, by their numbers in include/uapi/linux/bpf.h.
static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static u64 (*const ktime_get_ns)(void) = (void *)5;
static u32 (*const smp_processor_id)(void) = (void *)8;
static u64 (*const current_pid_tgid)(void) = (void *)14;
static long (*const perf_event_output)(void *ctx, void *map, u64 flags, const void *data, u64 size) = (void *)25;
static u64 (*const current_task)(void) = (void *)35;
static long (*const probe_read_user)(void *to, u32 size, const void *from) = (void *)112;
static long (*const probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static struct task_struct *(*const current_task_btf)(void) = (void *)158;
static void *(*const task_pt_regs)(struct task_struct *task) = (void *)175;
static long (*const loop)(u32 times, void *step, void *ctx, u64 flags) = (void *)181;

#define BPF_MAP_TYPE_ARRAY 2
#define BPF_MAP_TYPE_PERF_EVENT_ARRAY 4
#define BPF_F_MMAPABLE (1 << 10)
#define BPF_F_CURRENT_CPU 0xffffffffULL
#define BPF_TYPE_SIZE 1 // of __builtin_preserve_type_info

// What is used of the kernel's own types (include/linux/sched.h, pid.h).
struct upid {
	int nr;
	void *ns;
} KERNEL;

struct pid {
	u32 level;
	struct upid numbers[1];
} KERNEL;

struct task_struct {
	u32 flags;
	u64 self_exec_id;
	void *mm;
	struct task_struct *group_leader;
	struct pid *thread_pid;
} KERNEL;

#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD 0x00200000

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
#define ALL 0xffffffff
#define user_mode(r) (((r)->pstate & 0xf) == 0) // PSR_MODE_EL0t
#define narrow(r) (((r)->pstate & 0x10) != 0) // PSR_MODE32_BIT
#define instruction(r) ((r)->pc)
#endif

// unwind.Rule and its constants.
enum { CFA_NONE, CFA_END, CFA_REGISTER, CFA_DEREF, CFA_PLT, CFA_FRAME_POINTER, CFA_UNSUPPORTED };
enum { SAME, AT_CFA, AT_SP, AT_FP, IN_REGISTER, LOST };
#define FLAG_SIGNAL 1
#define FLAG_SWITCH 2

struct rule {
	u8 cfa, cfa_reg, ra, fp, x, flags, unused[2];
	int cfa_offset, cfa_add, ra_offset, fp_offset, x_offset;
};

#define RULE_FRAME_POINTER 2

// unwind.Outcome.
enum { COMPLETE, TRUNCATED, DEEP, NO_MAPPING, NO_BINARY, NO_INFORMATION, UNSUPPORTED, UNREADABLE, BAD_FRAME, NO_STACK, OTHER_WIDTH };

// All tables are written by the loader through memory that it shares, in such an order that whatever is found is whole: see
// stacks.go. Sizes are powers of two.
#define RULES 65536
#define BLOCK_SHIFT 18 // rows of a block, of which an array's element can be (4 MiB before Linux 6)
#define BLOCKS 4
#define CHUNKS 16384
#define SPACES 4096
#define MAPPINGS 32768
#define PROBES 16 // how many slots further than its own an entry may be

struct row {
	u16 at, rule;
};

struct block {
	struct row row[1 << BLOCK_SHIFT];
};

// Where a chunk's rows are. They do not cross the end of a block.
struct chunk {
	u64 key;   // 1 + (module << 32 | number), 0: nothing is here nor, if it was sought, further on
	u64 where; // number of the first row << 32 | how many; 0: not yet
};

struct space {
	u64 mm; // 0 as for chunks
	u32 tgid, exec;
	u64 list; // serial number << 32 | first << 16 | how many; 0: none
};

struct mapping {
	u64 start, limit, bias;
	u32 module, kind;
};

enum { TABLES, FRAME_POINTERS, NO_TABLES };

struct tables {
	struct rule rule[RULES];
	struct chunk chunk[CHUNKS];
	struct space space[SPACES];
	struct mapping mapping[MAPPINGS];
};

struct {
	int (*type)[BPF_MAP_TYPE_ARRAY];
	int (*map_flags)[BPF_F_MMAPABLE];
	int (*max_entries)[1];
	u32 *key;
	struct tables *value;
} tables SEC(".maps");

struct {
	int (*type)[BPF_MAP_TYPE_ARRAY];
	int (*map_flags)[BPF_F_MMAPABLE];
	int (*max_entries)[BLOCKS];
	u32 *key;
	struct block *value;
} rows SEC(".maps");

struct {
	int (*type)[BPF_MAP_TYPE_PERF_EVENT_ARRAY];
	int (*max_entries)[1]; // the loader knows how many CPUs there can be
	u32 *key;
	u32 *value;
} output SEC(".maps");

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
// What a CPU may copy in a period. It is a fraction of a ring, which would else be full of copies before anybody can read them where a process
// is new and each of its events is a sample. Without a copy a walk fails; a full ring loses samples.
#define COPY_PERIOD (10 * 1000 * 1000) // ns
#define COPY_BYTES (3 << 19)
#define PAGE 4096

// Keeps the compiler from bounding a value by what it knows and the verifier does not.
#define BOUNDED(value) __asm__ volatile("" : "+r"(value))

// The state of a walk: that of the frame that has been reached.
struct walk {
	u64 pc, sp, fp, x;
	u64 list; // of mappings
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
};

// What a CPU needs while it walks. The state is here and not on the stack, where the verifier would follow all values that it can have.
struct scratch {
	struct walked out;
	u8 data[8 * MAX_FRAMES + 8 * 32 + MAX_COPY + PAGE]; // follows out
	struct walk walk;
	u64 period; // the number of the last one in which something was copied
	u64 copied; // bytes in it
	struct registers user;
	u64 r[32]; // of the innermost frame, by DWARF number
	// Rules that have been found, by address: those of a list of mappings never change.
	struct found {
		u64 at;
		u32 serial, rule;
	} found[1024];
};

struct {
	int (*type)[BPF_MAP_TYPE_ARRAY];
	int (*max_entries)[1]; // the loader knows how many CPUs there can be
	u32 *key;
	struct scratch *value;
} scratches SEC(".maps");

const volatile u32 max_frames = 127;
const volatile u32 max_copy = MAX_COPY;

// The PID namespace of the reader, by which it numbers tasks; set by reader.
u32 level;
u64 namespace;

// find_mapping gives 1 + the number of the mapping that an address is in, 0 if there is none.
APART u32 find_mapping(u64 list, u64 at)
{
	u32 zero = 0, first = (u16)(list >> 16), n = (u16)list, half;
	struct tables *t = map_lookup(&tables, &zero);
	struct mapping *m;

	if (!t || n == 0)
		return 0;
	for (int i = 0; i < 17 && n > 1; i++) {
		half = n / 2;
		m = &t->mapping[(first + half) & (MAPPINGS - 1)];
		// Without a branch, which would double the verifier's paths.
		first += half & (u32)((s64)(m->start - at - 1) >> 63);
		n -= half;
	}
	first &= MAPPINGS - 1;
	m = &t->mapping[first];
	return at >= m->start && at < m->limit ? first + 1 : 0;
}

static inline u32 hash(u64 key)
{
	return key * 0x9e3779b97f4a7c15ULL >> 32;
}

// find_chunk gives the place of a chunk's rows, 0 if there is none.
APART u64 find_chunk(u64 key)
{
	u32 zero = 0, at = hash(key);
	struct tables *t = map_lookup(&tables, &zero);

	if (!t)
		return 0;
	for (int i = 0; i < PROBES; i++) {
		struct chunk *c = &t->chunk[(at + i) & (CHUNKS - 1)];
		u64 there = c->key;

		if (there == key)
			return c->where;
		if (there == 0)
			break;
	}
	return 0;
}

// find_row gives the rule that a chunk has for an offset.
APART u32 find_row(u64 where, u32 at)
{
	u32 first = where >> 32, n = where, block = first >> BLOCK_SHIFT, half;
	struct block *b = map_lookup(&rows, &block);
	struct row *r;

	if (!b)
		return 0;
	for (int i = 0; i < 18 && n > 1; i++) {
		half = n / 2;
		r = &b->row[(first + half) & ((1 << BLOCK_SHIFT) - 1)];
		first += half & (u32)((s64)((u64)r->at - (u64)(u16)at - 1) >> 63);
		n -= half;
	}
	return b->row[first & ((1 << BLOCK_SHIFT) - 1)].rule;
}

// find_list gives the list of mappings of a process, 0 if it is not known.
APART u64 find_list(u64 mm, u32 tgid, u32 exec)
{
	u32 zero = 0, at = hash(mm ^ (u64)tgid << 32 ^ exec);
	struct tables *t = map_lookup(&tables, &zero);

	if (!t)
		return 0;
	for (int i = 0; i < PROBES; i++) {
		struct space *s = &t->space[(at + i) & (SPACES - 1)];
		u64 there = s->mm;

		if (there == mm && s->tgid == tgid && s->exec == exec)
			return s->list;
		if (there == 0)
			break;
	}
	return 0;
}

#define BIT(register) (1U << (register))

static inline struct found *found_at(struct scratch *s, u64 at)
{
	return &s->found[(at ^ at >> 10) & 1023];
}

// find_rule gives the number of the rule for the address of the frame that has been reached, or less than 0 if there is none: the walk is
// stuck, or has ended.
APART int find_rule(u32 cpu)
{
	struct scratch *s = map_lookup(&scratches, &cpu);
	u32 zero = 0, serial, number, index = RULE_FRAME_POINTER;
	struct tables *t = map_lookup(&tables, &zero);
	struct mapping *m;
	struct found *f;
	u64 at, chunk, where = 0;

	if (!s || !t)
		return -1;
	serial = s->walk.list >> 32;
	at = s->walk.pc - !s->walk.first;
	number = find_mapping(s->walk.list, at);
	if (number == 0) {
		s->walk.stuck = STUCK_MAPPING;
		return -1;
	}
	m = &t->mapping[(number - 1) & (MAPPINGS - 1)];
	if (m->kind == NO_TABLES) {
		s->walk.outcome = NO_BINARY;
		return -1;
	}
	if (m->kind == TABLES) {
		chunk = (at - m->bias) >> 16;
		if (chunk >> 32 == 0)
			where = find_chunk(1 + ((u64)m->module << 32 | chunk));
		if (where == 0) {
			s->walk.stuck = STUCK_CHUNK;
			s->walk.module = m->module;
			s->walk.number = chunk;
			return -1;
		}
		index = find_row(where, (u16)(at - m->bias));
	}
	f = found_at(s, at);
	f->at = at;
	f->rule = index;
	f->serial = serial;
	return index & (RULES - 1);
}

#define READ_USER(to, from) probe_read_user(&(to), sizeof(to), (void *)(from))

// read_register puts into value what a register has in the frame that has been reached, by its DWARF number. It gives 0 if that
// is not known.
APART int read_register(u32 cpu, u32 number)
{
	struct scratch *s = map_lookup(&scratches, &cpu);

	if (!s)
		return 0;
	if (number == SP && s->walk.known & BIT(SP))
		s->walk.value = s->walk.sp;
	else if (number == FP && s->walk.known & BIT(FP))
		s->walk.value = s->walk.fp;
	else if (number == X && s->walk.known & BIT(X))
		s->walk.value = s->walk.x;
	else if (s->walk.inner && number < 32 && ALL >> number & 1)
		s->walk.value = s->r[number & 31];
	else
		return 0;
	return 1;
}

#define RETURN_ADDRESS 32 // with the number of the register that it may be in

// restore puts into value what a register has in the caller. It gives 0 if that is not known, less than 0 if it cannot be read.
APART int restore(u32 cpu, u32 how, int offset, u32 number)
{
	struct scratch *s = map_lookup(&scratches, &cpu);
	u64 base;

	if (!s)
		return 0;
	// A frame pointer that is not in this frame is back already, with what is saved by it: unwind's restored.
	if (how == AT_FP && !(number & RETURN_ADDRESS) && s->walk.known & BIT(FP) && (s->walk.fp < s->walk.sp || s->walk.fp >= s->walk.cfa) &&
	    s->walk.known & BIT(number & 31))
		how = SAME;
	number &= 31;
	switch (how) {
	case SAME:
		return read_register(cpu, number);
	case IN_REGISTER:
		return read_register(cpu, offset);
	case AT_CFA:
		base = s->walk.cfa;
		break;
	case AT_SP:
		if (!read_register(cpu, SP))
			return 0;
		base = s->walk.value;
		break;
	case AT_FP:
		if (!read_register(cpu, FP))
			return 0;
		base = s->walk.value;
		break;
	default:
		return 0;
	}
	return READ_USER(s->walk.value, base + (s64)offset) ? -1 : 1;
}

#define END(how)                  \
	do {                      \
		w->outcome = how; \
		return 1;         \
	} while (0)

// step appends a frame's address and goes on to its caller. It gives 1 at the end.
static long step(u64 i, u32 *ctx)
{
	u32 zero = 0, cpu = *ctx, known = BIT(SP), pointer;
	struct scratch *s = map_lookup(&scratches, &cpu);
	struct tables *t = map_lookup(&tables, &zero);
	u64 at, pair[2];
	struct walk *w;
	struct rule *r;
	struct found *f;
	int number, found;

	if (!s || !t)
		return 1;
	w = &s->walk;
	at = w->pc - !w->first;
	f = found_at(s, at);
	number = f->rule & (RULES - 1);
	if (f->at != at || f->serial != w->list >> 32)
		number = find_rule(cpu);
	if (w->frames >= max_frames && w->stuck != STUCK_MAPPING) {
		w->stuck = 0;
		END(DEEP);
	}
	if (w->stuck)
		return 1;
	r = &t->rule[number & (RULES - 1)];
	pointer = number >= 0 && r->cfa == CFA_FRAME_POINTER;
	if (number >= 0 && SIGNED && !(w->known & BIT(SP)) && (r->cfa == CFA_PLT || ((r->cfa == CFA_REGISTER || r->cfa == CFA_DEREF) && r->cfa_reg == SP)))
		pointer = 1; // as unwind's stepPointer has it
	if (pointer) {
		// A caller in no mapping that is known is a failure of this frame: unless there is such a mapping, which the reader finds out.
		at = w->fp;
		if (w->known & BIT(FP) && at && !(at & 7) && (at >= w->sp || r->flags & FLAG_SWITCH) && READ_USER(pair, at) == 0 &&
		    pair[1] & w->mask && !find_mapping(w->list, (pair[1] & w->mask) - 1)) {
			w->stuck = STUCK_MAPPING;
			return 1;
		}
	}
	((u64 *)s->data)[w->frames & (MAX_FRAMES - 1)] = w->pc;
	w->frames++;
	if (number < 0)
		return 1;
	if (pointer) {
		if (!(w->known & BIT(FP)))
			END(NO_INFORMATION);
		if (at == 0 && (!w->first || r->flags & FLAG_SWITCH))
			END(COMPLETE);
		if (at & 7 || (at < w->sp && !(r->flags & FLAG_SWITCH)))
			END(BAD_FRAME);
		if (READ_USER(pair, at))
			END(UNREADABLE);
		w->cfa = at + 16;
		w->known = (SIGNED ? 0 : BIT(SP)) | BIT(FP);
		w->first = 0;
		goto caller;
	}

	switch (r->cfa) {
	case CFA_NONE:
		END(NO_INFORMATION);
	case CFA_END:
		END(COMPLETE);
	case CFA_REGISTER:
	case CFA_DEREF:
		if (r->cfa_reg == SP && w->known & BIT(SP))
			at = w->sp;
		else if (r->cfa_reg == FP && w->known & BIT(FP))
			at = w->fp;
		else if (read_register(cpu, r->cfa_reg))
			at = w->value;
		else
			END(NO_INFORMATION);
		at += (s64)r->cfa_offset;
		if (r->cfa == CFA_DEREF) {
			if (READ_USER(w->cfa, at))
				END(UNREADABLE);
			at = w->cfa + (s64)r->cfa_add;
		}
		w->cfa = at;
		break;
	case CFA_PLT:
		if (!(w->known & BIT(SP)))
			END(NO_INFORMATION);
		w->cfa = w->sp + (s64)r->cfa_offset + ((w->pc & 15) >= (u64)(s64)r->cfa_add ? 8 : 0);
		break;
	default:
		END(UNSUPPORTED);
	}
	// The stack must rise: nothing of a frame is on it only while the return address is in a register.
	if (!(r->flags & (FLAG_SIGNAL | FLAG_SWITCH)) && w->cfa <= w->sp &&
	    !(w->cfa == w->sp && w->first && (r->ra == SAME || r->ra == IN_REGISTER)))
		END(BAD_FRAME);

	if (r->ra == AT_CFA && r->fp == AT_CFA && r->ra_offset == r->fp_offset + 8 && READ_USER(pair, w->cfa + (s64)r->fp_offset) == 0) {
		// What all code with a frame pointer does, in one piece.
		known |= BIT(FP);
	} else {
		if (r->ra == SAME && !SIGNED)
			END(NO_INFORMATION);
		found = restore(cpu, r->ra, r->ra_offset, X | RETURN_ADDRESS);
		if (found <= 0)
			END(found ? UNREADABLE : NO_INFORMATION);
		pair[1] = w->value;
		// What else was saved may be in memory that is not there: that is no fault if nothing asks for it.
		w->value = w->fp;
		if (r->fp == SAME)
			known |= w->known & BIT(FP);
		else if (r->fp != LOST && restore(cpu, r->fp, r->fp_offset, FP) > 0)
			known |= BIT(FP);
		pair[0] = w->value;
	}
	// On arm64 a call overwrites the link register.
	if (r->x == SAME && !SIGNED)
		known |= w->known & BIT(X);
	else if (r->x != LOST && (!SIGNED || r->flags & FLAG_SIGNAL) && restore(cpu, r->x, r->x_offset, X) > 0) {
		known |= BIT(X);
		w->x = w->value;
	}
	w->known = known;
	w->first = r->flags & FLAG_SIGNAL;
caller:
	w->pc = pair[1] & w->mask;
	if (w->pc == 0)
		END(COMPLETE);
	w->sp = w->cfa;
	w->fp = pair[0];
	w->inner = 0;
	return 0;
}

// mask_of gives the bits that addresses of code can have: as unwind.Space.
static inline u64 mask_of(u64 list)
{
#if SIGNED
	u32 zero = 0, first = (u16)(list >> 16), n = (u16)list;
	struct tables *t = map_lookup(&tables, &zero);
	u64 m;

	if (!t || n == 0)
		return 0;
	m = t->mapping[(first + n - 1) & (MAPPINGS - 1)].limit;
	m |= m >> 1;
	m |= m >> 2;
	m |= m >> 4;
	m |= m >> 8;
	m |= m >> 16;
	return m | m >> 32;
#else
	return ~0ULL;
#endif
}

// copy copies the next page of a stack. It gives 1 at the end.
static long copy(u64 i, u32 *ctx)
{
	u32 cpu = *ctx;
	struct scratch *s = map_lookup(&scratches, &cpu);
	u64 at, size;

	if (!s)
		return 1;
	at = s->walk.at;
	size = PAGE - (s->walk.from & (PAGE - 1));
	if (size > s->walk.left)
		size = s->walk.left;
	BOUNDED(size);
	if (size == 0 || size > PAGE || at > sizeof(s->data) - PAGE)
		return 1;
	if (probe_read_user(s->data + at, size, (void *)s->walk.from)) {
		// The page of the stack pointer may be the one whose first use is being sampled.
		if (at != s->walk.frames * 8 + sizeof(s->r))
			return 1;
		size = PAGE - (s->walk.from & (PAGE - 1));
		s->walk.from += size;
		s->out.base = s->walk.from;
		return 0;
	}
	s->walk.at = at + size;
	s->walk.from += size;
	s->walk.left -= size;
	return 0;
}

#define READ(to, from) probe_read_kernel(&(to), sizeof(to), &(from))

// number_of is how the reader's PID namespace numbers a task.
static inline u32 number_of(struct task_struct *task)
{
	struct pid *pid = 0;
	struct upid *upid;
	u64 ns = 0;
	u32 nr = 0, depth = 0;

	READ(pid, task->thread_pid);
	READ(depth, pid->level);
	if (depth < level)
		return 0;
	upid = (void *)&pid->numbers + level * __builtin_preserve_type_info(*(struct upid *)0, BPF_TYPE_SIZE);
	READ(ns, upid->ns);
	if (ns == namespace)
		READ(nr, upid->nr);
	return nr;
}

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

SEC("perf_event")
int sampled(struct registers *ctx)
{
	u64 id = current_pid_tgid();
	u32 cpu = smp_processor_id(), user = 0, other = 0;
	// Fields are read as memory of any kind: to check one that is read by its type takes the verifier half a millisecond.
	struct task_struct *task = (void *)current_task(), *leader = 0;
	struct scratch *s = map_lookup(&scratches, &cpu);
	struct walked *out;
	struct walk *w;
	u32 flags = 0;
	u64 mm = 0, exec = 0, size, now;

	if (!s)
		return 1;
	out = &s->out;
	w = &s->walk;
	READ(mm, task->mm);
	if (user_mode(ctx)) {
		user = 1;
		other = narrow(ctx);
		w->pc = instruction(ctx);
		SPREAD(s->r, (volatile struct registers *)ctx);
	} else if (mm && READ(flags, task->flags) == 0 && !(flags & (PF_KTHREAD | PF_IO_WORKER))) {
		// The kernel works for a thread, whose registers are as it came in.
		if (probe_read_kernel(&s->user, sizeof(s->user), task_pt_regs(current_task_btf())) == 0 && user_mode(&s->user)) {
			w->pc = instruction(&s->user);
			user = w->pc != 0; // threads of the kernel's that belong to a process have none
			other = narrow(&s->user);
			SPREAD(s->r, &s->user);
		}
	}
	w->sp = s->r[SP];
	w->fp = s->r[FP];
	w->x = s->r[X];
	w->known = BIT(SP) | BIT(FP) | BIT(X);
	w->first = w->inner = 1;
	w->frames = w->stuck = 0;
	w->outcome = COMPLETE;

	out->ip = instruction(ctx);
	out->mm = mm;
	READ(exec, task->self_exec_id);
	out->exec = exec;
	out->pid = out->tgid = id >> 32;
	out->tid = id;
	if (level) {
		READ(leader, task->group_leader);
		out->pid = number_of(leader);
		out->tid = number_of(task);
	}
	if (other) {
		w->outcome = OTHER_WIDTH;
	} else if (user) {
		w->list = find_list(out->mm, out->tgid, out->exec);
		w->mask = mask_of(w->list);
		if (w->list)
			loop(max_frames + 1, step, &cpu, 0);
		else
			w->stuck = STUCK_SPACE;
	}
	w->at = w->frames * 8;
	if (w->stuck) {
		u64 at = w->at;

		BOUNDED(at);
		out->module = w->module;
		out->number = w->number;
		out->pc = w->pc;
		out->base = w->sp;
		out->first = w->first;
		out->known = w->inner ? ALL : w->known;
		s->r[SP] = w->sp;
		s->r[FP] = w->fp;
		s->r[X] = w->x;
		if (at > 8 * MAX_FRAMES)
			return 1;
		probe_read_kernel(s->data + at, sizeof(s->r), s->r);
		w->at = at + sizeof(s->r);
		w->from = w->sp;
		w->left = max_copy;
		now = ktime_get_ns() / COPY_PERIOD;
		if (s->period != now) {
			s->period = now;
			s->copied = 0;
		}
		if (s->copied + max_copy <= COPY_BYTES)
			loop(MAX_COPY / PAGE + 1, copy, &cpu, 0);
		out->copied = max_copy - w->left;
		s->copied += out->copied;
	}
	out->frames = w->frames;
	out->outcome = w->outcome;
	out->stuck = w->stuck;
	size = w->at;
	BOUNDED(size);
	if (size > sizeof(s->data))
		return 1;
	perf_event_output(ctx, &output, BPF_F_CURRENT_CPU, out, sizeof(*out) + size);
	return 1;
}

// reader notes the PID namespace of who runs it.
SEC("raw_tp/reader")
int reader(void *ctx)
{
	struct task_struct *task = (void *)current_task();
	struct pid *pid = 0;
	struct upid *upid;
	u32 depth = 0;

	READ(pid, task->thread_pid);
	READ(depth, pid->level);
	upid = (void *)&pid->numbers + depth * __builtin_preserve_type_info(*(struct upid *)0, BPF_TYPE_SIZE);
	READ(namespace, upid->ns);
	level = depth;
	return 0;
}
