/*
 * A workload of fixed length, some seconds in stacks 31 deep: what a profiler
 * costs its target is how much longer this takes.
 */
__attribute__((noinline)) double leaf(long n)
{
	volatile double x = 1;

	for (long i = 0; i < n; i++)
		x = x * 1.0000001;
	return x;
}

__attribute__((noinline)) double recurse(int depth, long n)
{
	double x = depth > 1 ? recurse(depth - 1, n) : leaf(n);

	__asm__ volatile("" : "+x"(x)); /* no tail call */
	return x;
}

int main(void)
{
	for (int i = 0; i < 100; i++)
		recurse(31, 15000000);
	return 0;
}
