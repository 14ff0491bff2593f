// SPDX-License-Identifier: GPL-2.0
/*
 * Which function each thread says it is in.
 *
 * A thread's entry is found by the address of its task, which nobody else gets
 * before the thread's exit, and is taken out at that exit. Functions stay until
 * the module is unloaded, so that a reading may keep their names.
 */
#include <linux/hashtable.h>
#include <linux/jhash.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "simrapl.h"

static DEFINE_HASHTABLE(threads, 8);
static DEFINE_HASHTABLE(functions, 8);
static LIST_HEAD(in_order);
static unsigned int count;

static u32 hash_of(const char *name)
{
	return jhash(name, strlen(name), 0);
}

struct sim_thread *sim_thread_of(const struct task_struct *task)
{
	struct sim_thread *t;

	hash_for_each_possible(threads, t, by_task, (unsigned long)task)
		if (t->task == task)
			return t;
	return NULL;
}

struct sim_function *sim_function_named(const char *name)
{
	struct sim_function *f;

	hash_for_each_possible(functions, f, by_name, hash_of(name))
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}

static int prepare_thread(void)
{
	struct sim_thread *t;
	unsigned long flags = sim_lock();
	bool have = sim_thread_of(current);

	sim_unlock(flags);
	if (have)
		return 0;
	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;
	t->task = current;
	/* Only current makes its own entry: nobody can have been faster. */
	flags = sim_lock();
	hash_add(threads, &t->by_task, (unsigned long)current);
	sim_unlock(flags);
	return 0;
}

static int prepare_function(const char *name)
{
	struct sim_function *f;
	unsigned long flags = sim_lock();
	bool have = sim_function_named(name);
	int err = 0;

	sim_unlock(flags);
	if (have)
		return 0;
	f = kzalloc(sizeof(*f), GFP_KERNEL);
	if (!f)
		return -ENOMEM;
	strscpy(f->name, name, sizeof(f->name));
	flags = sim_lock();
	if (sim_function_named(name)) {
		/* another thread was faster */
	} else if (count == SIM_FUNCTIONS) {
		err = -ENOSPC;
	} else {
		hash_add(functions, &f->by_name, hash_of(name));
		list_add_tail(&f->in_order, &in_order);
		count++;
		f = NULL;
	}
	sim_unlock(flags);
	kfree(f);
	return err;
}

/* Makes what is missing of the current thread and the function. May sleep. */
int sim_functions_prepare(const char *name)
{
	int err = prepare_function(name);

	return err ? err : prepare_thread();
}

/* Takes a thread's entry out; the caller frees it, outside the lock. */
struct sim_thread *sim_thread_forget(const struct task_struct *task)
{
	struct sim_thread *t = sim_thread_of(task);

	if (t)
		hash_del(&t->by_task);
	return t;
}

void sim_functions_reset(void)
{
	struct sim_function *f;

	list_for_each_entry(f, &in_order, in_order)
		f->ns = f->pj = f->dram_pj = f->entries = 0;
}

/* Functions that were not entered since the last reset are left out. */
unsigned int sim_functions_read(struct sim_function_books *to)
{
	struct sim_function *f;
	unsigned int n = 0;

	list_for_each_entry(f, &in_order, in_order)
		if (f->ns || f->entries)
			to[n++] = (struct sim_function_books){
				.name = f->name,
				.ns = f->ns,
				.pj = f->pj,
				.dram_pj = f->dram_pj,
				.entries = f->entries,
			};
	return n;
}

/* At unload, when nothing runs in the module any more. */
void sim_functions_free(void)
{
	struct sim_function *f, *more;
	struct sim_thread *t;
	struct hlist_node *next;
	int i;

	hash_for_each_safe(threads, i, next, t, by_task)
		kfree(t);
	list_for_each_entry_safe(f, more, &in_order, in_order)
		kfree(f);
}
