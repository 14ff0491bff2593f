// SPDX-License-Identifier: GPL-2.0
/*
 * Faults on order: a package counter that jumps or goes back, counters that
 * stand still, a perf PMU whose events refuse to open.
 */
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/perf_event.h>

#include "simrapl.h"

static s64 jumps[SIM_PACKAGES];
static uint jump_pkg;

/* By how much the counter of a package has jumped so far; the caller holds the lock. */
s64 sim_jump_uj(int package)
{
	return jumps[package];
}

static int set_jump_pkg(const char *value, const struct kernel_param *kp)
{
	return param_set_uint_minmax(value, kp, 0, SIM_PACKAGES - 1);
}

static const struct kernel_param_ops jump_pkg_ops = { .set = set_jump_pkg, .get = param_get_uint };
module_param_cb(jump_pkg, &jump_pkg_ops, &jump_pkg, 0644);
MODULE_PARM_DESC(jump_pkg, "the package whose counter jumps");

static int set_jump(const char *value, const struct kernel_param *kp)
{
	unsigned long flags;
	s64 uj;
	int err = kstrtos64(value, 0, &uj);

	if (err)
		return err;
	flags = sim_lock();
	jumps[jump_pkg] += uj;
	sim_unlock(flags);
	return 0;
}

/* A jump happens once: writing back what was read does nothing. */
static int get_jump(char *to, const struct kernel_param *kp)
{
	return sysfs_emit(to, "0\n");
}

static const struct kernel_param_ops jump_ops = { .set = set_jump, .get = get_jump };
module_param_cb(jump_uj, &jump_ops, NULL, 0644);
MODULE_PARM_DESC(jump_uj, "written N: the package counter of jump_pkg jumps by N uJ, once; it goes back if N is negative");

static int set_freeze(const char *value, const struct kernel_param *kp)
{
	unsigned long flags;
	bool v;
	int err = kstrtobool(value, &v);

	if (err)
		return err;
	flags = sim_lock();
	sim_settle();
	sim_freeze = v;
	sim_unlock(flags);
	return 0;
}

static const struct kernel_param_ops freeze_ops = { .set = set_freeze, .get = param_get_bool };
module_param_cb(freeze, &freeze_ops, &sim_freeze, 0644);
MODULE_PARM_DESC(freeze, "1: the counters stand still, and the energy of that time is never shown");

static int open_errno;

/* int rapl_pmu_event_init(struct perf_event *event) */
static int on_open(struct kprobe *p, struct pt_regs *regs)
{
	const struct perf_event *event = (const struct perf_event *)regs->di;

	/* perf also asks PMUs for events of others, which are not refused here. */
	if (event->attr.type != event->pmu->type)
		return 0;
	sim_answer(regs, (u64)(s64)-READ_ONCE(open_errno));
	return 1;
}

static struct kprobe opens;
static bool refusing;

static int refuse(void)
{
	int err;

	opens = (struct kprobe){
		/* intel_rapl_common.ko has a function of this name too */
		.symbol_name = "rapl:rapl_pmu_event_init",
		.pre_handler = on_open,
		.post_handler = sim_no_optimising,
	};
	err = register_kprobe(&opens);
	if (err)
		pr_err("simrapl: open_errno: no probe in rapl.ko (%d): is it loaded?\n", err);
	refusing = !err;
	return err;
}

/* Called with the lock of the module's parameters, so never by two at once. */
static int set_open_errno(const char *value, const struct kernel_param *kp)
{
	int v, err = kstrtoint(value, 0, &v);

	if (err)
		return err;
	if (v < 0 || v > MAX_ERRNO)
		return -ERANGE;
	sim_faults_stop();
	WRITE_ONCE(open_errno, v);
	err = v ? refuse() : 0;
	if (err)
		WRITE_ONCE(open_errno, 0);
	return err;
}

static const struct kernel_param_ops open_errno_ops = {
	.set = set_open_errno,
	.get = param_get_int,
};
module_param_cb(open_errno, &open_errno_ops, &open_errno, 0644);
MODULE_PARM_DESC(open_errno, "N: events of rapl.ko's PMU do not open, with error N; rapl.ko is loaded at the time of writing");

void sim_faults_stop(void)
{
	if (refusing)
		unregister_kprobe(&opens);
	refusing = false;
}
