// SPDX-License-Identifier: GPL-2.0
/*
 * What precise samples of mem-loads and mem-stores say of an access.
 *
 * The rule: the k-th access of an event goes to
 *
 *	address = mem_base + (64 * k) % mem_size
 *
 * or, of a thread that has said which memory it walks (walk.c), the k-th load or
 * store of the thread to the same of its own base and size; and everything else follows from line = address / 64 alone:
 *
 *	level	levels[line % 16], with its latency, unless the thread has named one
 *	dTLB	missed if line / 16 is odd, which takes 30 cycles more
 *	lock	locked if line / 32 is odd
 *
 * Loads of a latency up to ldlat are passed over. A store hits the L1 cache
 * and takes 4 cycles if its line is even, else misses and takes 200.
 */
#include <linux/module.h>

#include "simpmu.h"

static unsigned long mem_base = 0x10000000;
module_param(mem_base, ulong, 0644);
MODULE_PARM_DESC(mem_base, "address of the buffer that mem-loads and mem-stores report");
static unsigned long mem_size = 64 * 64;
module_param(mem_size, ulong, 0644);
MODULE_PARM_DESC(mem_size, "its size in bytes, a multiple of 64");

#define P(field, value) PERF_MEM_S(field, value)
#define LOAD P(OP, LOAD)
#define REMOTE P(REMOTE, REMOTE)
#define STLB_MISS_CYCLES 30

/*
 * The words as the kernel composes them for a load: those of the load latency
 * facility's data sources (arch/x86/events/intel/ds.c), in the older form with
 * the place in mem_lvl and in the newer one with mem_lvl_num, mem_remote and
 * mem_hops; CXL as arch/x86/events/amd/ibs.c has it.
 */
static const struct {
	u64 source;
	u32 latency;	/* cycles */
} levels[SIM_LEVELS] = {
	{ LOAD | P(LVL, HIT) | P(LVL, L1) | P(LVLNUM, L1) | P(SNOOP, NONE), 5 },
	{ LOAD | P(LVL, HIT) | P(LVL, LFB) | P(LVLNUM, LFB) | P(SNOOP, NONE), 12 },
	{ LOAD | P(LVL, HIT) | P(LVL, L2) | P(LVLNUM, L2) | P(SNOOP, NONE), 16 },
	{ LOAD | P(LVL, HIT) | P(LVL, L3) | P(LVLNUM, L3) | P(SNOOP, NONE), 45 },
	{ LOAD | P(LVL, HIT) | P(LVL, L3) | P(LVLNUM, L3) | P(SNOOP, HITM), 80 },
	{ LOAD | P(LVL, HIT) | P(LVL, LOC_RAM) | P(LVLNUM, RAM) | P(SNOOP, HIT), 180 },
	/* remote memory: without and with the place in mem_lvl */
	{ LOAD | P(LVL, HIT) | P(LVLNUM, RAM) | REMOTE | P(SNOOP, NONE), 300 },
	{ LOAD | P(LVL, HIT) | P(LVL, REM_RAM1) | P(LVLNUM, RAM) | REMOTE | P(SNOOP, HIT), 310 },
	/* another socket's cache */
	{ LOAD | P(LVL, HIT) | P(LVL, REM_CCE1) | P(LVLNUM, L3) | REMOTE | P(SNOOP, HIT), 250 },
	{ LOAD | P(LVL, HIT) | P(LVLNUM, ANY_CACHE) | REMOTE | P(SNOOP, HITM), 260 },
	{ LOAD | P(LVL, HIT) | P(LVLNUM, ANY_CACHE) | REMOTE | P(HOPS, 1) | P(SNOOP, HIT), 270 },
	/* persistent memory here and there */
	{ LOAD | P(LVL, HIT) | P(LVLNUM, PMEM) | P(SNOOP, HIT), 400 },
	{ LOAD | P(LVL, HIT) | P(LVLNUM, PMEM) | REMOTE | P(SNOOP, HIT), 600 },
	{ LOAD | P(LVL, HIT) | P(LVLNUM, CXL) | P(SNOOP, NONE), 500 },
	{ LOAD | P(LVL, HIT) | P(LVL, IO) | P(LVLNUM, NA) | P(SNOOP, NONE), 900 },
	{ LOAD | P(LVL, HIT) | P(LVL, UNC) | P(LVLNUM, NA) | P(SNOOP, NONE), 950 },
};

bool sim_mem_is_load(u64 config)
{
	return (config & 0xffff) == 0x01cd;
}

bool sim_mem_is_store(u64 config)
{
	return (config & 0xffff) == 0x02cd;
}

static u64 load_source(u64 line, int level, u32 *latency)
{
	u64 source;

	if (level == SIM_LEVEL_OF_LINE)
		level = line % SIM_LEVELS;
	source = levels[level].source | P(BLK, NA);
	*latency = levels[level].latency;
	if (line / 16 % 2) {
		source |= P(TLB, MISS) | P(TLB, L2);
		*latency += STLB_MISS_CYCLES;
	} else {
		source |= P(TLB, HIT) | P(TLB, L1) | P(TLB, L2);
	}
	if (line / 32 % 2)
		source |= P(LOCK, LOCKED);
	return source;
}

/* As precise stores look: beyond the first level nothing is known. */
static u64 store_source(u64 line, u32 *latency)
{
	*latency = line % 2 ? 200 : 4;
	return P(OP, STORE) | P(LVL, L1) | (line % 2 ? P(LVL, MISS) : P(LVL, HIT)) | P(LVLNUM, NA) |
	       P(SNOOP, NA) | P(TLB, NA) | P(LOCK, NA) | P(BLK, NA);
}

bool sim_mem_sample(struct perf_event *event, struct perf_sample_data *data, u64 *nth)
{
	u64 size = max_t(u64, READ_ONCE(mem_size) & ~63UL, 64);
	u64 address, source, type = event->attr.sample_type;
	bool load = sim_mem_is_load(event->attr.config);
	u32 latency, ldlat = load ? event->attr.config1 & 0xffff : 0;
	int tries = 0, level;

	/* 64 lines in a row have every level with every state of the dTLB. */
	do {
		if (tries++ == 64)
			return false;
		if (!sim_walk_next(load, &address, &level)) {
			address = READ_ONCE(mem_base) + (64 * (*nth)++) % size;
			level = SIM_LEVEL_OF_LINE;
		}
		source = load ? load_source(address / 64, level, &latency) : store_source(address / 64, &latency);
	} while (load && latency <= ldlat);

	if (type & (PERF_SAMPLE_ADDR | PERF_SAMPLE_PHYS_ADDR | PERF_SAMPLE_DATA_PAGE_SIZE)) {
		data->addr = address;
		data->sample_flags |= PERF_SAMPLE_ADDR;
	}
	if (type & PERF_SAMPLE_WEIGHT_TYPE) {
		data->weight.full = 0;
		if (type & PERF_SAMPLE_WEIGHT) {
			data->weight.full = latency;
		} else {
			data->weight.var1_dw = latency;
			data->weight.var2_w = latency + 10;	/* of the whole instruction */
			data->weight.var3_w = 3;		/* to retire */
		}
		data->sample_flags |= PERF_SAMPLE_WEIGHT_TYPE;
	}
	if (type & PERF_SAMPLE_DATA_SRC) {
		data->data_src.val = source;
		data->sample_flags |= PERF_SAMPLE_DATA_SRC;
	}
	return true;
}
