// SPDX-License-Identifier: GPL-2.0
/*
 * Who runs where. What a CPU draws changes at sched_switch, at a write to
 * /dev/simrapl and at a thread's exit.
 */
#include <linux/cpuhotplug.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/topology.h>
#include <linux/tracepoint.h>

#include "simrapl.h"

/* This CPU runs the task from now on; the caller holds the lock. */
static void runs(const struct task_struct *task)
{
	struct sim_thread *t = sim_thread_of(task);

	sim_cpu_runs(task->pid == 0, t && t->function ? t : NULL);
}

static void on_switch(void *data, bool preempt, struct task_struct *prev,
		      struct task_struct *next, unsigned int prev_state)
{
	unsigned long flags = sim_lock();

	runs(next);
	sim_unlock(flags);
}

/* Of the current task. */
static void on_exit(void *data, struct task_struct *task)
{
	unsigned long flags = sim_lock();
	struct sim_thread *gone;

	sim_settle();
	gone = sim_thread_forget(task);
	runs(task);
	sim_unlock(flags);
	kfree(gone);
}

/*
 * The calling thread is in that function from now on. -ENOENT if the function
 * or the thread has not been prepared, -ENXIO if there is no such package.
 */
int sim_declare(const char *name, const struct sim_draw *draw)
{
	unsigned long flags = sim_lock();
	struct sim_function *f = sim_function_named(name);
	struct sim_thread *t = sim_thread_of(current);
	int err = -ENOENT;

	if (draw->memory >= 0 && !sim_package_known(draw->memory)) {
		err = -ENXIO;
	} else if (f && t) {
		sim_settle();
		t->function = f;
		t->draw = *draw;
		f->entries++;
		runs(current);
		err = 0;
	}
	sim_unlock(flags);
	return err;
}

/* The calling thread is in no function any more. */
void sim_leave(void)
{
	unsigned long flags = sim_lock();
	struct sim_thread *t = sim_thread_of(current);

	sim_settle();
	if (t)
		t->function = NULL;
	runs(current);
	sim_unlock(flags);
}

/* Runs on each CPU at load, and on one that comes online later. */
static int came_online(unsigned int id)
{
	int package = topology_physical_package_id(id);

	if (package < 0 || package >= SIM_PACKAGES) {
		pr_err("simrapl: CPU %u is of package %d, only %d are simulated\n",
		       id, package, SIM_PACKAGES);
		return -ERANGE;
	}
	sim_cpu_online(id, package, topology_core_id(id));
	return 0;
}

/* The tracepoints of the scheduler are not exported by name. */
static struct probe {
	const char *name;
	void *function;
	struct tracepoint *point;
	bool registered;
} probes[] = {
	{ .name = "sched_switch", .function = on_switch },
	{ .name = "sched_process_exit", .function = on_exit },
};

static void find_point(struct tracepoint *tp, void *data)
{
	struct probe *p = data;

	if (!strcmp(tp->name, p->name))
		p->point = tp;
}

static int hotplug = -1;

int sim_scheduler_start(void)
{
	int i, err;

	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		struct probe *p = &probes[i];

		for_each_kernel_tracepoint(find_point, p);
		if (!p->point)
			return -ENOENT;
		err = tracepoint_probe_register(p->point, p->function, NULL);
		if (err)
			return err;
		p->registered = true;
	}
	hotplug = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "simrapl:online", came_online, NULL);
	return hotplug < 0 ? hotplug : 0;
}

/* Also after a start that failed half way. */
void sim_scheduler_stop(void)
{
	int i;

	if (hotplug >= 0)
		cpuhp_remove_state_nocalls(hotplug);
	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (probes[i].registered)
			tracepoint_probe_unregister(probes[i].point, probes[i].function, NULL);
	tracepoint_synchronize_unregister();
}
