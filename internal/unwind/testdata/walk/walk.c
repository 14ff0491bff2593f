// What can be on a stack, between two SIGSTOPs: a test runs it instruction by instruction.
#define _GNU_SOURCE
#include <alloca.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int sink;

__attribute__((noinline)) static int leaf(int x) { return x * 3 + sink; }

__attribute__((noinline)) static int recurse(int n) {
	volatile char local[40];
	local[n] = (char)n;
	return n == 0 ? leaf(n) : recurse(n - 1) + local[n];
}

__attribute__((noinline)) static int by_frame_pointer(int n) {
	char *p = alloca((size_t)n + 16);
	memset(p, n, (size_t)n + 16);
	return leaf(p[n / 2]) + recurse(3);
}

typedef int vector __attribute__((vector_size(64)));

__attribute__((noinline)) static int take(volatile vector *v, int n) { return (*v)[n & 15] + leaf(n); }

// A frame that is aligned more than its caller's.
__attribute__((noinline)) static int realigned(int n) {
	volatile vector v = {1, 2, 3, n};
	char *p = alloca((size_t)n + 16);
	p[0] = (char)n;
	*(volatile char *)p = 1;
	return take(&v, n) + leaf(p[0]);
}

static int compare(const void *a, const void *b) { return leaf(*(const int *)a) - leaf(*(const int *)b); }

static void on_signal(int n) { sink += recurse(2) + by_frame_pointer(n) - 1; }

__attribute__((noinline)) static int signals(void) {
	char stack[16384];
	stack_t s = {.ss_sp = stack, .ss_size = sizeof stack};
	struct sigaction a = {.sa_handler = on_signal};
	sigaction(SIGUSR1, &a, NULL);
	raise(SIGUSR1);
	sigaltstack(&s, NULL);
	a.sa_flags = SA_ONSTACK;
	sigaction(SIGUSR2, &a, NULL);
	raise(SIGUSR2);
	s.ss_flags = SS_DISABLE;
	sigaltstack(&s, NULL);
	return recurse(1);
}

// The return address is in a register while the child runs.
__attribute__((noinline)) static int spawn(void) {
	int status;
	pid_t child = vfork();
	if (child == 0)
		_exit(0);
	return waitpid(child, &status, 0) + leaf(status);
}

__attribute__((noinline)) static void many(int a, int b, int c, int d, int e, int f, int g, int h, double i) {
	sink += a + b + c + d + e + f + g + h + (int)i + leaf(h);
}

// Its call is the last instruction of its caller.
__attribute__((noinline, noreturn)) static void finish(void) {
	raise(SIGSTOP);
	_Exit(0);
}

int main(int argc, char **argv) {
	(void)argv;
	int numbers[12] = {5, 3, 9, 1, 7, 2, 8, 4, 6, 0, 11, 10};
	char text[64];
	struct timespec t;
	raise(SIGSTOP);
	sink += recurse(20);
	sink += by_frame_pointer(argc + 30);
	sink += realigned(argc);
	qsort(numbers, 12, sizeof numbers[0], compare);
	many(1, 2, 3, 4, 5, 6, 7, numbers[3], 9.5);
	clock_gettime(CLOCK_MONOTONIC, &t);
	snprintf(text, sizeof text, "%s %d %g %ld", "text", sink, 1.5, t.tv_sec); // bound when it is first called
	sink += (int)pow(text[0], 1.5);
	free(strdup(text));
	signals();
	sink += spawn();
	finish();
}
