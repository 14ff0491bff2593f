/*
 * A recursion as deep as the second argument says.
 */
#include "turns.h"

SPIN(bottom, x + 3)

static long depth = 100;

static NOINLINE long recurse(long n)
{
	long x = n > 1 ? recurse(n - 1) : bottom(1000000);

	CALLED(x);
	return x;
}

static NOINLINE void down(void)
{
	long x = recurse(depth);

	CALLED(x);
}

int main(int argc, char **argv)
{
	arguments(argc, argv);
	if (argc > 2)
		depth = atol(argv[2]);
	turns(down);
	return 0;
}
