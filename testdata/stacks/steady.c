/*
 * Always the same work, in stacks 31 deep. Prints the seconds that it takes, and the seconds of CPU time that it and its parent, who
 * may be a profiler, take meanwhile: on a CPU that they have for themselves these are the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Without a frame of its own, and without memory: a step takes what a multiplication takes. */
__attribute__((noinline)) static long leaf(long n)
{
	long x = n;

	for (long i = 0; i < n; i++) {
		x *= 3;
		__asm__ volatile("" : "+r"(x));
	}
	return x;
}

__attribute__((noinline)) static long recurse(long depth, long n)
{
	long x = depth > 1 ? recurse(depth - 1, n) : leaf(n);

	__asm__ volatile("" : "+r"(x)); /* no tail call */
	return x;
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t))
		abort();
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 100;
	clockid_t parent;
	double begin, used;

	if (clock_getcpuclockid(getppid(), &parent))
		abort();
	begin = seconds(CLOCK_MONOTONIC);
	used = seconds(CLOCK_PROCESS_CPUTIME_ID) + seconds(parent);
	for (long i = 0; i < rounds; i++)
		recurse(26, 10000000);
	used = seconds(CLOCK_PROCESS_CPUTIME_ID) + seconds(parent) - used;
	printf("%.6f %.6f\n", seconds(CLOCK_MONOTONIC) - begin, used);
	return 0;
}
