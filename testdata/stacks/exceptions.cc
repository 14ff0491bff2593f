/*
 * C++: exceptions that pass through frames with destructors, virtual calls, and templates of which much is inlined.
 */
#include <algorithm>
#include <stdexcept>
#include <vector>

#include "turns.h"

SPIN(in_destructor, x + 3)
SPIN(in_handler, x * 3)
SPIN(in_virtual, x ^ i)

/* Another number each time, n on average: what always takes as long as some periods of a clock is sampled at the same place each time. */
static long about(long n)
{
	static unsigned long seed = 1;

	seed = seed * 6364136223846793005 + 1442695040888963407;
	return n / 2 + (long)((seed >> 33) % (unsigned long)n);
}

namespace shapes {

struct Guard {
	~Guard();
};

NOINLINE Guard::~Guard()
{
	long x = in_destructor(about(40000));

	CALLED(x);
}

struct Base {
	virtual ~Base() {}
	virtual long area(long n) const = 0;
};

template <typename T>
struct Square : Base {
	long area(long n) const override;
};

template <typename T>
NOINLINE long Square<T>::area(long n) const
{
	long x = in_virtual(T(n));

	CALLED(x);
	return x;
}

}

NOINLINE static void thrower(int depth)
{
	shapes::Guard guard;

	if (depth > 1)
		thrower(depth - 1);
	else
		throw std::runtime_error("thrown");
	__asm__ volatile("" : : "r"(&guard));
}

/* The destructors run while the exception passes, called by what the personality routine found. */
static NOINLINE void exceptions()
{
	try {
		thrower(3);
	} catch (const std::exception &e) {
		long x = in_handler(about(80000));

		CALLED(x);
	}
}

static shapes::Square<long> square;
static shapes::Base *volatile shape = &square;

static NOINLINE void virtuals()
{
	long x = shape->area(1000000);

	CALLED(x);
}

/* std::sort and its comparison are inlined into each other. */
static NOINLINE void inlines()
{
	static std::vector<long> values(4000);
	long seed = 1;

	for (long &v : values)
		v = seed = seed * 6364136223846793005 + 1442695040888963407;
	std::sort(values.begin(), values.end(), [](long a, long b) { return (a & 0xffff) < (b & 0xffff); });
	__asm__ volatile("" : : "r"(values.data()) : "memory");
}

/* Nothing but the way of exceptions itself: libgcc's unwinder. */
NOINLINE static void throw_only()
{
	throw std::runtime_error("thrown");
}

static NOINLINE void unwinding()
{
	for (int i = 0; i < 200; i++)
		try {
			throw_only();
		} catch (const std::exception &) {
		}
}

int main(int argc, char **argv)
{
	arguments(argc, argv);
	turns(exceptions);
	turns(virtuals);
	turns(inlines);
	turns(unwinding);
	return 0;
}
