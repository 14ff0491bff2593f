// SPDX-License-Identifier: GPL-2.0
/*
 * The CPU's own PMU: PERF_TYPE_RAW, and with it PERF_TYPE_HARDWARE and
 * PERF_TYPE_HW_CACHE, which perf routes to it. It needs a CPU without one.
 *
 * The rule: while an event is on a CPU it counts, per millisecond,
 *
 *	cycles (0x3c)		2400000
 *	instructions (0xc0)	3600000
 *	ref-cycles (0x0300)	2000000
 *	any other		400 * event + umask
 *
 * with event = config:0-7 and umask = config:8-15, whatever runs and in
 * whatever mode; exclude_user and exclude_kernel only choose the samples.
 * PERF_TYPE_HARDWARE stands for the codes of the events directory, and
 * PERF_TYPE_HW_CACHE counts 50000 accesses and 5000 misses per millisecond.
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/version.h>

#include "core.h"

#define LOADS_AUX	0x8203
#define CODE_MASK	0xffff
#define CACHE_RATE(misses)	((misses) ? 5000 : 50000)

static bool core = true;
module_param(core, bool, 0444);
MODULE_PARM_DESC(core, "have a core PMU");

bool sim_core_aux;
module_param_named(aux, sim_core_aux, bool, 0444);
MODULE_PARM_DESC(aux, "mem-loads needs mem-loads-aux in its group, as on Sapphire Rapids");

unsigned int sim_core_max_precise = 3;
module_param_named(max_precise, sim_core_max_precise, uint, 0644);
MODULE_PARM_DESC(max_precise, "the highest precise_ip that opens");

/* Counts since boot at the time ns; only the growth is used, so nothing is lost by rounding. */
static u64 counted(struct core_event *ce, u64 ns)
{
	return mul_u64_u64_div_u64(ns, ce->rate, NSEC_PER_MS);
}

void sim_core_update(struct perf_event *event)
{
	struct core_event *ce = core_event(event);
	u64 now = counted(ce, ktime_get_mono_fast_ns());
	u64 prev = local64_xchg(&event->hw.prev_count, now);

	if ((s64)(now - prev) <= 0)
		return;
	local64_add(now - prev, &event->count);
	local64_sub(now - prev, &event->hw.period_left);
}

static void core_start(struct perf_event *event, int flags)
{
	struct core_event *ce = core_event(event);

	event->hw.state = 0;
	local64_set(&event->hw.prev_count, counted(ce, ktime_get_mono_fast_ns()));
	if (is_sampling_event(event) && ce->rate)
		sim_sampling_start(event);
	perf_event_update_userpage(event);
}

static void core_stop(struct perf_event *event, int flags)
{
	if (!(event->hw.state & PERF_HES_STOPPED)) {
		sim_core_update(event);
		event->hw.state |= PERF_HES_STOPPED | PERF_HES_UPTODATE;
	}
	sim_sampling_stop(event);
}

static void core_read(struct perf_event *event)
{
	if (!(event->hw.state & PERF_HES_STOPPED))
		sim_core_update(event);
}

static int core_add(struct perf_event *event, int flags)
{
	int kind = sim_counter_take(core_event(event)->code);

	if (kind < 0)
		return kind;
	event->hw.idx = kind;
	event->hw.state = PERF_HES_STOPPED | PERF_HES_UPTODATE;
	if (flags & PERF_EF_START)
		core_start(event, PERF_EF_RELOAD);
	return 0;
}

static void core_del(struct perf_event *event, int flags)
{
	core_stop(event, PERF_EF_UPDATE);
	sim_counter_give_back(event->hw.idx);
	event->hw.idx = -1;
	perf_event_update_userpage(event);
}

static void core_destroy(struct perf_event *event)
{
	hrtimer_cancel(&core_event(event)->timer);
	kfree(core_event(event));
	event->pmu_private = NULL;
}

static bool is_loads_aux(struct perf_event *event)
{
	return event->attr.type == PERF_TYPE_RAW && (event->attr.config & CODE_MASK) == LOADS_AUX;
}

/* With aux, loads give a data source only after mem-loads-aux in their group. */
static bool aux_missing(struct perf_event *event, u32 code)
{
	struct perf_event *leader = event->group_leader, *sibling;

	if (!sim_core_aux || !sim_mem_is_load(code) || !(event->attr.sample_type & PERF_SAMPLE_DATA_SRC))
		return false;
	if (is_loads_aux(leader))
		return false;
	for_each_sibling_event(sibling, leader)
		if (is_loads_aux(sibling))
			return false;
	return true;
}

static const u32 hardware_codes[PERF_COUNT_HW_MAX] = {
	[PERF_COUNT_HW_CPU_CYCLES]		= CYCLES,
	[PERF_COUNT_HW_INSTRUCTIONS]		= INSTRUCTIONS,
	[PERF_COUNT_HW_CACHE_REFERENCES]	= 0x4f2e,
	[PERF_COUNT_HW_CACHE_MISSES]		= 0x412e,
	[PERF_COUNT_HW_BRANCH_INSTRUCTIONS]	= 0x00c4,
	[PERF_COUNT_HW_BRANCH_MISSES]		= 0x00c5,
	[PERF_COUNT_HW_BUS_CYCLES]		= 0x013c,
	[PERF_COUNT_HW_REF_CPU_CYCLES]		= REF_CYCLES,
};

static u64 rate_of(u32 code)
{
	switch (code) {
	case CYCLES:
		return 2400000;
	case INSTRUCTIONS:
		return 3600000;
	case REF_CYCLES:
		return 2000000;
	}
	return 400 * (code & 0xff) + (code >> 8);
}

/* -ENOENT: not of this PMU, perf asks others. */
static int core_event_init(struct perf_event *event)
{
	u64 config = event->attr.config, rate;
	struct core_event *ce;
	u32 code = 0;
	int rc;

	switch (event->attr.type) {
	case PERF_TYPE_RAW:
		code = config & CODE_MASK;
		break;
	case PERF_TYPE_HARDWARE:
		if (config >= ARRAY_SIZE(hardware_codes) || !hardware_codes[config])
			return -ENOENT;
		code = hardware_codes[config];
		break;
	case PERF_TYPE_HW_CACHE:
		break;
	default:
		return -ENOENT;
	}
	rc = sim_open_fault("core");
	if (rc)
		return rc;
	rate = code || event->attr.type == PERF_TYPE_RAW ? rate_of(code) :
	       CACHE_RATE((config >> 16 & 0xff) == PERF_COUNT_HW_CACHE_RESULT_MISS);
	if (sim_mem_is_load(code) && event->attr.config1 & ~0xffffULL)
		return -EINVAL;
	if (event->attr.precise_ip > READ_ONCE(sim_core_max_precise))
		return -EOPNOTSUPP;
	if (aux_missing(event, code))
		return -ENODATA;
	ce = kzalloc(sizeof(*ce), GFP_KERNEL);
	if (!ce)
		return -ENOMEM;
	ce->event = event;
	ce->code = code;
	ce->rate = rate;
	event->pmu_private = ce;
	sim_sampling_init(event);
	if (!sim_group_fits(event)) {
		kfree(ce);
		event->pmu_private = NULL;
		return -EINVAL;
	}
	event->destroy = core_destroy;
	return 0;
}

static const struct pmu template = {
	.module		= THIS_MODULE,
	.attr_groups	= sim_core_groups,
	.task_ctx_nr	= perf_hw_context,
#ifdef PERF_PMU_CAP_HETEROGENEOUS_CPUS
	/* Without it, 6.1 lets only one PMU have the tasks' contexts, ever: none after a reload. */
	.capabilities	= PERF_PMU_CAP_HETEROGENEOUS_CPUS,
#endif
	.event_init	= core_event_init,
	.add		= core_add,
	.del		= core_del,
	.start		= core_start,
	.stop		= core_stop,
	.read		= core_read,
};
static struct pmu *core_pmu;

int sim_core_init(void)
{
	int rc;

	if (!core)
		return 0;
	rc = sim_sampling_find();
	if (rc) {
		pr_err("simpmu: no address of perf_event_overflow: %d\n", rc);
		return rc;
	}
	core_pmu = kmemdup(&template, sizeof(template), GFP_KERNEL);
	if (!core_pmu)
		return -ENOMEM;
	rc = perf_pmu_register(core_pmu, "cpu", PERF_TYPE_RAW);
	if (rc) {
		kfree(core_pmu);
		core_pmu = NULL;
	}
	return rc;
}

void sim_core_exit(void)
{
	if (!core_pmu)
		return;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	/*
	 * A task that had an event keeps its context, which refers to the PMU
	 * that was there first and is used by the next one's events, too. So
	 * what the context needs of it stays in memory for good.
	 */
	{
		int __percpu *disable_count = core_pmu->pmu_disable_count;

		core_pmu->pmu_disable_count = NULL;
		perf_pmu_unregister(core_pmu);
		core_pmu->pmu_disable_count = disable_count;
	}
#else
	perf_pmu_unregister(core_pmu);
	kfree(core_pmu);
#endif
}
