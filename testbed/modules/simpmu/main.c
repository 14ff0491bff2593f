// SPDX-License-Identifier: GPL-2.0
/*
 * simpmu: uncore boxes, power PMUs and a sampling core PMU whose counts,
 * addresses and data sources follow rules that a test can compute. The rules
 * are in the comments of uncore.c, power.c, core.c, counters.c, sample.c, mem.c
 * and walk.c, and in README.md.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/module.h>
#include <linux/string.h>

#include "simpmu.h"

static int open_errno;
module_param(open_errno, int, 0644);
MODULE_PARM_DESC(open_errno, "opening an event of open_pmu fails with this errno (0: it works)");

/* A fixed buffer: an event may be opened while root writes another name. */
static char open_pmu[16] = "core";
module_param_string(open_pmu, open_pmu, sizeof(open_pmu), 0644);
MODULE_PARM_DESC(open_pmu, "which PMU open_errno is for: core, power, power_core or uncore");

int sim_open_fault(const char *kind)
{
	int errno = READ_ONCE(open_errno);

	if (errno <= 0 || errno > MAX_ERRNO)
		return 0;
	/* sysfs keeps the newline of echo. */
	return sysfs_streq(open_pmu, kind) ? -errno : 0;
}

static enum cpuhp_state hotplug_state;

static int cpu_online_cb(unsigned int cpu)
{
	sim_boxes_online(cpu);
	return 0;
}

static int cpu_offline_cb(unsigned int cpu)
{
	sim_boxes_offline(cpu);
	return 0;
}

static int __init simpmu_init(void)
{
	int rc;

	/*
	 * States of modules are torn down before perf leaves the CPU, so that
	 * counters can still move. It comes before the boxes, which choose their
	 * CPUs: none goes unseen.
	 */
	rc = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "simpmu:online", cpu_online_cb, cpu_offline_cb);
	if (rc < 0)
		return rc;
	hotplug_state = rc;
	rc = sim_uncore_init();
	if (rc)
		goto no_uncore;
	rc = sim_power_init();
	if (rc)
		goto no_power;
	rc = sim_core_init();
	if (rc)
		goto no_core;
	rc = sim_walk_init();
	if (rc)
		goto no_walk;
	return 0;

no_walk:
	sim_core_exit();
no_core:
	sim_power_exit();
no_power:
	sim_uncore_exit();
no_uncore:
	cpuhp_remove_state_nocalls(hotplug_state);
	return rc;
}

/* Every open event holds the module, so nothing counts any more. */
static void __exit simpmu_exit(void)
{
	sim_walk_exit();
	sim_core_exit();
	sim_power_exit();
	sim_uncore_exit();
	cpuhp_remove_state_nocalls(hotplug_state);
}

module_init(simpmu_init);
module_exit(simpmu_exit);
MODULE_DESCRIPTION("Simulated PMUs of known counts");
MODULE_LICENSE("GPL");
