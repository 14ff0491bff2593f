/*
 * Calls of code that the kernel maps: the time of day without a system call.
 */
#include <sys/time.h>

#include "turns.h"

static NOINLINE void monotonic(void)
{
	struct timespec t;

	for (int i = 0; i < 10000; i++)
		clock_gettime(CLOCK_MONOTONIC, &t);
}

static NOINLINE void of_day(void)
{
	struct timeval t;

	for (int i = 0; i < 10000; i++)
		gettimeofday(&t, NULL);
}

int main(int argc, char **argv)
{
	arguments(argc, argv);
	turns(monotonic);
	turns(of_day);
	return 0;
}
