/*
 * A workload that measures itself: two threads, a recursion 40 deep and a
 * forked child that executes this program again. Each prints, per function,
 * the seconds of CPU time that CLOCK_THREAD_CPUTIME_ID gave it:
 *
 *     FUNCTION SECONDS
 *
 * usage: threads SECONDS-PER-FUNCTION EXIT-CODE [child]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds_each;

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Each function has a loop of its own, so that its samples lie in it. */
#define WORK(name, step)                                   \
	__attribute__((noinline)) double name(long n)      \
	{                                                  \
		volatile double x = 1;                     \
		for (long i = 0; i < n; i++)               \
			x = step;                          \
		return x;                                  \
	}

WORK(work_divide, x / 1.0000001)
WORK(work_multiply, x * 1.0000001)
WORK(work_deep, x + 1e-9)
WORK(work_child, x - 1e-9)

__attribute__((noinline)) double recurse(int depth, long n)
{
	double x = depth > 1 ? recurse(depth - 1, n) : work_deep(n);

	/* Work after the call keeps the frame: no tail call. */
	__asm__ volatile("" : "+x"(x));
	return x;
}

static double recurse40(long n) { return recurse(40, n); }

static void run(const char *name, double (*work)(long))
{
	double begin = cpu_seconds();

	while (cpu_seconds() - begin < seconds_each)
		work(200000);
	printf("%s %.6f\n", name, cpu_seconds() - begin);
	fflush(stdout);
}

static void *thread(void *unused)
{
	(void)unused;
	run("work_divide", work_divide);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t;
	pid_t child;

	if (argc < 3) {
		fprintf(stderr, "usage: threads SECONDS-PER-FUNCTION EXIT-CODE [child]\n");
		return 2;
	}
	seconds_each = atof(argv[1]);
	if (argc > 3) {
		run("work_child", work_child);
		return 0;
	}
	child = fork();
	if (child == 0) {
		execl("/proc/self/exe", argv[0], argv[1], argv[2], "child", (char *)NULL);
		_exit(127);
	}
	pthread_create(&t, NULL, thread, NULL);
	run("work_multiply", work_multiply);
	run("work_deep", recurse40);
	pthread_join(t, NULL);
	waitpid(child, NULL, 0);
	return atoi(argv[2]);
}
