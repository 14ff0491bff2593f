// SPDX-License-Identifier: GPL-2.0
/*
 * What all counters outside the cores have in common: the perf callbacks, the
 * cpumask with one CPU for each unit, and the move to another CPU when that
 * one goes offline.
 */
#include <linux/cpu.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/topology.h>

#include "simpmu.h"

/*
 * All boxes, for CPU hotplug. They change while the module loads or unloads, and
 * under cpus_read_lock(), which keeps the callbacks out.
 */
#define MAX_BOXES 32
static struct sim_box *boxes[MAX_BOXES];

bool sim_same_package(int a, int b)
{
	return topology_physical_package_id(a) == topology_physical_package_id(b);
}

static ssize_t cpumask_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct pmu *pmu = dev_get_drvdata(dev);
	struct sim_box *box = container_of(pmu, struct sim_box, pmu);

	return cpumap_print_to_pagebuf(true, buf, &box->cpus);
}
static DEVICE_ATTR_RO(cpumask);

static struct attribute *cpumask_attrs[] = { &dev_attr_cpumask.attr, NULL };
const struct attribute_group sim_cpumask_group = { .attrs = cpumask_attrs };

/* The CPU of the mask that reads what cpu would read, or nr_cpu_ids. */
static unsigned int reader_of(struct sim_box *box, int cpu)
{
	unsigned int reader;

	for_each_cpu(reader, &box->cpus)
		if (box->same_unit(reader, cpu))
			return reader;
	return nr_cpu_ids;
}

int sim_box_init_event(struct perf_event *event)
{
	struct sim_box *box;
	int rc;

	if (event->attr.type != event->pmu->type)
		return -ENOENT;
	box = sim_box(event);
	rc = sim_open_fault(box->kind);
	if (rc)
		return rc;
	if (event->attr.sample_period || event->attach_state & PERF_ATTACH_TASK || event->cpu < 0)
		return -EINVAL;
	rc = box->check(event);
	if (rc)
		return rc;
	/* As drivers do: whatever CPU was asked for, its unit's reader counts. */
	if (!cpumask_test_cpu(event->cpu, &box->cpus)) {
		unsigned int reader = reader_of(box, event->cpu);

		if (reader >= nr_cpu_ids)
			return -EINVAL;
		event->cpu = reader;
	}
	return 0;
}

static void update(struct perf_event *event)
{
	u64 now = sim_box(event)->count(event, ktime_get_mono_fast_ns());
	u64 prev = local64_xchg(&event->hw.prev_count, now);

	if ((s64)(now - prev) > 0)
		local64_add(now - prev, &event->count);
}

void sim_box_start(struct perf_event *event, int flags)
{
	event->hw.state = 0;
	local64_set(&event->hw.prev_count, sim_box(event)->count(event, ktime_get_mono_fast_ns()));
	perf_event_update_userpage(event);
}

void sim_box_stop(struct perf_event *event, int flags)
{
	if (event->hw.state & PERF_HES_STOPPED)
		return;
	update(event);
	event->hw.state |= PERF_HES_STOPPED | PERF_HES_UPTODATE;
}

int sim_box_add(struct perf_event *event, int flags)
{
	event->hw.state = PERF_HES_STOPPED | PERF_HES_UPTODATE;
	if (flags & PERF_EF_START)
		sim_box_start(event, 0);
	return 0;
}

void sim_box_del(struct perf_event *event, int flags)
{
	sim_box_stop(event, PERF_EF_UPDATE);
	perf_event_update_userpage(event);
}

void sim_box_read(struct perf_event *event)
{
	if (!(event->hw.state & PERF_HES_STOPPED))
		update(event);
}

/*
 * From the choice of its CPUs until hotplug knows the box no CPU comes or goes.
 * Of CPUs that a box is given those count that are online.
 */
int sim_box_register(struct sim_box *box)
{
	unsigned int cpu;
	int i, rc;

	if (!box->same_unit)
		box->same_unit = sim_same_package;
	box->pmu.module = THIS_MODULE;
	box->pmu.task_ctx_nr = perf_invalid_context;
	box->pmu.capabilities |= PERF_PMU_CAP_NO_INTERRUPT | PERF_PMU_CAP_NO_EXCLUDE;
	cpus_read_lock();
	for (i = 0; i < MAX_BOXES && boxes[i]; i++)
		;
	if (i == MAX_BOXES) {
		rc = -ENOSPC;
		goto out;
	}
	cpumask_and(&box->cpus, &box->cpus, cpu_online_mask);
	if (cpumask_empty(&box->cpus))
		for_each_online_cpu(cpu)
			if (reader_of(box, cpu) >= nr_cpu_ids)
				cpumask_set_cpu(cpu, &box->cpus);
	rc = perf_pmu_register(&box->pmu, box->name, -1);
	if (rc)
		goto out;
	box->registered = true;
	boxes[i] = box;
out:
	cpus_read_unlock();
	return rc;
}

void sim_box_unregister(struct sim_box *box)
{
	int i;

	if (!box->registered)
		return;
	cpus_read_lock();
	for (i = 0; i < MAX_BOXES; i++)
		if (boxes[i] == box)
			boxes[i] = NULL;
	cpus_read_unlock();
	perf_pmu_unregister(&box->pmu);
	box->registered = false;
}

/* A unit whose CPUs were all offline has a reader again. */
void sim_boxes_online(unsigned int cpu)
{
	int i;

	for (i = 0; i < MAX_BOXES; i++)
		if (boxes[i] && reader_of(boxes[i], cpu) >= nr_cpu_ids)
			cpumask_set_cpu(cpu, &boxes[i]->cpus);
}

/* Another CPU of the unit takes the counters over, with what they counted. */
void sim_boxes_offline(unsigned int cpu)
{
	unsigned int to;
	int i;

	for (i = 0; i < MAX_BOXES; i++) {
		struct sim_box *box = boxes[i];

		if (!box || !cpumask_test_and_clear_cpu(cpu, &box->cpus))
			continue;
		/* Of a list that shows more CPUs than units one may be left. */
		to = reader_of(box, cpu);
		if (to >= nr_cpu_ids) {
			for_each_online_cpu(to)
				if (to != cpu && box->same_unit(to, cpu))
					break;
			if (to >= nr_cpu_ids)
				continue;
			cpumask_set_cpu(to, &box->cpus);
		}
		perf_pmu_migrate_context(&box->pmu, cpu, to);
	}
}
