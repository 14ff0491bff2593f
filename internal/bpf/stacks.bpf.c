//go:build ignore

// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// Walks the user stack of each sample, by the rules of internal/unwind, of which it is the same walk as Walker.Resume: what is
// changed here is changed there. Compiled by `make bpf`; stacks.go says how the tables are kept.
//
// It is called in the sample's interrupt, which may be an NMI, and never twice at a time on a CPU. What cannot be
// found in the tables is not a failure: the registers that were reached and a copy of the stack are handed out, and who
// reads them finishes the walk.

#include "kernel.bpf.h"
#include "stacks_tables.bpf.h"
#include "stacks_state.bpf.h"
#include "stacks_walk.bpf.h"

char licence[] SEC("license") = "GPL";

struct {
	int (*type)[BPF_MAP_TYPE_PERF_EVENT_ARRAY];
	int (*max_entries)[1]; // the loader knows how many CPUs there can be
	u32 *key;
	u32 *value;
} output SEC(".maps");

// What a CPU may copy in a period. It is a fraction of a ring, which would else be full of copies before anybody can read them where a process
// is new and each of its events is a sample. Without a copy a walk fails; a full ring loses samples.
#define COPY_PERIOD (10 * 1000 * 1000) // ns
#define COPY_BYTES (3 << 19)

// The PID namespace of the reader, by which it numbers tasks; set by reader.
u32 level;
u64 namespace;

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
	w->held = 0;
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
		w->serial = w->list >> 32;
		w->mask = mask_of(w->list);
		if (w->list)
			loop(max_frames + 1, next, &cpu, 0);
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
		w->from = w->sp - (w->first ? RED_ZONE : 0);
		out->base = w->from;
		out->first = w->first;
		out->known = w->inner ? ALL : w->known;
		s->r[SP] = w->sp;
		s->r[FP] = w->fp;
		s->r[X] = w->x;
		if (at > 8 * MAX_FRAMES)
			return 1;
		probe_read_kernel(s->data + at, sizeof(s->r), s->r);
		w->at = at + sizeof(s->r);
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
