// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/simrapl: threads say what they do, tests read the truth.
 *
 * write "NAME MILLIWATTS [DRAM_MILLIWATTS [PACKAGE]]"
 *				the calling thread is in that function from now on, and
 *				draws so much of its CPU and of a package's memory
 * write "-"			the calling thread has left
 * write "reset"		the books start anew
 * read				the books, all as of one instant
 *
 * One write(2) is one statement. A reading is made when a read starts at the
 * beginning, so that pread at 0 gives a new one.
 */
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "simrapl.h"

#define MAX_MW		1000000
#define LINE		(SIM_NAME + 256)	/* the longest line of a reading */

struct reading {
	struct mutex lock;
	char *text;
	size_t length;
};

static int sim_open(struct inode *inode, struct file *file)
{
	struct reading *r = kzalloc(sizeof(*r), GFP_KERNEL);

	if (!r)
		return -ENOMEM;
	mutex_init(&r->lock);
	file->private_data = r;
	return 0;
}

static int sim_release(struct inode *inode, struct file *file)
{
	struct reading *r = file->private_data;

	kvfree(r->text);
	kfree(r);
	return 0;
}

static u64 nj(u64 pj)
{
	return pj / 1000;
}

static void print_books(struct reading *r, const struct sim_books *b, size_t size)
{
	unsigned int i;

	r->length = 0;
	for (i = 0; i < b->n; i++) {
		const struct sim_function_books *f = &b->functions[i];

		r->length += scnprintf(r->text + r->length, size - r->length,
				       "function %s ns %llu nj %llu entries %llu dram_nj %llu\n",
				       f->name, f->ns, nj(f->pj), f->entries, nj(f->dram_pj));
	}
	for (i = 0; i < SIM_PACKAGES; i++) {
		const struct sim_package_books *p = &b->packages[i];

		if (!p->known)
			continue;
		r->length += scnprintf(r->text + r->length, size - r->length,
				       "package %u static_nj %llu other_nj %llu idle_nj %llu total_nj %llu functions_nj %llu ns %llu dram_static_nj %llu dram_functions_nj %llu\n",
				       i, nj(p->static_pj), nj(p->other_pj), nj(p->idle_pj),
				       nj(p->static_pj + p->other_pj + p->idle_pj + p->functions_pj),
				       nj(p->functions_pj), b->ns,
				       nj(p->dram_static_pj), nj(p->dram_functions_pj));
	}
}

static int make_reading(struct reading *r)
{
	struct sim_books *b = kvzalloc(sizeof(*b), GFP_KERNEL);
	size_t size;
	int err = 0;

	if (!b)
		return -ENOMEM;
	sim_read_books(b);
	size = (b->n + 2 * SIM_PACKAGES) * LINE;
	kvfree(r->text);
	r->text = kvmalloc(size, GFP_KERNEL);
	if (r->text)
		print_books(r, b, size);
	else
		err = -ENOMEM;
	kvfree(b);
	return err;
}

static ssize_t sim_read(struct file *file, char __user *to, size_t n, loff_t *at)
{
	struct reading *r = file->private_data;
	ssize_t got = 0;

	mutex_lock(&r->lock);
	if (*at == 0 || !r->text)
		got = make_reading(r);
	if (!got)
		got = simple_read_from_buffer(to, n, at, r->text, r->length);
	mutex_unlock(&r->lock);
	return got;
}

/* The next word of a statement, which is a number. */
static int number(char **rest, unsigned int *value)
{
	char *word = strsep(rest, " ");

	return word ? kstrtouint(word, 10, value) : -EINVAL;
}

/* The words after the name. What is left out is no power, of the memory of the CPU's package. */
static int parse_draw(char *rest, struct sim_draw *draw)
{
	unsigned int package;
	int err = number(&rest, &draw->mw);

	draw->dram_mw = 0;
	draw->memory = -1;
	if (!err && rest)
		err = number(&rest, &draw->dram_mw);
	if (!err && rest) {
		err = number(&rest, &package);
		if (!err && package >= SIM_PACKAGES)
			err = -ENXIO;
		draw->memory = package;
	}
	if (err)
		return err;
	if (rest)
		return -EINVAL;
	return draw->mw > MAX_MW || draw->dram_mw > MAX_MW ? -ERANGE : 0;
}

static int declare(char *statement)
{
	char *rest = statement, *name = strsep(&rest, " ");
	struct sim_draw draw;
	int err;

	if (!*name || strlen(name) >= SIM_NAME)
		return -EINVAL;
	err = parse_draw(rest, &draw);
	if (err)
		return err;
	/* The usual case comes first: a function and a thread that are known. */
	err = sim_declare(name, &draw);
	if (err != -ENOENT)
		return err;
	err = sim_functions_prepare(name);
	return err ? err : sim_declare(name, &draw);
}

static ssize_t sim_write(struct file *file, const char __user *from, size_t n, loff_t *at)
{
	char text[SIM_NAME + 32];
	char *statement;
	int err = 0;

	if (n >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, n))
		return -EFAULT;
	text[n] = 0;
	statement = strim(text);
	if (!strcmp(statement, "-"))
		sim_leave();
	else if (!strcmp(statement, "reset"))
		sim_reset();
	else
		err = declare(statement);
	return err ? err : n;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = sim_open,
	.release = sim_release,
	.read = sim_read,
	.write = sim_write,
	.llseek = default_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "simrapl",
	.fops = &operations,
	.mode = 0666,
};

int sim_device_start(void)
{
	return misc_register(&device);
}

void sim_device_stop(void)
{
	misc_deregister(&device);
}
