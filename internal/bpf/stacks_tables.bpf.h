// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// The tables of stacks.bpf.c and how they are searched.

// Verified by itself, once, whoever calls it: the paths of its loops do not multiply with those of others.
#define APART __attribute__((noinline))

// unwind.Rule and its constants.
enum { CFA_NONE, CFA_END, CFA_REGISTER, CFA_DEREF, CFA_PLT, CFA_FRAME_POINTER, CFA_UNSUPPORTED };
enum { SAME, AT_CFA, AT_SP, AT_FP, IN_REGISTER, LOST };
#define FLAG_SIGNAL 1
#define FLAG_SWITCH 2

struct rule {
	u8 cfa, cfa_reg, ra, fp, x, flags, unused[2];
	int cfa_offset, cfa_add, ra_offset, fp_offset, x_offset;
};

#define RULE_FRAME_POINTER 2

// unwind.Outcome.
enum { COMPLETE, TRUNCATED, DEEP, NO_MAPPING, NO_BINARY, NO_INFORMATION, UNSUPPORTED, UNREADABLE, BAD_FRAME, NO_STACK, OTHER_WIDTH };

// All tables are written by the loader through memory that it shares, in such an order that whatever is found is whole: see
// stacks.go. Sizes are powers of two.
#define RULES 65536
#define BLOCK_SHIFT 18 // rows of a block, of which an array's element can be (4 MiB before Linux 6)
#define BLOCKS 4
#define CHUNKS 16384
#define SPACES 4096
#define MAPPINGS 32768
#define PROBES 16 // how many slots further than its own an entry may be

struct row {
	u16 at, rule;
};

struct block {
	struct row row[1 << BLOCK_SHIFT];
};

// Where a chunk's rows are. They do not cross the end of a block.
struct chunk {
	u64 key;   // 1 + (module << 32 | number), 0: nothing is here nor, if it was sought, further on
	u64 where; // number of the first row << 32 | how many; 0: not yet
};

struct space {
	u64 mm; // 0 as for chunks
	u32 tgid, exec;
	u64 list; // serial number << 32 | SURE | first << 16 | how many; 0: none
};

// All code of the process is in the list. first is less than MAPPINGS, so that this bit is free.
#define SURE (1ULL << 31)

struct mapping {
	u64 start, limit, bias;
	u32 module, kind;
};

enum { TABLES, FRAME_POINTERS, NO_TABLES };

struct tables {
	struct rule rule[RULES];
	struct chunk chunk[CHUNKS];
	struct space space[SPACES];
	struct mapping mapping[MAPPINGS];
};

struct {
	int (*type)[BPF_MAP_TYPE_ARRAY];
	int (*map_flags)[BPF_F_MMAPABLE];
	int (*max_entries)[1];
	u32 *key;
	struct tables *value;
} tables SEC(".maps");

struct {
	int (*type)[BPF_MAP_TYPE_ARRAY];
	int (*map_flags)[BPF_F_MMAPABLE];
	int (*max_entries)[BLOCKS];
	u32 *key;
	struct block *value;
} rows SEC(".maps");

// find_mapping gives 1 + the number of the mapping that an address is in, 0 if there is none.
APART u32 find_mapping(u64 list, u64 at)
{
	u32 zero = 0, first = (u16)(list >> 16), n = (u16)list, half;
	struct tables *t = map_lookup(&tables, &zero);
	struct mapping *m;

	if (!t || n == 0)
		return 0;
	for (int i = 0; i < 17 && n > 1; i++) {
		half = n / 2;
		m = &t->mapping[(first + half) & (MAPPINGS - 1)];
		// Without a branch, which would double the verifier's paths.
		first += half & (u32)((s64)(m->start - at - 1) >> 63);
		n -= half;
	}
	first &= MAPPINGS - 1;
	m = &t->mapping[first];
	return at >= m->start && at < m->limit ? first + 1 : 0;
}

static inline u32 hash(u64 key)
{
	return key * 0x9e3779b97f4a7c15ULL >> 32;
}

// find_chunk gives the place of a chunk's rows, 0 if there is none.
APART u64 find_chunk(u64 key)
{
	u32 zero = 0, at = hash(key);
	struct tables *t = map_lookup(&tables, &zero);

	if (!t)
		return 0;
	for (int i = 0; i < PROBES; i++) {
		struct chunk *c = &t->chunk[(at + i) & (CHUNKS - 1)];
		u64 there = c->key;

		if (there == key)
			return c->where;
		if (there == 0)
			break;
	}
	return 0;
}

// find_row gives the rule that a chunk has for an offset.
APART u32 find_row(u64 where, u32 at)
{
	u32 first = where >> 32, n = where, block = first >> BLOCK_SHIFT, half;
	struct block *b = map_lookup(&rows, &block);
	struct row *r;

	if (!b)
		return 0;
	for (int i = 0; i < 18 && n > 1; i++) {
		half = n / 2;
		r = &b->row[(first + half) & ((1 << BLOCK_SHIFT) - 1)];
		first += half & (u32)((s64)((u64)r->at - (u64)(u16)at - 1) >> 63);
		n -= half;
	}
	return b->row[first & ((1 << BLOCK_SHIFT) - 1)].rule;
}

// find_list gives the list of mappings of a process, 0 if it is not known.
APART u64 find_list(u64 mm, u32 tgid, u32 exec)
{
	u32 zero = 0, at = hash(mm ^ (u64)tgid << 32 ^ exec);
	struct tables *t = map_lookup(&tables, &zero);

	if (!t)
		return 0;
	for (int i = 0; i < PROBES; i++) {
		struct space *s = &t->space[(at + i) & (SPACES - 1)];
		u64 there = s->mm;

		if (there == mm && s->tgid == tgid && s->exec == exec)
			return s->list;
		if (there == 0)
			break;
	}
	return 0;
}
