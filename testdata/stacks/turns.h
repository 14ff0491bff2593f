/*
 * What all C and C++ programs of this directory share: their functions run one after another, each for as much CPU
 * time of its thread as the first argument says (seconds). So their shares do not depend on how fast the machine is.
 */
#ifndef TURNS_H
#define TURNS_H

#include <stdlib.h>
#include <time.h>

/* A function as it is written: not inlined, and by gcc not cloned for the arguments that it is called with. */
#ifdef __clang__
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noipa))
#endif

/* Behind a call: keeps it from becoming a jump, which leaves no frame. */
#define CALLED(x) __asm__ volatile("" : "+r"(x))

static double seconds_each = 0.1;

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Work of about half a millisecond or more: asking for the time shall not be seen. */
static NOINLINE void turns(void (*work)(void))
{
	double until = cpu_seconds() + seconds_each;

	do
		work();
	while (cpu_seconds() < until);
}

static void arguments(int argc, char **argv)
{
	if (argc > 1)
		seconds_each = atof(argv[1]);
}

/* Leaves without a frame of their own, each with a loop of its own. */
#define SPIN(name, step)                         \
	static NOINLINE long name(long n)        \
	{                                        \
		volatile long x = n;             \
		for (long i = 0; i < n; i++)     \
			x = step;                \
		return x;                        \
	}

#endif
