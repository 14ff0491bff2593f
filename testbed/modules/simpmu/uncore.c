// SPDX-License-Identifier: GPL-2.0
/*
 * Uncore boxes of a Sapphire Rapids: memory controllers (imc) and the two
 * halves of a CXL port (cxlcm, cxldp), with the formats, events, names and
 * counter constraints that arch/x86/events/intel/uncore_snbep.c gives them.
 *
 * The rule: a counter that runs counts, per millisecond,
 *
 *	1000 * event + 10 * umask + box + 1 + 100000 * package
 *
 * with event = config:0-7, umask = config:8-15, the number of the box and the
 * number of the package. edge, inv, thresh and the upper part of the umask
 * are taken and change nothing.
 *
 * With traffic=1 the lines that memory controllers read and write are not counts of
 * the time, but those that threads say they have them move (walk.c): box 0 of a package
 * reads all of them.
 */
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "simpmu.h"

#define MAX_PER_TYPE 8
#define RAW_MASK 0x00ffffffff84ffffULL	/* what the formats below can express */

/* Which counters of a box an event may use. */
enum where { ANY, LOW, HIGH, PLACES };

struct uncore_type {
	const char *name;
	unsigned int id;	/* the number of the discovery table, for "alias" */
	int counters;
	enum where (*where)(u64 config);
	const struct attribute_group *events;
	unsigned int boxes;
	struct sim_box *box[MAX_PER_TYPE];
};

/* cxlcm has 8 counters; sending events count on 0-3 only, receiving ones on 4-7. */
static enum where cxlcm_where(u64 config)
{
	switch (config & 0xff) {
	case 0x02:
	case 0x05:
		return LOW;
	case 0x40 ... 0x43:
	case 0x4b:
	case 0x52:
		return HIGH;
	}
	return ANY;
}

static enum where anywhere(u64 config)
{
	return ANY;
}

SIM_EVENT(imc_clock, clockticks, "event=0x01,umask=0x00");
SIM_EVENT(imc_read, cas_count_read, "event=0x05,umask=0xcf");
SIM_EVENT(imc_read_scale, cas_count_read.scale, "6.103515625e-5");
SIM_EVENT(imc_read_unit, cas_count_read.unit, "MiB");
SIM_EVENT(imc_write, cas_count_write, "event=0x05,umask=0xf0");
SIM_EVENT(imc_write_scale, cas_count_write.scale, "6.103515625e-5");
SIM_EVENT(imc_write_unit, cas_count_write.unit, "MiB");

static struct attribute *imc_event_attrs[] = {
	&imc_clock.attr.attr,
	&imc_read.attr.attr, &imc_read_scale.attr.attr, &imc_read_unit.attr.attr,
	&imc_write.attr.attr, &imc_write_scale.attr.attr, &imc_write_unit.attr.attr,
	NULL
};
static const struct attribute_group imc_events = { .name = "events", .attrs = imc_event_attrs };

static struct uncore_type types[] = {
	{ .name = "imc", .id = 6, .counters = 4, .where = anywhere, .events = &imc_events, .boxes = 4 },
	{ .name = "cxlcm", .id = 12, .counters = 8, .where = cxlcm_where, .boxes = 2 },
	{ .name = "cxldp", .id = 13, .counters = 4, .where = anywhere, .boxes = 2 },
};
module_param_named(imc, types[0].boxes, uint, 0444);
MODULE_PARM_DESC(imc, "number of uncore_imc boxes, up to 8; a single one has no number in its name");
module_param_named(cxlcm, types[1].boxes, uint, 0444);
MODULE_PARM_DESC(cxlcm, "number of uncore_cxlcm boxes");
module_param_named(cxldp, types[2].boxes, uint, 0444);
MODULE_PARM_DESC(cxldp, "number of uncore_cxldp boxes");

/* spr_uncore_raw_format_group of the kernel. */
PMU_FORMAT_ATTR(event, "config:0-7");
PMU_FORMAT_ATTR(umask, "config:8-15,32-55");
PMU_FORMAT_ATTR(edge, "config:18");
PMU_FORMAT_ATTR(inv, "config:23");
PMU_FORMAT_ATTR(thresh, "config:24-31");
static struct attribute *format_attrs[] = {
	&format_attr_event.attr, &format_attr_umask.attr, &format_attr_edge.attr,
	&format_attr_inv.attr, &format_attr_thresh.attr, NULL
};
static const struct attribute_group format_group = { .name = "format", .attrs = format_attrs };

static ssize_t alias_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct pmu *pmu = dev_get_drvdata(dev);
	struct sim_box *box = container_of(pmu, struct sim_box, pmu);
	struct uncore_type *type = &types[box->type];

	if (type->boxes == 1)
		return sysfs_emit(buf, "uncore_type_%u\n", type->id);
	return sysfs_emit(buf, "uncore_type_%u_%d\n", type->id, box->index);
}
static DEVICE_ATTR_RO(alias);
static struct attribute *alias_attrs[] = { &dev_attr_alias.attr, NULL };
static const struct attribute_group alias_group = { .attrs = alias_attrs };

static const struct attribute_group *imc_groups[] = {
	&sim_cpumask_group, &alias_group, &format_group, &imc_events, NULL
};
static const struct attribute_group *cxl_groups[] = {
	&sim_cpumask_group, &alias_group, &format_group, NULL
};

#define CAS_READ	0xcf05
#define CAS_WRITE	0xf005

static bool traffic;
module_param(traffic, bool, 0444);
MODULE_PARM_DESC(traffic, "the lines of memory controllers are those that threads say");

static u64 uncore_count(struct perf_event *event, u64 ns)
{
	u64 config = event->attr.config, code = config & 0xffff, rate;
	struct sim_box *box = sim_box(event);
	int package = topology_physical_package_id(smp_processor_id());

	if (traffic && types[box->type].events == &imc_events && (code == CAS_READ || code == CAS_WRITE))
		return code == CAS_READ && box->index == 0 ? sim_walk_lines(package % SIM_PACKAGES) : 0;
	rate = 1000 * (config & 0xff) + 10 * (config >> 8 & 0xff) + box->index + 1 + 100000ULL * package;
	return mul_u64_u64_div_u64(ns, rate, NSEC_PER_MS);
}

/*
 * Do so many events of each kind fit? Counters are alike but for the
 * constraints, so counting is as good as assigning: the kernel's scheduler,
 * too, moves a free event out of the way of a constrained one.
 */
static bool fits(const struct uncore_type *type, const int n[PLACES])
{
	int half = type->counters / 2;

	return n[LOW] <= half && n[HIGH] <= half && n[ANY] + n[LOW] + n[HIGH] <= type->counters;
}

/* A group that can never be scheduled is refused at once, as the kernel does. */
static int uncore_check(struct perf_event *event)
{
	struct uncore_type *type = &types[sim_box(event)->type];
	struct perf_event *leader = event->group_leader, *sibling;
	int n[PLACES] = {};

	if (event->attr.config & ~RAW_MASK)
		return -EINVAL;
	if (leader == event)
		return 0;
	n[type->where(event->attr.config)]++;
	if (leader->pmu == event->pmu)
		n[type->where(leader->attr.config)]++;
	for_each_sibling_event(sibling, leader)
		if (sibling->pmu == event->pmu)
			n[type->where(sibling->attr.config)]++;
	return fits(type, n) ? 0 : -EINVAL;
}

/* The counters in use of the box in this CPU's package, by where. */
static atomic_t *used_here(struct sim_box *box)
{
	return box->used + PLACES * (topology_physical_package_id(smp_processor_id()) % SIM_PACKAGES);
}

/*
 * Takes a counter of the package's box, or says that none is free, upon which
 * perf rotates. The one CPU that reads a package's boxes does this, with
 * interrupts off.
 */
static int uncore_add(struct perf_event *event, int flags)
{
	struct sim_box *box = sim_box(event);
	struct uncore_type *type = &types[box->type];
	int i, n[PLACES], where = type->where(event->attr.config);
	atomic_t *used = used_here(box);

	for (i = 0; i < PLACES; i++)
		n[i] = atomic_read(&used[i]);
	n[where]++;
	if (!fits(type, n))
		return -EAGAIN;
	atomic_inc(&used[where]);
	return sim_box_add(event, flags);
}

static void uncore_del(struct perf_event *event, int flags)
{
	struct sim_box *box = sim_box(event);
	int where = types[box->type].where(event->attr.config);

	sim_box_del(event, flags);
	atomic_dec(&used_here(box)[where]);
}

static struct sim_box *new_box(struct uncore_type *type, int index)
{
	struct sim_box *box = kzalloc(sizeof(*box), GFP_KERNEL);

	if (!box)
		return NULL;
	box->used = kcalloc(SIM_PACKAGES * PLACES, sizeof(*box->used), GFP_KERNEL);
	if (!box->used) {
		kfree(box);
		return NULL;
	}
	if (type->boxes == 1)
		snprintf(box->name, sizeof(box->name), "uncore_%s", type->name);
	else
		snprintf(box->name, sizeof(box->name), "uncore_%s_%d", type->name, index);
	box->kind = "uncore";
	box->index = index;
	box->type = type - types;
	box->check = uncore_check;
	box->count = uncore_count;
	box->pmu = (struct pmu){
		.attr_groups	= type->events ? imc_groups : cxl_groups,
		.event_init	= sim_box_init_event,
		.add		= uncore_add,
		.del		= uncore_del,
		.start		= sim_box_start,
		.stop		= sim_box_stop,
		.read		= sim_box_read,
	};
	return box;
}

static void free_box(struct sim_box *box)
{
	sim_box_unregister(box);
	kfree(box->used);
	kfree(box);
}

void sim_uncore_exit(void)
{
	int t, i;

	for (t = 0; t < ARRAY_SIZE(types); t++)
		for (i = 0; i < MAX_PER_TYPE && types[t].box[i]; i++)
			free_box(types[t].box[i]);
}

int sim_uncore_init(void)
{
	int t, i, rc;

	for (t = 0; t < ARRAY_SIZE(types); t++) {
		types[t].boxes = min_t(unsigned int, types[t].boxes, MAX_PER_TYPE);
		for (i = 0; i < types[t].boxes; i++) {
			struct sim_box *box = new_box(&types[t], i);

			rc = -ENOMEM;
			if (!box)
				goto undo;
			types[t].box[i] = box;
			rc = sim_box_register(box);
			if (rc)
				goto undo;
		}
	}
	return 0;
undo:
	sim_uncore_exit();
	return rc;
}
