/*
 * A library (second argument) that is loaded when the program runs, calls back, and comes and goes.
 */
#include <dlfcn.h>

#include "turns.h"

SPIN(back, x * 3)

static const char *path;
static long (*spin)(long), (*callback)(long (*)(long), long);

static NOINLINE void loaded(void)
{
	long x = spin(1000000);

	CALLED(x);
}

static NOINLINE void returning(void)
{
	long x = callback(back, 1000000);

	CALLED(x);
}

static NOINLINE void load(void)
{
	void *library = dlopen(path, RTLD_LAZY);

	if (!library)
		abort();
	spin = (long (*)(long))dlsym(library, "library_spin");
	callback = (long (*)(long (*)(long), long))dlsym(library, "library_callback");
}

/* Mapped, run for some milliseconds, and unmapped. */
static NOINLINE void comes_and_goes(void)
{
	void *library = dlopen(path, RTLD_LAZY);
	long x;

	if (!library)
		abort();
	spin = (long (*)(long))dlsym(library, "library_spin");
	x = spin(8000000);
	CALLED(x);
	dlclose(library);
}

int main(int argc, char **argv)
{
	arguments(argc, argv);
	if (argc < 3)
		return 2;
	path = argv[2];
	turns(comes_and_goes);
	load();
	turns(loaded);
	turns(returning);
	return 0;
}
