// SPDX-License-Identifier: GPL-2.0
/*
 * What draws how much, integrated over time.
 *
 * A CPU draws what its current task stands for: the power its thread declared,
 * other_mw for a thread that declared nothing, idle_mw for the idle task. Between
 * what scheduler.c says it is constant, so that the sum is exact. An offline CPU
 * is in its idle task and counts as one. The memory of a package draws dram_mw and
 * what the threads that use it declared.
 *
 * Two sets of sums are kept: the books, which tests read, and the counters,
 * which stand behind the registers. Only the counters can be frozen, and they
 * show their sums in steps: real ones are updated about once a millisecond.
 */
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>

#include "simrapl.h"

struct counter {
	u64 sum;	/* pJ up to now */
	u64 shown;	/* pJ up to the last step */
};

struct sim_cpu {
	bool known;	/* has been online, so that its package is known */
	bool idle;
	struct sim_thread *thread;	/* NULL: declared nothing */
	int package;
	int core;
	u64 since;	/* integrated up to here */
	struct counter drawn;
	u64 idle_pj, other_pj, functions_pj;	/* books */
};

struct sim_package {
	bool known;
	u64 since;
	struct counter fixed;	/* static_mw */
	struct counter dram;	/* dram_mw and what threads declared */
	struct counter psys;
	u64 static_pj;		/* books, as the next */
	u64 dram_static_pj, dram_functions_pj;
};

static unsigned int static_mw = 50000;
module_param_cb(static_mw, &sim_power_ops, &static_mw, 0644);
MODULE_PARM_DESC(static_mw, "what a package draws whatever runs, in mW");

static unsigned int other_mw;
module_param_cb(other_mw, &sim_power_ops, &other_mw, 0644);
MODULE_PARM_DESC(other_mw, "what a CPU draws that runs a thread which declared nothing, in mW");

static unsigned int idle_mw;
module_param_cb(idle_mw, &sim_power_ops, &idle_mw, 0644);
MODULE_PARM_DESC(idle_mw, "what an idle CPU draws, in mW");

static unsigned int dram_mw = 5000;
module_param_cb(dram_mw, &sim_power_ops, &dram_mw, 0644);
MODULE_PARM_DESC(dram_mw, "what the memory of a package draws whatever runs, in mW");

static unsigned int psys_mw = 80000;
module_param_cb(psys_mw, &sim_power_ops, &psys_mw, 0644);
MODULE_PARM_DESC(psys_mw, "the platform, in mW");

static unsigned int step_us = 1000;
module_param_cb(step_us, &sim_power_ops, &step_us, 0644);
MODULE_PARM_DESC(step_us, "the counters move at multiples of this time, in us (0: at every read)");

bool sim_freeze;

static DEFINE_RAW_SPINLOCK(lock);
static DEFINE_PER_CPU(struct sim_cpu, cpus);
static struct sim_package packages[SIM_PACKAGES];
static u64 now, stepped, reset_at;

static void add(struct counter *c, u64 pj)
{
	if (!sim_freeze)
		c->sum += pj;
}

/* A thread has run for so long on a CPU of that package: what its memory drew. */
static void settle_memory(const struct sim_thread *t, int package, u64 ns)
{
	struct sim_package *p = &packages[t->draw.memory < 0 ? package : t->draw.memory];
	u64 pj = ns * t->draw.dram_mw;

	p->dram_functions_pj += pj;
	t->function->dram_pj += pj;
	add(&p->dram, pj);
}

static void settle_cpu(struct sim_cpu *c, u64 to)
{
	u64 ns, pj;

	if (!c->known || to <= c->since)
		return;
	ns = to - c->since;
	c->since = to;
	if (c->idle) {
		pj = ns * idle_mw;
		c->idle_pj += pj;
	} else if (c->thread) {
		pj = ns * c->thread->draw.mw;
		c->functions_pj += pj;
		c->thread->function->ns += ns;
		c->thread->function->pj += pj;
		settle_memory(c->thread, c->package, ns);
	} else {
		pj = ns * other_mw;
		c->other_pj += pj;
	}
	add(&c->drawn, pj);
}

static void settle_package(struct sim_package *p, u64 to)
{
	u64 ns;

	if (!p->known || to <= p->since)
		return;
	ns = to - p->since;
	p->since = to;
	p->static_pj += ns * static_mw;
	p->dram_static_pj += ns * dram_mw;
	add(&p->fixed, ns * static_mw);
	add(&p->dram, ns * dram_mw);
	add(&p->psys, ns * psys_mw);
}

static void settle_all(u64 to)
{
	int i;

	for_each_possible_cpu(i)
		settle_cpu(per_cpu_ptr(&cpus, i), to);
	for (i = 0; i < SIM_PACKAGES; i++)
		settle_package(&packages[i], to);
}

/*
 * The last step before now: if nobody has come by since, the counters show the
 * sums at that time, before what happens now changes what is drawn.
 */
static void step(void)
{
	u64 at = now;
	int i;

	if (step_us)
		at -= now % (step_us * 1000ULL);
	if (at <= stepped)
		return;
	settle_all(at);
	stepped = at;
	if (sim_freeze)
		return;
	for_each_possible_cpu(i) {
		struct sim_cpu *c = per_cpu_ptr(&cpus, i);

		c->drawn.shown = c->drawn.sum;
	}
	for (i = 0; i < SIM_PACKAGES; i++) {
		packages[i].fixed.shown = packages[i].fixed.sum;
		packages[i].dram.shown = packages[i].dram.sum;
		packages[i].psys.shown = packages[i].psys.sum;
	}
}

/* The lock is taken at one instant, which is never before an earlier one. */
unsigned long sim_lock(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	now = max(now, ktime_get_mono_fast_ns());
	step();
	return flags;
}

void sim_unlock(unsigned long flags)
{
	raw_spin_unlock_irqrestore(&lock, flags);
}

/* Integrates up to now: for who reads the books, or changes what is drawn. */
void sim_settle(void)
{
	settle_all(now);
}

static int set_power(const char *value, const struct kernel_param *kp)
{
	unsigned int v;
	unsigned long flags;
	int err = kstrtouint(value, 0, &v);

	if (err)
		return err;
	if (v > 100000000)	/* 100 kW, 100 s: keeps the sums far from 64 bits */
		return -ERANGE;
	flags = sim_lock();
	sim_settle();
	*(unsigned int *)kp->arg = v;
	sim_unlock(flags);
	return 0;
}

const struct kernel_param_ops sim_power_ops = {
	.set = set_power,
	.get = param_get_uint,
};

/* The books start anew. The counters go on: registers know of no reset. */
void sim_reset(void)
{
	unsigned long flags = sim_lock();
	int i;

	sim_settle();
	reset_at = now;
	sim_functions_reset();
	for_each_possible_cpu(i) {
		struct sim_cpu *c = per_cpu_ptr(&cpus, i);

		c->idle_pj = c->other_pj = c->functions_pj = 0;
	}
	for (i = 0; i < SIM_PACKAGES; i++) {
		packages[i].static_pj = 0;
		packages[i].dram_static_pj = packages[i].dram_functions_pj = 0;
	}
	sim_unlock(flags);
}

void sim_read_books(struct sim_books *books)
{
	unsigned long flags = sim_lock();
	int i;

	sim_settle();
	books->ns = now - reset_at;
	for (i = 0; i < SIM_PACKAGES; i++)
		books->packages[i] = (struct sim_package_books){
			.known = packages[i].known,
			.static_pj = packages[i].static_pj,
			.dram_static_pj = packages[i].dram_static_pj,
			.dram_functions_pj = packages[i].dram_functions_pj,
		};
	for_each_possible_cpu(i) {
		struct sim_cpu *c = per_cpu_ptr(&cpus, i);
		struct sim_package_books *p = &books->packages[c->package];

		p->idle_pj += c->idle_pj;
		p->other_pj += c->other_pj;
		p->functions_pj += c->functions_pj;
	}
	books->n = sim_functions_read(books->functions);
	sim_unlock(flags);
}

/* The package of this CPU; the caller holds the lock. */
int sim_package(void)
{
	return this_cpu_ptr(&cpus)->package;
}

/* Has the machine had a CPU of that package? The caller holds the lock. */
bool sim_package_known(int package)
{
	return package >= 0 && package < SIM_PACKAGES && packages[package].known;
}

/* What a domain of this CPU's package shows; the caller holds the lock. */
u64 sim_counter_pj(enum sim_domain domain)
{
	int i, package = sim_package();
	const struct sim_package *p = &packages[package];
	u64 sum = 0;

	if (domain == SIM_DRAM)
		return p->dram.shown;
	if (domain == SIM_PSYS)
		return p->psys.shown;
	for_each_possible_cpu(i) {
		const struct sim_cpu *c = per_cpu_ptr(&cpus, i);

		if (c->package == package)
			sum += c->drawn.shown;
	}
	return domain == SIM_PKG ? sum + p->fixed.shown : sum;
}

/* What the core of this CPU shows, all its threads; the caller holds the lock. */
u64 sim_core_pj(void)
{
	const struct sim_cpu *self = this_cpu_ptr(&cpus);
	u64 sum = 0;
	int i;

	for_each_possible_cpu(i) {
		const struct sim_cpu *c = per_cpu_ptr(&cpus, i);

		if (c->package == self->package && c->core == self->core)
			sum += c->drawn.shown;
	}
	return sum;
}

/*
 * This CPU runs a thread that is in a function, or idles, or runs something else
 * (NULL) from now on; the caller holds the lock.
 */
void sim_cpu_runs(bool idle, struct sim_thread *thread)
{
	struct sim_cpu *c = this_cpu_ptr(&cpus);

	settle_cpu(c, now);
	c->idle = idle;
	c->thread = thread;
}

/*
 * A CPU is there. One that comes back keeps its sums: only the first time there is
 * nothing to integrate yet.
 */
void sim_cpu_online(unsigned int id, int package, int core)
{
	struct sim_cpu *c = per_cpu_ptr(&cpus, id);
	struct sim_package *p = &packages[package];
	unsigned long flags = sim_lock();

	if (!p->known) {
		p->known = true;
		p->since = now;
	}
	if (!c->known) {
		c->known = true;
		c->since = now;
		c->package = package;
		c->core = core;
	}
	sim_unlock(flags);
}
