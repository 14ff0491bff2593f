// SPDX-License-Identifier: GPL-2.0
/*
 * Power PMUs of constant power, in the kernel's form: a count is 2^-32 J.
 *
 *	power=1       "power" with energy-pkg, power_mw in each package. It
 *	              stands in for rapl.ko's, which must not be loaded.
 *	cpumask=LIST  the CPUs that "power" shows. A kernel shows one for each
 *	              package; AMD's of 6.9 to 6.11 showed one for each CCD, whose
 *	              counters are all the package's, and who adds them up counts
 *	              the package several times.
 *	power_core=1  "power_core" with energy-core, core_mw in each core (6.14).
 */
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/topology.h>

#include "simpmu.h"

static bool power, power_core;
module_param(power, bool, 0444);
MODULE_PARM_DESC(power, "have a power PMU in place of rapl.ko's");
module_param(power_core, bool, 0444);
MODULE_PARM_DESC(power_core, "have a power_core PMU");

static char cpumask[128];
module_param_string(cpumask, cpumask, sizeof(cpumask), 0444);
MODULE_PARM_DESC(cpumask, "the CPUs that power shows in its cpumask (default: one of each package)");

/* Only at load: energy is power times time since boot. */
static unsigned int power_mw = 20000;
module_param(power_mw, uint, 0444);
MODULE_PARM_DESC(power_mw, "power of a package, mW");
static unsigned int core_mw = 5000;
module_param(core_mw, uint, 0444);
MODULE_PARM_DESC(core_mw, "power of a core, mW");

PMU_FORMAT_ATTR(event, "config:0-7");
static struct attribute *format_attrs[] = { &format_attr_event.attr, NULL };
static const struct attribute_group format_group = { .name = "format", .attrs = format_attrs };

#define SCALE "2.3283064365386962890625e-10"
SIM_EVENT(pkg, energy-pkg, "event=0x02");
SIM_EVENT(pkg_unit, energy-pkg.unit, "Joules");
SIM_EVENT(pkg_scale, energy-pkg.scale, SCALE);
static struct attribute *power_event_attrs[] = {
	&pkg.attr.attr, &pkg_unit.attr.attr, &pkg_scale.attr.attr, NULL
};
static const struct attribute_group power_events = { .name = "events", .attrs = power_event_attrs };
static const struct attribute_group *power_groups[] = {
	&sim_cpumask_group, &format_group, &power_events, NULL
};

SIM_EVENT(core, energy-core, "event=0x01");
SIM_EVENT(core_unit, energy-core.unit, "Joules");
SIM_EVENT(core_scale, energy-core.scale, SCALE);
static struct attribute *core_event_attrs[] = {
	&core.attr.attr, &core_unit.attr.attr, &core_scale.attr.attr, NULL
};
static const struct attribute_group core_events = { .name = "events", .attrs = core_event_attrs };
static const struct attribute_group *core_groups[] = {
	&sim_cpumask_group, &format_group, &core_events, NULL
};

static int power_check(struct perf_event *event)
{
	return event->attr.config == 2 ? 0 : -EINVAL;
}

static int core_check(struct perf_event *event)
{
	return event->attr.config == 1 ? 0 : -EINVAL;
}

/* mW * ns is 1e-12 J; the product fits for 10 days at 20 W. */
static u64 energy(u64 ns, u64 mw)
{
	return mul_u64_u64_div_u64(ns * mw, 1ULL << 32, 1000000000000ULL);
}

static u64 power_count(struct perf_event *event, u64 ns)
{
	return energy(ns, power_mw);
}

static u64 core_count(struct perf_event *event, u64 ns)
{
	return energy(ns, core_mw);
}

static bool same_core(int a, int b)
{
	return sim_same_package(a, b) && topology_core_id(a) == topology_core_id(b);
}

#define POWER_PMU(groups) {					\
	.attr_groups	= groups,				\
	.event_init	= sim_box_init_event,			\
	.add		= sim_box_add,				\
	.del		= sim_box_del,				\
	.start		= sim_box_start,			\
	.stop		= sim_box_stop,				\
	.read		= sim_box_read,				\
}

static struct sim_box power_box = {
	.pmu	= POWER_PMU(power_groups),
	.name	= "power",
	.kind	= "power",
	.check	= power_check,
	.count	= power_count,
};

static struct sim_box core_box = {
	.pmu		= POWER_PMU(core_groups),
	.name		= "power_core",
	.kind		= "power_core",
	.check		= core_check,
	.count		= core_count,
	.same_unit	= same_core,
};

void sim_power_exit(void)
{
	sim_box_unregister(&core_box);
	sim_box_unregister(&power_box);
}

int sim_power_init(void)
{
	int rc = 0;

	if (cpumask[0]) {
		rc = cpulist_parse(cpumask, &power_box.cpus);
		if (rc)
			return rc;
	}
	if (power)
		rc = sim_box_register(&power_box);
	if (!rc && power_core)
		rc = sim_box_register(&core_box);
	if (rc)
		sim_power_exit();
	return rc;
}
