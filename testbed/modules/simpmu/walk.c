// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/simpmu: threads say which memory they walk, so that those that run at the
 * same time walk different buffers.
 *
 * write "BASE SIZE [LEVEL [LINES]]"
 *				the accesses of the calling thread go there, round and
 *				round; all its loads are served by that LEVEL ("-": by
 *				that of each line); the memory controllers move so many
 *				LINES a millisecond while it runs
 * write "-"			they follow mem_base and mem_size again
 *
 * What a thread says holds on whatever CPU it runs, until it says something else,
 * exits, or closes the file. One write(2) is one statement.
 *
 * A thread's entry holds a reference to its task, whose address is nobody else's
 * until the file is closed: an exit needs no care, and a module in use is not unloaded.
 */
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/math64.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/topology.h>
#include <linux/uaccess.h>

#include "simpmu.h"

#define MAX_LINES 10000000	/* 640 GB a second: keeps the sums far from 64 bits */

/* What a thread said. */
struct walk {
	struct hlist_node by_task;
	struct list_head of_file;
	struct task_struct *task;
	u64 base, size;		/* size 0: it has left */
	int level;
	u64 loads, stores;	/* accesses so far */
	u64 lines;		/* per ms that memory controllers move */
	u64 since;		/* the task's time on CPUs up to which they are in moved */
	int package;		/* whose controllers: those of the CPU where it was said */
};

/* Samples are taken in interrupts. */
static DEFINE_RAW_SPINLOCK(lock);
static DEFINE_HASHTABLE(walks, 6);

/* What threads had the controllers of a package move, in lines / ms * ns. */
static u64 moved[SIM_PACKAGES];

/*
 * Adds what it moved since the last time to the sums; the caller holds the lock. The scheduler brings
 * a task's time up to date at each tick and switch: what is added is at most a tick behind.
 */
static void settle(struct walk *w)
{
	u64 now = READ_ONCE(w->task->se.sum_exec_runtime);

	moved[w->package] += w->lines * (now - w->since);
	w->since = now;
}

u64 sim_walk_lines(int package)
{
	struct walk *w;
	unsigned long flags;
	u64 sum;
	int i;

	raw_spin_lock_irqsave(&lock, flags);
	hash_for_each(walks, i, w, by_task)
		settle(w);
	sum = moved[package];
	raw_spin_unlock_irqrestore(&lock, flags);
	return div_u64(sum, NSEC_PER_MS);
}

/* The caller holds the lock. */
static struct walk *walk_of(const struct task_struct *task)
{
	struct walk *w;

	hash_for_each_possible(walks, w, by_task, (unsigned long)task)
		if (w->task == task)
			return w;
	return NULL;
}

bool sim_walk_next(bool load, u64 *address, int *level)
{
	struct walk *w;
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	w = walk_of(current);
	if (w && w->size) {
		u64 *nth = load ? &w->loads : &w->stores;

		*address = w->base + (64 * (*nth)++) % w->size;
		*level = w->level;
	} else {
		w = NULL;
	}
	raw_spin_unlock_irqrestore(&lock, flags);
	return w;
}

/* The calling thread walks that; size 0: nothing of its own. */
static int declare(struct list_head *file, u64 base, u64 size, int level, u64 lines)
{
	struct walk *w, *made = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	w = walk_of(current);
	raw_spin_unlock_irqrestore(&lock, flags);
	if (!w) {
		made = kzalloc(sizeof(*made), GFP_KERNEL);
		if (!made)
			return -ENOMEM;
		made->task = get_task_struct(current);
	}
	raw_spin_lock_irqsave(&lock, flags);
	/* Only current makes its own entry, but another thread may have closed the file of an old one. */
	w = walk_of(current);
	if (!w && made) {
		w = made;
		hash_add(walks, &w->by_task, (unsigned long)current);
		list_add(&w->of_file, file);
	}
	if (w) {
		settle(w);
		list_move(&w->of_file, file);
		w->lines = lines;
		w->package = topology_physical_package_id(smp_processor_id()) % SIM_PACKAGES;
		w->base = base;
		w->size = size;
		w->level = level;
	}
	raw_spin_unlock_irqrestore(&lock, flags);
	return w ? 0 : -EAGAIN;
}

/* BASE SIZE [LEVEL [LINES]] */
static int parse(struct list_head *file, char *text)
{
	char *base = strsep(&text, " "), *size = strsep(&text, " "), *level = strsep(&text, " "), *lines = strsep(&text, " ");
	u64 from, bytes, moves = 0;
	int n = SIM_LEVEL_OF_LINE, err;

	if (!size || text)
		return -EINVAL;
	err = kstrtou64(base, 0, &from);
	if (!err)
		err = kstrtou64(size, 0, &bytes);
	if (level && !strcmp(level, "-"))
		level = NULL;
	if (!err && level)
		err = kstrtoint(level, 10, &n);
	if (!err && lines)
		err = kstrtou64(lines, 10, &moves);
	if (err)
		return err;
	if ((level && (n < 0 || n >= SIM_LEVELS)) || moves > MAX_LINES)
		return -ERANGE;
	if (!bytes || bytes % 64)
		return -EINVAL;
	return declare(file, from, bytes, n, moves);
}

static int walk_open(struct inode *inode, struct file *file)
{
	struct list_head *entries = kmalloc(sizeof(*entries), GFP_KERNEL);

	if (!entries)
		return -ENOMEM;
	INIT_LIST_HEAD(entries);
	file->private_data = entries;
	return 0;
}

/* Nobody writes to the file any more, but its threads may be sampled, or say something to another one. */
static int walk_release(struct inode *inode, struct file *file)
{
	struct list_head *entries = file->private_data;
	struct walk *w, *more;
	unsigned long flags;
	LIST_HEAD(gone);

	raw_spin_lock_irqsave(&lock, flags);
	list_for_each_entry(w, entries, of_file) {
		settle(w);
		hash_del(&w->by_task);
	}
	list_splice(entries, &gone);
	raw_spin_unlock_irqrestore(&lock, flags);
	list_for_each_entry_safe(w, more, &gone, of_file) {
		put_task_struct(w->task);
		kfree(w);
	}
	kfree(entries);
	return 0;
}

static ssize_t walk_write(struct file *file, const char __user *from, size_t n, loff_t *at)
{
	char text[64];
	char *statement;
	int err;

	if (n >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, n))
		return -EFAULT;
	text[n] = 0;
	statement = strim(text);
	if (!strcmp(statement, "-"))
		err = declare(file->private_data, 0, 0, SIM_LEVEL_OF_LINE, 0);
	else
		err = parse(file->private_data, statement);
	return err ? err : n;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = walk_open,
	.release = walk_release,
	.write = walk_write,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "simpmu",
	.fops = &operations,
	.mode = 0666,
};

int sim_walk_init(void)
{
	return misc_register(&device);
}

void sim_walk_exit(void)
{
	misc_deregister(&device);
}
