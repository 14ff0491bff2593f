/* SPDX-License-Identifier: GPL-2.0 */
/* An event of the CPU's PMU, for the files that count, sample and describe it. */
#ifndef SIMPMU_CORE_H
#define SIMPMU_CORE_H

#include <linux/hrtimer.h>

#include "simpmu.h"

/* umask << 8 | event of those that have a counter of their own. */
#define CYCLES		0x003c
#define INSTRUCTIONS	0x00c0
#define REF_CYCLES	0x0300

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

/* Brings the count, and what is left of the period, up to now. */
void sim_core_update(struct perf_event *event);

/*
 * A counter of this CPU for an event, to be given back: its kind, or -EAGAIN if
 * none is free. Interrupts are off.
 */
int sim_counter_take(u32 code);
void sim_counter_give_back(int kind);

/* A group that can never be scheduled as a whole is refused when it is opened. */
bool sim_group_fits(struct perf_event *event);

/* The timer that samples. find is for once, before all else. */
int sim_sampling_find(void);
void sim_sampling_init(struct perf_event *event);
void sim_sampling_start(struct perf_event *event);
void sim_sampling_stop(struct perf_event *event);

extern bool sim_core_aux;	/* mem-loads needs mem-loads-aux */
extern unsigned int sim_core_max_precise;
extern const struct attribute_group *sim_core_groups[];

#endif
