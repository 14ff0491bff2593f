/* SPDX-License-Identifier: GPL-2.0 */
/* simpmu: perf PMUs of known counts, for testing a profiler in a virtual machine. */
#ifndef SIMPMU_H
#define SIMPMU_H

#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/perf_event.h>
#include <linux/types.h>

#define NSEC_PER_MS 1000000ULL
#define SIM_PACKAGES 8

/* An event alias, or its .scale or .unit, as a file of the events directory. */
#define SIM_EVENT(var, name, text) PMU_EVENT_ATTR_STRING(name, var, text)

/*
 * Opening an event of one kind of PMU fails with this errno, as the
 * parameters open_pmu and open_errno say; 0 otherwise.
 */
int sim_open_fault(const char *kind);

/*
 * A box counts outside the cores: one counter per package (or per core) that
 * a single CPU of it reads. It never samples and belongs to no task.
 */
struct sim_box {
	struct pmu pmu;
	char name[32];
	const char *kind;	/* for sim_open_fault() */
	bool registered;
	struct cpumask cpus;	/* the CPUs that events may be opened on */
	bool (*same_unit)(int a, int b);	/* the CPUs read the same counter */

	/* Is the config one that the box knows? 0 or an errno. */
	int (*check)(struct perf_event *event);
	/*
	 * Counts since boot on a counter that never stops, at the time ns.
	 * Only its growth is seen.
	 */
	u64 (*count)(struct perf_event *event, u64 ns);

	/* For uncore.c: what limits the counters. */
	int index, type;
	atomic_t *used;		/* by package and place; NULL: no limit */
};

static inline struct sim_box *sim_box(struct perf_event *event)
{
	return container_of(event->pmu, struct sim_box, pmu);
}

int sim_box_register(struct sim_box *box);
void sim_box_unregister(struct sim_box *box);
int sim_box_init_event(struct perf_event *event);
void sim_box_start(struct perf_event *event, int flags);
void sim_box_stop(struct perf_event *event, int flags);
int sim_box_add(struct perf_event *event, int flags);
void sim_box_del(struct perf_event *event, int flags);
void sim_box_read(struct perf_event *event);
bool sim_same_package(int a, int b);
extern const struct attribute_group sim_cpumask_group;

/* CPUs come and go: the boxes follow. */
void sim_boxes_online(unsigned int cpu);
void sim_boxes_offline(unsigned int cpu);

int sim_uncore_init(void);
void sim_uncore_exit(void);

int sim_power_init(void);
void sim_power_exit(void);

int sim_core_init(void);
void sim_core_exit(void);

/* Does the event sample loads or stores, with their addresses? */
bool sim_mem_is_load(u64 config);
bool sim_mem_is_store(u64 config);

/* The sources of mem.c, by the number of a line; or "as the line says". */
#define SIM_LEVELS		16
#define SIM_LEVEL_OF_LINE	-1

/*
 * walk.c: the address of the current thread's next load or store, and the level of
 * its loads, if it has said what it walks; false if not. Interrupts may be off.
 */
bool sim_walk_next(bool load, u64 *address, int *level);

/* The lines that threads have said memory controllers of a package move for them, up to now. */
u64 sim_walk_lines(int package);
int sim_walk_init(void);
void sim_walk_exit(void);

/*
 * Fills in address, weight and data source of the access that comes next;
 * *nth counts the event's accesses. false: every access is below ldlat.
 */
bool sim_mem_sample(struct perf_event *event, struct perf_sample_data *data, u64 *nth);

#endif
