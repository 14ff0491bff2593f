/*
 * Stacks that a program makes for itself, each below the one that it comes from and each above it, as Rust's compiler has where it calls
 * itself deeply; and a function that keeps the caller's stack pointer in the red zone, as OpenSSL's SHA for AVX2 (amd64).
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "turns.h"

SPIN(below, x + 3)
SPIN(above, x * 5)

/* Calls a function on another stack: its frame is found by the frame pointer, which stays on the old one. */
void on(char *top, void (*work)(void));
__asm__(".text\n.globl on\n.type on, @function\non:\n"
	".cfi_startproc\n"
	"push %rbp\n.cfi_def_cfa_offset 16\n.cfi_offset %rbp, -16\n"
	"mov %rsp, %rbp\n.cfi_def_cfa_register %rbp\n"
	"mov %rdi, %rsp\n"
	"call *%rsi\n"
	"mov %rbp, %rsp\n"
	"pop %rbp\n.cfi_def_cfa %rsp, 8\n"
	"ret\n"
	".cfi_endproc\n.size on, .-on\n");

/* Counts to n: the stack pointer of the caller is 8 bytes below its own (DW_CFA_def_cfa_expression: rsp - 8, deref, + 8). */
void zone(long n);
__asm__(".globl zone\n.type zone, @function\nzone:\n"
	".cfi_startproc\n"
	"mov %rsp, %rax\n.cfi_def_cfa_register %rax\n"
	"sub $256, %rsp\n"
	"mov %rax, -8(%rsp)\n"
	".cfi_escape 0x0f, 5, 0x77, 0x78, 0x06, 0x23, 8\n"
	"xor %eax, %eax\n"
	"1: dec %rdi\n"
	"jnz 1b\n"
	"add $256, %rsp\n.cfi_def_cfa %rsp, 8\n"
	"ret\n"
	".cfi_endproc\n.size zone, .-zone\n");

#define STACK (256 << 10)

static char *low, *high;

static NOINLINE void last(void)
{
	long x = above(1000000);

	CALLED(x);
}

static NOINLINE void first(void)
{
	long x = below(1000000);

	CALLED(x);
	on(high + STACK, last);
	CALLED(x);
}

static NOINLINE void switches(void)
{
	on(low + STACK, first);
	__asm__ volatile("");
}

static NOINLINE void red(void)
{
	zone(1000000);
	__asm__ volatile("");
}

int main(int argc, char **argv)
{
	arguments(argc, argv);
	low = mmap(0, 2 * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (low == MAP_FAILED)
		return 1;
	high = low + STACK;
	turns(red);
	turns(switches);
	return 0;
}
