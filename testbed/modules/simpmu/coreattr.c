// SPDX-License-Identifier: GPL-2.0
/* What sysfs says of the CPU's PMU: the formats and events that Intel's servers have. */
#include "core.h"

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
	return attr == &ev_loads_aux.attr.attr && !sim_core_aux ? 0 : attr->mode;
}
static const struct attribute_group events_group = {
	.name = "events", .attrs = event_attrs, .is_visible = event_visible
};

static ssize_t max_precise_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(sim_core_max_precise));
}
static DEVICE_ATTR_RO(max_precise);

static ssize_t pmu_name_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "simpmu\n");
}
static DEVICE_ATTR_RO(pmu_name);

static struct attribute *caps_attrs[] = { &dev_attr_max_precise.attr, &dev_attr_pmu_name.attr, NULL };
static const struct attribute_group caps_group = { .name = "caps", .attrs = caps_attrs };

const struct attribute_group *sim_core_groups[] = { &format_group, &events_group, &caps_group, NULL };
