/*
 * Always the same work, in stacks 31 deep: what a profiler costs its target is how much longer this takes. Prints the seconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Without a frame of its own. */
__attribute__((noinline)) static long leaf(long n)
{
	volatile long x = n;

	for (long i = 0; i < n; i++)
		x = x + 3;
	return x;
}

__attribute__((noinline)) static long recurse(long depth, long n)
{
	long x = depth > 1 ? recurse(depth - 1, n) : leaf(n);

	__asm__ volatile("" : "+r"(x)); /* no tail call */
	return x;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 100;
	double begin = seconds();

	for (int i = 0; i < rounds; i++)
		recurse(28, 10000000); /* with main and what calls it */
	printf("%.6f\n", seconds() - begin);
	return 0;
}
