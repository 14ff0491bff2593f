// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only

// The walk of stacks.bpf.c: from frame to frame, by the tables, it is the same as Walker.Resume of internal/unwind. What is
// changed here is changed there.

#define BIT(register) (1U << (register))

static inline struct found *found_at(struct scratch *s, u64 at)
{
	return &s->found[(at ^ at >> 10) & 1023];
}

// slot gives how many words below the CFA something is saved, LOST_SLOT if that cannot be said.
static inline u32 slot(u32 how, int offset)
{
	u32 words = (u32)-offset / 8;

	return how == AT_CFA && offset < 0 && !(offset & 7) && words < SLOTS ? words : LOST_SLOT;
}

// plain gives what is kept of a rule.
static inline u32 plain(struct rule *r, u32 index)
{
	u32 cfa = (u32)r->cfa_offset / 8, fp = slot(r->fp, r->fp_offset), p;

	if (r->cfa == CFA_FRAME_POINTER && !r->flags)
		return PLAIN_POINTER;
	if (r->cfa != CFA_REGISTER || (r->cfa_reg != SP && r->cfa_reg != FP) || r->cfa_offset < 0 || r->cfa_offset & 7 || cfa > 0xfff || r->flags ||
	    r->ra != AT_CFA)
		return index;
	p = PLAIN | cfa | (r->cfa_reg == FP ? OF_FP : 0);
#if SIGNED
	// The link register is not known in the caller.
	if (fp == LOST_SLOT || r->ra_offset != r->fp_offset + 8)
		return index;
	return p | fp << 12;
#else
	u32 x = slot(r->x, r->x_offset), deepest = 1;

	if (r->ra_offset != -8)
		return index;
	if (r->fp == SAME)
		fp = SAME_SLOT;
	else if (fp == LOST_SLOT && r->fp != LOST)
		return index;
	if (r->x == SAME)
		x = SAME_SLOT;
	else if (x == LOST_SLOT && r->x != LOST)
		return index;
	if (fp != LOST_SLOT && fp > deepest)
		deepest = fp;
	if (x != LOST_SLOT && x > deepest)
		deepest = x;
	return p | fp << 12 | x << 17 | deepest << 22;
#endif
}

// find_rule gives the number of the rule for the address of the frame that has been reached, or less than 0 if there is none: the walk is
// stuck, or has ended.
APART int find_rule(u32 cpu)
{
	struct scratch *s = map_lookup(&scratches, &cpu);
	u32 zero = 0, number, index = RULE_FRAME_POINTER;
	struct tables *t = map_lookup(&tables, &zero);
	struct mapping *m;
	struct found *f;
	u64 at, chunk, where = 0;

	if (!s || !t)
		return -1;
	at = s->walk.pc - !s->walk.first;
	number = find_mapping(s->walk.list, at);
	if (number == 0) {
		s->walk.stuck = STUCK_MAPPING;
		return -1;
	}
	m = &t->mapping[(number - 1) & (MAPPINGS - 1)];
	if (m->kind == NO_TABLES) {
		s->walk.outcome = NO_BINARY;
		return -1;
	}
	if (m->kind == TABLES) {
		chunk = (at - m->bias) >> 16;
		if (chunk >> 32 == 0)
			where = find_chunk(1 + ((u64)m->module << 32 | chunk));
		if (where == 0) {
			s->walk.stuck = STUCK_CHUNK;
			s->walk.module = m->module;
			s->walk.number = chunk;
			return -1;
		}
		index = find_row(where, (u16)(at - m->bias));
	}
	index &= RULES - 1;
	f = found_at(s, at);
	f->at = at;
	f->rule = plain(&t->rule[index], index);
	f->serial = s->walk.serial;
	return index;
}

#define READ_USER(to, from) probe_read_user(&(to), sizeof(to), (void *)(from))

// read_register puts into value what a register has in the frame that has been reached, by its DWARF number. It gives 0 if that
// is not known.
APART int read_register(u32 cpu, u32 number)
{
	struct scratch *s = map_lookup(&scratches, &cpu);

	if (!s)
		return 0;
	if (number == SP && s->walk.known & BIT(SP))
		s->walk.value = s->walk.sp;
	else if (number == FP && s->walk.known & BIT(FP))
		s->walk.value = s->walk.fp;
	else if (number == X && s->walk.known & BIT(X))
		s->walk.value = s->walk.x;
	else if (s->walk.inner && number < 32 && ALL >> number & 1)
		s->walk.value = s->r[number & 31];
	else
		return 0;
	return 1;
}

#define RETURN_ADDRESS 32 // with the number of the register that it may be in

// restore puts into value what a register has in the caller. It gives 0 if that is not known, less than 0 if it cannot be read.
APART int restore(u32 cpu, u32 how, int offset, u32 number)
{
	struct scratch *s = map_lookup(&scratches, &cpu);
	u64 base;

	if (!s)
		return 0;
	// A frame pointer that is not in this frame is back already, with what is saved by it: unwind's restored.
	if (how == AT_FP && !(number & RETURN_ADDRESS) && s->walk.known & BIT(FP) && (s->walk.fp < s->walk.sp || s->walk.fp >= s->walk.cfa) &&
	    s->walk.known & BIT(number & 31))
		how = SAME;
	number &= 31;
	switch (how) {
	case SAME:
		return read_register(cpu, number);
	case IN_REGISTER:
		return read_register(cpu, offset);
	case AT_CFA:
		base = s->walk.cfa;
		break;
	case AT_SP:
		if (!read_register(cpu, SP))
			return 0;
		base = s->walk.value;
		break;
	case AT_FP:
		if (!read_register(cpu, FP))
			return 0;
		base = s->walk.value;
		break;
	default:
		return 0;
	}
	return READ_USER(s->walk.value, base + (s64)offset) ? -1 : 1;
}

// What lies so far below is another stack: unwind's otherStack.
#define OTHER_STACK 4096

#define END(how)                  \
	do {                      \
		w->outcome = how; \
		return 1;         \
	} while (0)

// step appends a frame's address and goes on to its caller, by any rule. It gives 1 at the end.
APART int step(u32 cpu)
{
	u32 zero = 0, known = BIT(SP), pointer, bad = 0;
	struct scratch *s = map_lookup(&scratches, &cpu);
	struct tables *t = map_lookup(&tables, &zero);
	u64 at, pair[2];
	struct walk *w;
	struct rule *r;
	struct found *f;
	int number, found;

	if (!s || !t)
		return 1;
	w = &s->walk;
	at = w->pc - !w->first;
	f = found_at(s, at);
	number = f->rule;
	if (f->at != at || f->serial != w->serial || f->rule & PLAIN)
		number = find_rule(cpu);
	if (w->frames >= max_frames && w->stuck != STUCK_MAPPING) {
		w->stuck = 0;
		END(DEEP);
	}
	if (w->stuck == STUCK_MAPPING && w->list & SURE) {
		w->stuck = 0;
		if (w->frames == 0)
			((u64 *)s->data)[w->frames++] = w->pc;
		END(NO_MAPPING);
	}
	if (w->stuck)
		return 1;
	r = &t->rule[number & (RULES - 1)];
	pointer = number >= 0 && r->cfa == CFA_FRAME_POINTER;
	if (number >= 0 && SIGNED && !(w->known & BIT(SP)) && (r->cfa == CFA_PLT || ((r->cfa == CFA_REGISTER || r->cfa == CFA_DEREF) && r->cfa_reg == SP)))
		pointer = 1; // as unwind's stepPointer has it
	if (pointer) {
		// A caller in no mapping that is known is a failure of this frame: unless there is such a mapping, which the reader finds out.
		at = w->fp;
		if (w->known & BIT(FP) && at && !(at & 7) && (at >= w->sp || r->flags & FLAG_SWITCH) && READ_USER(pair, at) == 0 &&
		    pair[1] & w->mask && !find_mapping(w->list, (pair[1] & w->mask) - 1)) {
			if (!(w->list & SURE)) {
				w->stuck = STUCK_MAPPING;
				return 1;
			}
			bad = 1;
		}
	}
	((u64 *)s->data)[w->frames & (MAX_FRAMES - 1)] = w->pc;
	w->frames++;
	if (number < 0)
		return 1;
	if (bad)
		END(BAD_FRAME);
	if (pointer) {
		if (!(w->known & BIT(FP)))
			END(NO_INFORMATION);
		if (at == 0 && (!w->first || r->flags & FLAG_SWITCH))
			END(COMPLETE);
		if (at & 7 || (at < w->sp && !(r->flags & FLAG_SWITCH)))
			END(BAD_FRAME);
		if (READ_USER(pair, at))
			END(UNREADABLE);
		w->cfa = at + 16;
		w->known = (SIGNED ? 0 : BIT(SP)) | BIT(FP);
		w->first = 0;
		goto caller;
	}

	switch (r->cfa) {
	case CFA_NONE:
		END(NO_INFORMATION);
	case CFA_END:
		END(COMPLETE);
	case CFA_REGISTER:
	case CFA_DEREF:
		if (r->cfa_reg == SP && w->known & BIT(SP))
			at = w->sp;
		else if (r->cfa_reg == FP && w->known & BIT(FP))
			at = w->fp;
		else if (read_register(cpu, r->cfa_reg))
			at = w->value;
		else
			END(NO_INFORMATION);
		at += (s64)r->cfa_offset;
		if (r->cfa == CFA_DEREF) {
			if (READ_USER(w->cfa, at))
				END(UNREADABLE);
			at = w->cfa + (s64)r->cfa_add;
		}
		w->cfa = at;
		break;
	case CFA_PLT:
		if (!(w->known & BIT(SP)))
			END(NO_INFORMATION);
		w->cfa = w->sp + (s64)r->cfa_offset + ((w->pc & 15) >= (u64)(s64)r->cfa_add ? 8 : 0);
		break;
	default:
		END(UNSUPPORTED);
	}
	// The stack must rise: nothing of a frame is on it only while the return address is in a register. Code that changes to another stack
	// keeps the frame pointer on the old one.
	if (!(r->flags & (FLAG_SIGNAL | FLAG_SWITCH)) && w->cfa <= w->sp &&
	    !(w->cfa == w->sp && w->first && (r->ra == SAME || r->ra == IN_REGISTER)) &&
	    !(r->cfa == CFA_REGISTER && r->cfa_reg == FP && w->sp - w->cfa >= OTHER_STACK))
		END(BAD_FRAME);

	if (r->ra == AT_CFA && r->fp == AT_CFA && r->ra_offset == r->fp_offset + 8 && READ_USER(pair, w->cfa + (s64)r->fp_offset) == 0) {
		// What all code with a frame pointer does, in one piece.
		known |= BIT(FP);
	} else {
		if (r->ra == SAME && !SIGNED)
			END(NO_INFORMATION);
		found = restore(cpu, r->ra, r->ra_offset, X | RETURN_ADDRESS);
		if (found <= 0)
			END(found ? UNREADABLE : NO_INFORMATION);
		pair[1] = w->value;
		// What else was saved may be in memory that is not there: that is no fault if nothing asks for it.
		w->value = w->fp;
		if (r->fp == SAME)
			known |= w->known & BIT(FP);
		else if (r->fp != LOST && restore(cpu, r->fp, r->fp_offset, FP) > 0)
			known |= BIT(FP);
		pair[0] = w->value;
	}
	// On arm64 a call overwrites the link register.
	if (r->x == SAME && !SIGNED)
		known |= w->known & BIT(X);
	else if (r->x != LOST && (!SIGNED || r->flags & FLAG_SIGNAL) && restore(cpu, r->x, r->x_offset, X) > 0) {
		known |= BIT(X);
		w->x = w->value;
	}
	w->known = known;
	w->first = r->flags & FLAG_SIGNAL;
caller:
	w->pc = pair[1] & w->mask;
	if (w->pc == 0)
		END(COMPLETE);
	w->sp = w->cfa;
	w->fp = pair[0];
	w->inner = 0;
	return 0;
}

// fill reads the stack from an address on. It gives 0 if nothing can be read.
APART int fill(u32 cpu, u64 from)
{
	struct scratch *s = map_lookup(&scratches, &cpu);
	u64 size = WINDOW;

	if (!s)
		return 0;
	s->walk.window = from;
	s->walk.held = 0;
	if (probe_read_user(s->window, WINDOW, (void *)from)) {
		// It may go beyond the end of the stack.
		size = PAGE - (from & (PAGE - 1));
		BOUNDED(size);
		if (size >= WINDOW || size == 0 || probe_read_user(s->window, size, (void *)from))
			return 0;
	}
	s->walk.held = size;
	return 1;
}

#define HELD(at) (*(u64 *)(s->window + ((at) & (WINDOW - 1))))

// next is so many steps, of frames whose rule has been found and is PLAIN, and whose slots can be read: these without what takes time. Others are
// left to step. What the verifier would follow stays in memory.
static long next(u64 i, u32 *ctx)
{
	u32 cpu = *ctx, p, known, out;
	struct scratch *s = map_lookup(&scratches, &cpu);
	u64 pc, sp, fp, at, cfa, size, from;
	struct walk *w;
	struct found *f;

	if (!s)
		return 1;
	w = &s->walk;
	pc = w->pc;
	sp = w->sp;
	fp = w->fp;
	for (int k = 0; k < STEPS; k++) {
		at = pc - !w->first;
		f = found_at(s, at);
		p = f->rule;
		if (f->at != at || f->serial != w->serial || !(p & PLAIN) || w->frames >= max_frames)
			goto any;
		known = w->known;
		if (p & OF_FP) {
			if (!(known & BIT(FP)))
				goto any;
			cfa = fp;
		} else {
			if (SIGNED && !(known & BIT(SP)))
				goto any;
			cfa = sp;
		}
		cfa += CFA_WORDS(p) * 8;
		if (cfa <= sp || (p == PLAIN_POINTER && (fp < sp || fp & 7)))
			goto any;
		size = DEEPEST(p) * 8;
		at = cfa - w->window;
		if (at - size > WINDOW || at > w->held) {
			if (!fill(cpu, cfa - size) || size > w->held)
				goto any;
			at = size;
		}
		from = pc;
		pc = HELD(at - RA_SLOT(p) * 8) & w->mask;
		if (p == PLAIN_POINTER) {
			// Of the caller it has to be known that it is in a mapping.
			f = found_at(s, pc - 1);
			if (f->at != pc - 1 || f->serial != w->serial) {
				pc = from;
				goto any;
			}
		}
		((u64 *)s->data)[w->frames & (MAX_FRAMES - 1)] = from;
		w->frames++;
		sp = cfa;
		if (FP_SLOT(p) != SAME_SLOT) {
			known &= ~BIT(FP);
			if (FP_SLOT(p) != LOST_SLOT) {
				fp = HELD(at - FP_SLOT(p) * 8);
				known |= BIT(FP);
			}
		}
#if SIGNED
		known &= ~(BIT(X) | BIT(SP));
		if (p != PLAIN_POINTER)
			known |= BIT(SP);
#else
		if (X_SLOT(p) != SAME_SLOT) {
			known &= ~BIT(X);
			if (X_SLOT(p) != LOST_SLOT) {
				w->x = HELD(at - X_SLOT(p) * 8);
				known |= BIT(X);
			}
		}
#endif
		w->known = known;
		w->first = w->inner = 0;
		if (pc == 0)
			return 1; // COMPLETE
	}
	w->pc = pc;
	w->sp = sp;
	w->fp = fp;
	return 0;
any:
	w->pc = pc;
	w->sp = sp;
	w->fp = fp;
	out = step(cpu);
	BOUNDED(out);
	return out & 1;
}

// mask_of gives the bits that addresses of code can have: as unwind.Space.
static inline u64 mask_of(u64 list)
{
#if SIGNED
	u32 zero = 0, first = (u16)(list >> 16), n = (u16)list;
	struct tables *t = map_lookup(&tables, &zero);
	u64 m;

	if (!t || n == 0)
		return 0;
	m = t->mapping[(first + n - 1) & (MAPPINGS - 1)].limit;
	m |= m >> 1;
	m |= m >> 2;
	m |= m >> 4;
	m |= m >> 8;
	m |= m >> 16;
	return m | m >> 32;
#else
	return ~0ULL;
#endif
}
