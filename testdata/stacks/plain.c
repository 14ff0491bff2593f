/*
 * What every program does: calls of calls, calls through pointers, frames whose size is known only when it runs, frames that are
 * aligned, functions of libc, and a thread.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>

#include "turns.h"

SPIN(add, x + 3)
SPIN(shift, (x << 1) ^ i)
SPIN(scale, x * 5)
SPIN(mask, x & 0xffff)
SPIN(worker, x - 7)

/* A chain of calls that keep something in saved registers. */
static NOINLINE long third(long n, long a, long b)
{
	long x = add(n) + a;

	CALLED(x);
	return x ^ b;
}

static NOINLINE long second(long n, long a)
{
	long x = third(n, a + 1, a ^ 3) + a;

	CALLED(x);
	return x;
}

static NOINLINE void chain(void)
{
	long x = second(1000000, 7);

	CALLED(x);
}

/* A call through a pointer. */
static long (*volatile through)(long) = shift;

static NOINLINE void pointer(void)
{
	long x = through(1000000);

	CALLED(x);
}

/* A frame of a size that the compiler does not know: found by the frame pointer, which is kept here in any case. */
static volatile size_t room = 200;

static NOINLINE void variable(void)
{
	char *p = __builtin_alloca(room);
	long x;

	memset(p, 1, 16);
	__asm__ volatile("" : : "r"(p) : "memory");
	x = scale(1000000);
	CALLED(x);
}

/* A frame that is aligned: the stack pointer of the caller is in memory, and reached by an expression (gcc). */
static NOINLINE void aligned(void)
{
	__attribute__((aligned(64))) char p[256];
	char *q = __builtin_alloca(room);
	long x;

	__asm__ volatile("" : : "r"(p), "r"(q) : "memory");
	x = mask(1000000);
	CALLED(x);
}

/* libc, which is built without frame pointers in most distributions: its leaves are of assembler. */
static char from[1 << 16], to[1 << 16];

static NOINLINE void library(void)
{
	for (int i = 0; i < 400; i++) {
		memmove(to, from, sizeof to);
		__asm__ volatile("" : : "r"(from), "r"(to) : "memory");
	}
}

static NOINLINE void in_thread(void)
{
	long x = worker(1000000);

	CALLED(x);
}

static void *thread(void *unused)
{
	turns(in_thread);
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t t;

	arguments(argc, argv);
	turns(chain);
	turns(pointer);
	turns(variable);
	turns(aligned);
	turns(library);
	if (pthread_create(&t, NULL, thread, NULL))
		return 1;
	pthread_join(t, NULL);
	return 0;
}
