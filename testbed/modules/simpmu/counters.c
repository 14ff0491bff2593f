// SPDX-License-Identifier: GPL-2.0
/*
 * The counters of a CPU, and which event goes on which.
 *
 * Three fixed ones take one event each of cycles, instructions and ref-cycles
 * (which has no other); "counters" programmable ones take the rest.
 */
#include <linux/module.h>
#include <linux/percpu.h>

#include "core.h"

static unsigned int counters = 4;
module_param(counters, uint, 0644);
MODULE_PARM_DESC(counters, "number of programmable counters");

enum { INSTRUCTIONS_FIXED, CYCLES_FIXED, REF_FIXED, PROGRAMMABLE, KINDS };

/* Events on each kind of counter of a CPU. Changed on it with interrupts off. */
struct used {
	unsigned int n[KINDS];
};
static DEFINE_PER_CPU(struct used, used);

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

int sim_counter_take(u32 code)
{
	struct used *u = this_cpu_ptr(&used);
	int kind = choose(u, code);

	if (kind == KINDS)
		return -EAGAIN;
	u->n[kind]++;
	return kind;
}

void sim_counter_give_back(int kind)
{
	this_cpu_ptr(&used)->n[kind]--;
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

bool sim_group_fits(struct perf_event *event)
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
