/* SPDX-License-Identifier: GPL-2.0 */
/*
 * simrapl: the RAPL energy counters of a package whose power is known.
 *
 * main.c       load and unload
 * power.c      what draws how much: integration over time, per CPU and package
 * scheduler.c  who runs where
 * functions.c  which function each thread says it is in
 * msr.c        which register answers what, in which unit
 * faults.c     counters that jump or freeze, PMUs that refuse to open
 * device.c     /dev/simrapl: threads say what they do, tests read the truth
 *
 * Units: power in milliwatts and time in nanoseconds, whose product is energy
 * in picojoules. 64 bits of picojoules last 51 hours at 100 W.
 *
 * One lock guards all of it: a reading is then one instant for every CPU, and
 * a simulated machine of a few CPUs does not feel it.
 */
#ifndef SIMRAPL_H
#define SIMRAPL_H

#include <linux/kprobes.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/types.h>

#define SIM_PACKAGES	8
#define SIM_FUNCTIONS	1024
#define SIM_NAME	64	/* bytes of a function's name, with its NUL */

/* A function of the workload, and what it has used since the last reset. */
struct sim_function {
	struct list_head in_order;
	struct hlist_node by_name;
	u64 ns;
	u64 pj;
	u64 dram_pj;
	u64 entries;
	char name[SIM_NAME];
};

/* What a thread draws while it runs. */
struct sim_draw {
	unsigned int mw;	/* of its CPU */
	unsigned int dram_mw;	/* of a package's memory */
	int memory;		/* the package whose memory it is; -1: that of the CPU */
};

/* A thread that has said where it is. */
struct sim_thread {
	struct hlist_node by_task;
	const struct task_struct *task;
	struct sim_function *function;	/* NULL: it has left */
	struct sim_draw draw;
};

/* The energy counters of a package, all in pJ. */
enum sim_domain { SIM_PKG, SIM_CORES, SIM_DRAM, SIM_PSYS };

/* The books of one function and of one package since the last reset. */
struct sim_function_books {
	const char *name;
	u64 ns, pj, dram_pj, entries;
};

struct sim_package_books {
	bool known;
	u64 static_pj, other_pj, idle_pj, functions_pj;
	u64 dram_static_pj, dram_functions_pj;
};

struct sim_books {
	u64 ns;		/* since the last reset */
	struct sim_package_books packages[SIM_PACKAGES];
	unsigned int n;
	struct sim_function_books functions[SIM_FUNCTIONS];
};

/* power.c */
extern bool sim_freeze;
extern const struct kernel_param_ops sim_power_ops;
unsigned long sim_lock(void);
void sim_unlock(unsigned long flags);
void sim_settle(void);
u64 sim_counter_pj(enum sim_domain domain);
u64 sim_core_pj(void);
int sim_package(void);
bool sim_package_known(int package);
void sim_cpu_runs(bool idle, struct sim_thread *thread);
void sim_cpu_online(unsigned int id, int package, int core);
void sim_reset(void);
void sim_read_books(struct sim_books *books);

/* scheduler.c */
int sim_scheduler_start(void);
void sim_scheduler_stop(void);
int sim_declare(const char *name, const struct sim_draw *draw);
void sim_leave(void);

/* functions.c: the caller holds the lock, but for the two that allocate and free */
int sim_functions_prepare(const char *name);
struct sim_thread *sim_thread_of(const struct task_struct *task);
struct sim_function *sim_function_named(const char *name);
struct sim_thread *sim_thread_forget(const struct task_struct *task);
void sim_functions_reset(void);
unsigned int sim_functions_read(struct sim_function_books *to);
void sim_functions_free(void);

/* msr.c */
int sim_msr_start(void);
void sim_msr_stop(void);
void sim_answer(struct pt_regs *regs, u64 value);
void sim_no_optimising(struct kprobe *p, struct pt_regs *regs, unsigned long flags);

/* faults.c */
s64 sim_jump_uj(int package);
void sim_faults_stop(void);

/* device.c */
int sim_device_start(void);
void sim_device_stop(void);

#endif
