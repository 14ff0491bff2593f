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
 *
 * Three fixed counters take one event each of cycles, instructions and
 * ref-cycles (which has no other); "counters" programmable ones take the rest.
 *
 * A timer of the event's CPU samples: at the period in counts, several samples
 * at once if it is below 200 us, up to 16, and what comes on top is dropped as
 * by hardware that overflows again while it is served. An idle CPU gives no
 * sample.
 */
#include <linux/hrtimer.h>
#include <linux/kprobes.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <asm/irq_regs.h>

#include "simpmu.h"

#define CYCLES		0x003c
#define INSTRUCTIONS	0x00c0
#define REF_CYCLES	0x0300
#define LOADS_AUX	0x8203
#define CODE_MASK	0xffff
#define CACHE_RATE(misses)	((misses) ? 5000 : 50000)

#define BURST		16
#define MIN_TIMER_NS	200000

static bool core = true;
module_param(core, bool, 0444);
MODULE_PARM_DESC(core, "have a core PMU");

static unsigned int counters = 4;
module_param(counters, uint, 0644);
MODULE_PARM_DESC(counters, "number of programmable counters");

static bool aux;
module_param(aux, bool, 0444);
MODULE_PARM_DESC(aux, "mem-loads needs mem-loads-aux in its group, as on Sapphire Rapids");

enum { INSTRUCTIONS_FIXED, CYCLES_FIXED, REF_FIXED, FIXED, PROGRAMMABLE = FIXED, KINDS };

/* Events on each kind of counter of a CPU. Changed on it with interrupts off. */
struct used {
	unsigned int n[KINDS];
};
static DEFINE_PER_CPU(struct used, used);

struct core_event {
	struct hrtimer timer;	/* not hw.hrtimer: that shares its place with hw.flags */
	struct perf_event *event;
	u64 rate;		/* counts per ms */
	u32 code;		/* umask << 8 | event; 0 for a cache event */
	u64 nth;		/* memory accesses seen */
};

static inline struct core_event *core_event(struct perf_event *event)
{
	return event->pmu_private;
}

/*
 * perf_event_overflow() counts samples for throttling and is not exported; a
 * kprobe knows its address.
 */
static int (*overflow)(struct perf_event *, struct perf_sample_data *, struct pt_regs *);

static int find_overflow(void)
{
	struct kprobe probe = { .symbol_name = "perf_event_overflow" };
	int rc = register_kprobe(&probe);

	if (rc)
		return rc;
	overflow = (void *)probe.addr;
	unregister_kprobe(&probe);
	return 0;
}

/* Counts since boot at the time ns; only the growth is used, so nothing is lost by rounding. */
static u64 counted(struct core_event *ce, u64 ns)
{
	return mul_u64_u64_div_u64(ns, ce->rate, NSEC_PER_MS);
}

static void core_update(struct perf_event *event)
{
	struct core_event *ce = core_event(event);
	u64 now = counted(ce, ktime_get_mono_fast_ns());
	u64 prev = local64_xchg(&event->hw.prev_count, now);

	if ((s64)(now - prev) <= 0)
		return;
	local64_add(now - prev, &event->count);
	local64_sub(now - prev, &event->hw.period_left);
}

static ktime_t until_overflow(struct perf_event *event)
{
	s64 left = max_t(s64, local64_read(&event->hw.period_left), 1);
	u64 ns = mul_u64_u64_div_u64(left, NSEC_PER_MS, core_event(event)->rate) + 1;

	return ns_to_ktime(clamp_t(u64, ns, MIN_TIMER_NS, KTIME_MAX / 2));
}

/* Four branches that lead to the sample, 16 bytes apart, the last one first. */
struct branches {
	u64 nr, hw_idx;		/* struct perf_branch_stack has a flexible array behind these */
	struct perf_branch_entry entry[4];
};

static void add_branches(struct perf_event *event, struct perf_sample_data *data, struct branches *b, u64 ip)
{
	int i;

	memset(b, 0, sizeof(*b));
	b->nr = ARRAY_SIZE(b->entry);
	for (i = 0; i < b->nr; i++) {
		b->entry[i].from = ip - 16 * i - 8;
		b->entry[i].to = ip - 16 * i;
		b->entry[i].predicted = 1;
		b->entry[i].cycles = 10 + i;
	}
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	perf_sample_save_brstack(data, event, (struct perf_branch_stack *)b, NULL);
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	perf_sample_save_brstack(data, event, (struct perf_branch_stack *)b);
#else
	data->br_stack = (struct perf_branch_stack *)b;
	data->sample_flags |= PERF_SAMPLE_BRANCH_STACK;
#endif
}

/* true: perf wants no more samples for now, it throttled the event. */
static bool sample(struct perf_event *event, struct pt_regs *interrupted)
{
	struct core_event *ce = core_event(event);
	struct pt_regs regs = *interrupted;
	struct perf_sample_data data;
	struct branches branches;

	perf_sample_data_init(&data, 0, event->hw.last_period);
	if (event->attr.precise_ip > 1)
		regs.flags |= PERF_EFLAGS_EXACT;
	if (event->attr.precise_ip && (sim_mem_is_load(ce->code) || sim_mem_is_store(ce->code)) &&
	    !sim_mem_sample(event, &data, &ce->nth))
		return false;
	if (has_branch_stack(event))
		add_branches(event, &data, &branches, regs.ip);
	return overflow(event, &data, &regs);
}

static bool wanted(struct perf_event *event, struct pt_regs *regs)
{
	if (!regs || (is_idle_task(current) && !user_mode(regs)))
		return false;
	return user_mode(regs) ? !event->attr.exclude_user : !event->attr.exclude_kernel;
}

/*
 * Moves the event to its next period. With a frequency there is one sample
 * for all that was counted and the period says so, or perf's search for the
 * period runs away.
 */
static void next_period(struct perf_event *event)
{
	struct hw_perf_event *hw = &event->hw;

	if (event->attr.freq) {
		hw->last_period = hw->sample_period - local64_read(&hw->period_left);
		local64_set(&hw->period_left, hw->sample_period);
	} else {
		hw->last_period = hw->sample_period;
		local64_add(hw->sample_period, &hw->period_left);
	}
}

static enum hrtimer_restart core_timer(struct hrtimer *timer)
{
	struct core_event *ce = container_of(timer, struct core_event, timer);
	struct perf_event *event = ce->event;
	struct pt_regs *regs = get_irq_regs();
	int n = 0;

	if (event->state != PERF_EVENT_STATE_ACTIVE || event->hw.state & PERF_HES_STOPPED)
		return HRTIMER_NORESTART;
	core_update(event);
	while (local64_read(&event->hw.period_left) <= 0) {
		if (n++ == BURST) {
			local64_set(&event->hw.period_left, event->hw.sample_period);
			break;
		}
		next_period(event);
		if (wanted(event, regs) && sample(event, regs))
			event->hw.state |= PERF_HES_STOPPED | PERF_HES_UPTODATE;
		if (event->hw.state & PERF_HES_STOPPED)
			return HRTIMER_NORESTART;
	}
	perf_event_update_userpage(event);
	/* perf may have stopped and started the event to change its period. */
	if (!hrtimer_is_queued(timer))
		hrtimer_forward_now(timer, until_overflow(event));
	return HRTIMER_RESTART;
}

static void core_start(struct perf_event *event, int flags)
{
	struct core_event *ce = core_event(event);

	event->hw.state = 0;
	local64_set(&event->hw.prev_count, counted(ce, ktime_get_mono_fast_ns()));
	if (is_sampling_event(event) && ce->rate) {
		/* 0: perf changed the period. Below: the sample is still due from before. */
		if (!local64_read(&event->hw.period_left))
			local64_set(&event->hw.period_left, event->hw.sample_period);
		hrtimer_start(&ce->timer, until_overflow(event), HRTIMER_MODE_REL_PINNED_HARD);
	}
	perf_event_update_userpage(event);
}

static void core_stop(struct perf_event *event, int flags)
{
	if (!(event->hw.state & PERF_HES_STOPPED)) {
		core_update(event);
		event->hw.state |= PERF_HES_STOPPED | PERF_HES_UPTODATE;
	}
	/* perf may stop an event from inside its timer: never wait for that. */
	hrtimer_try_to_cancel(&core_event(event)->timer);
}

static void core_read(struct perf_event *event)
{
	if (!(event->hw.state & PERF_HES_STOPPED))
		core_update(event);
}

/* The counter that takes code, or KINDS if none is free. */
static int choose(const struct used *u, u32 code)
{
	if (code == INSTRUCTIONS && !u->n[INSTRUCTIONS_FIXED])
		return INSTRUCTIONS_FIXED;
	if (code == CYCLES && !u->n[CYCLES_FIXED])
		return CYCLES_FIXED;
	if (code == REF_CYCLES)
		return u->n[REF_FIXED] ? KINDS : REF_FIXED;
	return u->n[PROGRAMMABLE] < READ_ONCE(counters) ? PROGRAMMABLE : KINDS;
}

static int core_add(struct perf_event *event, int flags)
{
	struct used *u = this_cpu_ptr(&used);
	int kind = choose(u, core_event(event)->code);

	if (kind == KINDS)
		return -EAGAIN;
	u->n[kind]++;
	event->hw.idx = kind;
	event->hw.state = PERF_HES_STOPPED | PERF_HES_UPTODATE;
	if (flags & PERF_EF_START)
		core_start(event, PERF_EF_RELOAD);
	return 0;
}

static void core_del(struct perf_event *event, int flags)
{
	core_stop(event, PERF_EF_UPDATE);
	this_cpu_ptr(&used)->n[event->hw.idx]--;
	event->hw.idx = -1;
	perf_event_update_userpage(event);
}

static void core_destroy(struct perf_event *event)
{
	hrtimer_cancel(&core_event(event)->timer);
	kfree(core_event(event));
	event->pmu_private = NULL;
}

/* Takes a counter for an event of a group; what is of other PMUs needs none. */
static bool place(struct used *u, struct perf_event *event, struct pmu *pmu)
{
	int kind;

	if (event->pmu != pmu)
		return true;
	kind = choose(u, core_event(event)->code);
	if (kind == KINDS)
		return false;
	u->n[kind]++;
	return true;
}

/* A group that can never be scheduled as a whole is refused when it is opened. */
static bool group_fits(struct perf_event *event)
{
	struct perf_event *leader = event->group_leader, *sibling;
	struct used u = {};

	if (leader == event)
		return true;
	if (!place(&u, leader, event->pmu) || !place(&u, event, event->pmu))
		return false;
	for_each_sibling_event(sibling, leader)
		if (!place(&u, sibling, event->pmu))
			return false;
	return true;
}

static bool is_loads_aux(struct perf_event *event)
{
	return event->attr.type == PERF_TYPE_RAW && (event->attr.config & CODE_MASK) == LOADS_AUX;
}

/* With aux, loads give a data source only after mem-loads-aux in their group. */
static bool aux_missing(struct perf_event *event, u32 code)
{
	struct perf_event *leader = event->group_leader, *sibling;

	if (!aux || !sim_mem_is_load(code) || !(event->attr.sample_type & PERF_SAMPLE_DATA_SRC))
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
	if (aux_missing(event, code))
		return -ENODATA;
	ce = kzalloc(sizeof(*ce), GFP_KERNEL);
	if (!ce)
		return -ENOMEM;
	ce->event = event;
	ce->code = code;
	ce->rate = rate;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(&ce->timer, core_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
#else
	hrtimer_init(&ce->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	ce->timer.function = core_timer;
#endif
	event->pmu_private = ce;
	if (!group_fits(event)) {
		kfree(ce);
		event->pmu_private = NULL;
		return -EINVAL;
	}
	event->destroy = core_destroy;
	return 0;
}

PMU_FORMAT_ATTR(event, "config:0-7");
PMU_FORMAT_ATTR(umask, "config:8-15");
PMU_FORMAT_ATTR(edge, "config:18");
PMU_FORMAT_ATTR(pc, "config:19");
PMU_FORMAT_ATTR(inv, "config:23");
PMU_FORMAT_ATTR(cmask, "config:24-31");
PMU_FORMAT_ATTR(ldlat, "config1:0-15");
static struct attribute *format_attrs[] = {
	&format_attr_event.attr, &format_attr_umask.attr, &format_attr_edge.attr, &format_attr_pc.attr,
	&format_attr_inv.attr, &format_attr_cmask.attr, &format_attr_ldlat.attr, NULL
};
static const struct attribute_group format_group = { .name = "format", .attrs = format_attrs };

SIM_EVENT(ev_cycles, cpu-cycles, "event=0x3c");
SIM_EVENT(ev_instructions, instructions, "event=0xc0");
SIM_EVENT(ev_ref, ref-cycles, "event=0x00,umask=0x03");
SIM_EVENT(ev_bus, bus-cycles, "event=0x3c,umask=0x01");
SIM_EVENT(ev_cache, cache-references, "event=0x2e,umask=0x4f");
SIM_EVENT(ev_cache_misses, cache-misses, "event=0x2e,umask=0x41");
SIM_EVENT(ev_branches, branch-instructions, "event=0xc4");
SIM_EVENT(ev_branch_misses, branch-misses, "event=0xc5");
SIM_EVENT(ev_loads, mem-loads, "event=0xcd,umask=0x1,ldlat=3");
SIM_EVENT(ev_stores, mem-stores, "event=0xcd,umask=0x2");
SIM_EVENT(ev_loads_aux, mem-loads-aux, "event=0x03,umask=0x82");
static struct attribute *event_attrs[] = {
	&ev_cycles.attr.attr, &ev_instructions.attr.attr, &ev_ref.attr.attr, &ev_bus.attr.attr,
	&ev_cache.attr.attr, &ev_cache_misses.attr.attr, &ev_branches.attr.attr, &ev_branch_misses.attr.attr,
	&ev_loads.attr.attr, &ev_stores.attr.attr, &ev_loads_aux.attr.attr, NULL
};

static umode_t event_visible(struct kobject *kobj, struct attribute *attr, int i)
{
	return attr == &ev_loads_aux.attr.attr && !aux ? 0 : attr->mode;
}
static const struct attribute_group events_group = {
	.name = "events", .attrs = event_attrs, .is_visible = event_visible
};

static ssize_t max_precise_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "3\n");
}
static DEVICE_ATTR_RO(max_precise);

static ssize_t pmu_name_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "simpmu\n");
}
static DEVICE_ATTR_RO(pmu_name);

static struct attribute *caps_attrs[] = { &dev_attr_max_precise.attr, &dev_attr_pmu_name.attr, NULL };
static const struct attribute_group caps_group = { .name = "caps", .attrs = caps_attrs };

static const struct attribute_group *groups[] = { &format_group, &events_group, &caps_group, NULL };

static const struct pmu template = {
	.module		= THIS_MODULE,
	.attr_groups	= groups,
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
	rc = find_overflow();
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
