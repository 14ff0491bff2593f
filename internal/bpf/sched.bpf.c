//go:build ignore

// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// Keeps account of who runs, at every context switch: for each CPU the
// nanoseconds of the target and of all other tasks, the latter by slots of time.
// Compiled by `make bpf` into sched.bpf.o, which is what is loaded. Of the kernel
// it takes only types that its own BTF describes (CO-RE) and nothing newer than
// Linux 5.10. account.go has the same structures.

#include "kernel.bpf.h"

char licence[] SEC("license") = "GPL";

// What is used of the kernel's iterators (include/linux/bpf.h).
struct bpf_iter_meta {
	void *seq;
} KERNEL;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} KERNEL;

// A slot is 2^SLOT_SHIFT ns long (4.2 ms). Its word holds its number, which is
// the time of its begin in slots, above its nanoseconds. A slice that goes on
// beyond the slot has filled all slots up to that named by through; they are not
// written, so that a slice costs the same however long it is.
#define SLOT_SHIFT 22
#define NS_BITS 23
#define SLOTS 512

struct slot {
	u64 word;
	u64 through;
};

// Who runs on a CPU, in the low bits of its state; the time since when is above.
#define KIND_BITS 2
#define IDLE 0
#define OTHER 1
#define TARGET 2
#define UNKNOWN 3 // nothing has been seen yet

struct cpu {
	u64 state;
	u64 other;    // ns of other tasks, in all slots there ever were
	u64 target;   // ns of the target
	u64 overflow; // tasks of the target that found no room among the members
	u64 unused[4];
	struct slot slot[SLOTS];
};

// Only a CPU itself writes to its entry, and with interrupts off, so that
// nothing has to be atomic.
struct {
	int (*type)[BPF_MAP_TYPE_ARRAY];
	int (*map_flags)[BPF_F_MMAPABLE];
	int (*max_entries)[1]; // the loader knows how many CPUs there can be
	u32 *key;
	struct cpu *value;
} cpus SEC(".maps");

// The target's tasks by the address of their task_struct, which, unlike a tid,
// stays the same when a thread executes a program and is never another task's
// before sched_process_free.
struct {
	int (*type)[BPF_MAP_TYPE_HASH];
	int (*max_entries)[32768];
	u64 *key;
	u8 *value;
} members SEC(".maps");

// Processes whose threads are to become members, for `find`.
struct {
	int (*type)[BPF_MAP_TYPE_HASH];
	int (*max_entries)[4096];
	u32 *key;
	u8 *value;
} wanted SEC(".maps");

static const u8 yes = 1;

static inline u64 kind_of(u64 task, u32 pid)
{
	if (pid == 0)
		return IDLE;
	return map_lookup(&members, &task) ? TARGET : OTHER;
}

static inline u64 kind_of_current(void)
{
	return kind_of(current_task(), (u32)current_pid_tgid());
}

static inline struct slot *slot_of(struct cpu *c, u64 n)
{
	struct slot *s = &c->slot[n & (SLOTS - 1)];

	if (s->word >> NS_BITS != n) {
		s->through = 0;
		s->word = n << NS_BITS;
	}
	return s;
}

// add_other spreads (from, to] over the slots it covers. What is too long ago for
// the slots is in the sum alone.
static inline void add_other(struct cpu *c, u64 from, u64 to)
{
	u64 n = from >> SLOT_SHIFT, last = to >> SLOT_SHIFT;
	struct slot *s;

	c->other += to - from;
	if (last - n >= SLOTS) {
		n = last - SLOTS + 1;
		from = n << SLOT_SHIFT;
	}
	s = slot_of(c, n);
	if (n == last) {
		s->word += to - from;
		return;
	}
	s->word += ((n + 1) << SLOT_SHIFT) - from;
	s->through = last;
	slot_of(c, last)->word += to - (last << SLOT_SHIFT);
}

// account gives the time since the last look to whoever has run since, and
// notes who runs from now on.
static inline void account(struct cpu *c, u64 now, u64 next)
{
	u64 state = c->state;
	u64 since = state >> KIND_BITS, kind = state & UNKNOWN;

	if (kind == UNKNOWN)
		kind = kind_of_current(); // nobody else has run since the begin
	if (now > since) {
		if (kind == OTHER)
			add_other(c, since, now);
		else if (kind == TARGET)
			c->target += now - since;
	}
	// The reader takes a state as the word that all before it is accounted for.
	*(volatile u64 *)&c->state = now << KIND_BITS | next;
}

// current is still the task that is being switched from.
SEC("tp_btf/sched_switch")
int switched(u64 *ctx)
{
	struct task_struct *next = (void *)ctx[2];
	u32 id = smp_processor_id();
	struct cpu *c = map_lookup(&cpus, &id);

	if (c)
		account(c, ktime_get_ns(), kind_of((u64)next, next->pid));
	return 0;
}

// settle closes the slice of whoever runs on this CPU now. It is run by request,
// in an interrupt.
SEC("raw_tp/settle")
int settle(void *ctx)
{
	u32 id = smp_processor_id();
	struct cpu *c = map_lookup(&cpus, &id);

	if (c)
		account(c, ktime_get_ns(), kind_of_current());
	return 0;
}

// born is called for every new task, io_uring's workers included, which
// sched_process_fork does not tell of; current is who created it, whose perf
// events it inherits.
SEC("tp_btf/task_newtask")
int born(u64 *ctx)
{
	u64 parent = current_task(), child = ctx[0];

	if (!map_lookup(&members, &parent))
		return 0;
	if (map_update(&members, &child, &yes, BPF_ANY)) {
		u32 id = smp_processor_id();
		struct cpu *c = map_lookup(&cpus, &id);

		if (c)
			__sync_fetch_and_add(&c->overflow, 1); // may be preempted
	}
	return 0;
}

SEC("tp_btf/sched_process_free")
int freed(u64 *ctx)
{
	u64 task = ctx[0];

	map_delete(&members, &task);
	return 0;
}

// find makes the threads of the wanted processes members and writes a byte for
// each that was none. Processes are named as the reader's PID namespace has them.
SEC("iter/task")
int find(struct bpf_iter__task *ctx)
{
	struct task_struct *reader = (void *)current_task(), *task = ctx->task, *leader;
	struct pid *pid;
	u32 level, nr;
	u64 key = (u64)task;

	if (!task)
		return 0;
	READ(pid, reader->thread_pid);
	READ(level, pid->level);
	READ(leader, task->group_leader);
	READ(pid, leader->thread_pid);
	probe_read_kernel(&nr, sizeof(nr), (void *)&pid->numbers + level * __builtin_preserve_type_info(*(struct upid *)0, BPF_TYPE_SIZE));
	if (!map_lookup(&wanted, &nr) || map_lookup(&members, &key))
		return 0;
	if (map_update(&members, &key, &yes, BPF_ANY) == 0)
		seq_write(ctx->meta->seq, &yes, sizeof(yes));
	return 0;
}
