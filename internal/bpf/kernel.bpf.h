// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// What the programs use of the kernel.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

#define SEC(name) __attribute__((section(name), used))
#define KERNEL __attribute__((preserve_access_index))
#define inline inline __attribute__((always_inline))

// Helpers, by their numbers in include/uapi/linux/bpf.h.
static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static long (*const map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*const map_delete)(void *map, const void *key) = (void *)3;
static u64 (*const ktime_get_ns)(void) = (void *)5; // CLOCK_MONOTONIC
static u32 (*const smp_processor_id)(void) = (void *)8;
static u64 (*const current_pid_tgid)(void) = (void *)14;
static long (*const perf_event_output)(void *ctx, void *map, u64 flags, const void *data, u64 size) = (void *)25;
static u64 (*const current_task)(void) = (void *)35;
static long (*const probe_read_user)(void *to, u32 size, const void *from) = (void *)112;
static long (*const probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static long (*const seq_write)(void *seq, const void *data, u32 len) = (void *)127;
static struct task_struct *(*const current_task_btf)(void) = (void *)158;
static void *(*const task_pt_regs)(struct task_struct *task) = (void *)175;
static long (*const loop)(u32 times, void *step, void *ctx, u64 flags) = (void *)181;

#define BPF_MAP_TYPE_HASH 1
#define BPF_MAP_TYPE_ARRAY 2
#define BPF_MAP_TYPE_PERF_EVENT_ARRAY 4
#define BPF_F_MMAPABLE (1 << 10)
#define BPF_F_CURRENT_CPU 0xffffffffULL
#define BPF_ANY 0
#define BPF_TYPE_SIZE 1 // of __builtin_preserve_type_info

// Its own types (include/linux/sched.h, pid.h), as far as they are used.
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
	int pid;
	u64 self_exec_id;
	void *mm;
	struct task_struct *group_leader;
	struct pid *thread_pid;
} KERNEL;

#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD 0x00200000

#define READ(to, from) probe_read_kernel(&(to), sizeof(to), &(from))
