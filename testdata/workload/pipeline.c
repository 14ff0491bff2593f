/*
 * A workload of a fixed amount of work, for comparing builds: five functions
 * take turns. -DTRANSFORM=120 makes one of them take 20 % longer.
 *
 * usage: pipeline [TURNS]
 */
#include <stdlib.h>

#ifndef TRANSFORM
#define TRANSFORM 100 /* percent of the usual work */
#endif

/*
 * Each function has a loop of its own, and each step waits for the one before:
 * neither memory nor what else a processor could do meanwhile matters.
 */
#define STAGE(name, step)                                  \
	__attribute__((noinline)) double name(long n)      \
	{                                                  \
		volatile double x = 1;                     \
		for (long i = 0; i < n; i++)               \
			x = step;                          \
		return x;                                  \
	}

STAGE(parse, x + 1e-9)
STAGE(transform, x * 1.0000001)
STAGE(checksum, x - 1e-9)
STAGE(compress, x / 1.0000001)
STAGE(encode, x * 0.9999999)

/*
 * A turn takes some 80 ms, a function 4 to 30 ms of it. If that were about the
 * time between two samples, these would meet the same function again and again.
 */
int main(int argc, char **argv)
{
	int turns = argc > 1 ? atoi(argv[1]) : 5;

	for (int i = 0; i < turns; i++) {
		parse(3600000);
		transform(90000L * TRANSFORM);
		checksum(3600000);
		compress(500000);
		encode(3600000);
	}
	return 0;
}
