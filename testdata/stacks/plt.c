/*
 * A loop that does nothing but call a function of a library through the procedure linkage table.
 */
#include "turns.h"

long library_tiny(long);

static NOINLINE void calls(void)
{
	long x = 0;

	for (int i = 0; i < 200000; i++)
		x = library_tiny(x);
	CALLED(x);
}

int main(int argc, char **argv)
{
	arguments(argc, argv);
	turns(calls);
	return 0;
}
