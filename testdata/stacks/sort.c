/*
 * libc's qsort, and a comparison that takes its time.
 */
#include "turns.h"

#define N 64

SPIN(weigh, x + 3)

static int compare(const void *a, const void *b)
{
	long x = weigh(1000);

	CALLED(x);
	return *(const int *)a - *(const int *)b;
}

static NOINLINE void sort(void)
{
	int values[N];

	for (int i = 0; i < N; i++)
		values[i] = i * 37 % N;
	qsort(values, N, sizeof values[0], compare);
	__asm__ volatile("" : : "r"(values) : "memory");
}

int main(int argc, char **argv)
{
	arguments(argc, argv);
	turns(sort);
	return 0;
}
