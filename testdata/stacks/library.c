/*
 * A library for plt.c and dlopen.c.
 */
long library_tiny(long x)
{
	return x + 1;
}

static __attribute__((noinline)) long library_leaf(long n)
{
	volatile long x = n;

	for (long i = 0; i < n; i++)
		x = x + 3;
	return x;
}

long library_spin(long n)
{
	long x = library_leaf(n);

	__asm__ volatile("" : "+r"(x));
	return x;
}

/* And back into the program. */
long library_callback(long (*back)(long), long n)
{
	long x = back(n);

	__asm__ volatile("" : "+r"(x));
	return x;
}
