// SPDX-License-Identifier: GPL-2.0
/*
 * Samples of the CPU's events.
 *
 * A timer of the event's CPU samples: at the period in counts, several samples
 * at once if it is below 200 us, up to 16, and what comes on top is dropped as
 * by hardware that overflows again while it is served. An idle CPU gives no
 * sample.
 */
#include <linux/kprobes.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/version.h>
#include <asm/irq_regs.h>

#include "core.h"

#define BURST		16
#define MIN_TIMER_NS	200000
#define MAX_TIMER_MS	3600000ULL

/*
 * perf_event_overflow() counts samples for throttling and is not exported; a
 * kprobe knows its address.
 */
static int (*overflow)(struct perf_event *, struct perf_sample_data *, struct pt_regs *);

int sim_sampling_find(void)
{
	struct kprobe probe = { .symbol_name = "perf_event_overflow" };
	int rc = register_kprobe(&probe);

	if (rc)
		return rc;
	overflow = (void *)probe.addr;
	unregister_kprobe(&probe);
	return 0;
}

static ktime_t until_overflow(struct perf_event *event)
{
	u64 rate = core_event(event)->rate;
	/* A longest time, too: a quotient of more than 64 bits is a fault on x86. */
	u64 left = clamp_t(s64, local64_read(&event->hw.period_left), 1, rate * MAX_TIMER_MS);
	u64 ns = mul_u64_u64_div_u64(left, NSEC_PER_MS, rate) + 1;

	return ns_to_ktime(max_t(u64, ns, MIN_TIMER_NS));
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

static enum hrtimer_restart sampling_timer(struct hrtimer *timer)
{
	struct core_event *ce = container_of(timer, struct core_event, timer);
	struct perf_event *event = ce->event;
	struct pt_regs *regs = get_irq_regs();
	int n = 0;

	if (event->state != PERF_EVENT_STATE_ACTIVE || event->hw.state & PERF_HES_STOPPED)
		return HRTIMER_NORESTART;
	sim_core_update(event);
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

void sim_sampling_init(struct perf_event *event)
{
	struct core_event *ce = core_event(event);

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(&ce->timer, sampling_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
#else
	hrtimer_init(&ce->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	ce->timer.function = sampling_timer;
#endif
}

void sim_sampling_start(struct perf_event *event)
{
	/* 0: perf changed the period. Below: the sample is still due from before. */
	if (!local64_read(&event->hw.period_left))
		local64_set(&event->hw.period_left, event->hw.sample_period);
	hrtimer_start(&core_event(event)->timer, until_overflow(event), HRTIMER_MODE_REL_PINNED_HARD);
}

/* perf may stop an event from inside its timer: never wait for that. */
void sim_sampling_stop(struct perf_event *event)
{
	hrtimer_try_to_cancel(&core_event(event)->timer);
}
