// SPDX-License-Identifier: GPL-2.0
/*
 * Load and unload of simrapl. The drivers that read the registers (rapl.ko,
 * intel_rapl_msr.ko) are loaded after it, since they look for counters that are
 * not zero then, and unloaded before it.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "simrapl.h"

static int __init simrapl_init(void)
{
	int err;

	sim_reset();	/* the books begin now */
	err = sim_scheduler_start();
	if (err)
		goto scheduler;
	err = sim_msr_start();
	if (err)
		goto msr;
	err = sim_device_start();
	if (err)
		goto msr;
	return 0;
msr:
	sim_faults_stop(); /* open_errno may have been given at load */
	sim_msr_stop();
scheduler:
	sim_scheduler_stop();
	synchronize_rcu_tasks();
	sim_functions_free();
	return err;
}

static void __exit simrapl_exit(void)
{
	sim_device_stop();
	sim_faults_stop();
	sim_msr_stop();
	sim_scheduler_stop();
	/* A task may have been preempted on its way back from an answered read. */
	synchronize_rcu_tasks();
	sim_functions_free();
}

module_init(simrapl_init);
module_exit(simrapl_exit);
MODULE_DESCRIPTION("RAPL energy counters of a package whose power is known");
MODULE_LICENSE("GPL");
