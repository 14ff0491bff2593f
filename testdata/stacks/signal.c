/*
 * Handlers of signals: one that interrupts a loop wherever it is, and one that the program calls itself.
 * With a second argument handlers have a stack of their own.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/time.h>

#include "turns.h"

SPIN(ticked, x * 3)
SPIN(raised, x ^ i)

static double began, handled; /* seconds of the thread */
static volatile sig_atomic_t done;

/* Half of the time is spent here, whenever the timer comes. */
static void on_tick(int sig)
{
	double now = cpu_seconds(), then;
	long x = 0;

	(void)sig;
	while (now - began > 2 * handled) {
		x = ticked(100000);
		CALLED(x);
		then = now;
		now = cpu_seconds();
		handled += now - then;
	}
	done = now - began >= seconds_each;
}

/* And half of it here, without a look at the clock: signals like to come at the end of system calls. */
static NOINLINE long interrupted(void)
{
	volatile long x = 0;

	while (!done)
		x = x + 3;
	return x;
}

static void on_raise(int sig)
{
	long x = raised(1000000);

	(void)sig;
	CALLED(x);
}

static NOINLINE void victim(void)
{
	long x = interrupted();

	CALLED(x);
}

static NOINLINE void raiser(void)
{
	long x = raise(SIGUSR1);

	CALLED(x);
}

int main(int argc, char **argv)
{
	static char own[1 << 16];
	stack_t stack = {.ss_sp = own, .ss_size = sizeof own};
	struct sigaction action = {.sa_handler = on_tick};
	struct itimerval often = {{0, 1449}, {0, 1449}}, never = {{0, 0}, {0, 0}};

	arguments(argc, argv);
	if (argc > 2) {
		if (sigaltstack(&stack, NULL))
			return 1;
		action.sa_flags = SA_ONSTACK;
	}
	sigaction(SIGALRM, &action, NULL);
	action.sa_handler = on_raise;
	sigaction(SIGUSR1, &action, NULL);
	turns(raiser);
	began = cpu_seconds();
	setitimer(ITIMER_REAL, &often, NULL);
	victim();
	setitimer(ITIMER_REAL, &never, NULL);
	return 0;
}
