/* Where a monitor sleeps: a page of code.
 *
 * What a process has executed is mapped into it, and the kernel maps sixteen pages around each one that is touched.
 * They are the page cache's and cost nothing, but those that only one process has mapped count as its private memory.
 * So a monitor gives them all back before it sleeps; and because the way back from that call into ppoll(2) would map
 * much of them again, the two are made by one function on a page of its own, without the C library. MADV_RANDOM makes a
 * mapping of that page (it has other flags than its neighbours), and around a fault the kernel maps nothing beyond the
 * mapping. */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fleet/monitor/monitor.h"

#define PAGE 4096ul
#define KERNEL_SIGSET_SIZE 8
#define STACK_DEPTH (512ul << 10) /* deeper calls have used; within the gap that the kernel leaves below a stack */
#define RED_ZONE 128		  /* below the stack pointer, which a function that calls none may use (x86-64 ABI) */
#define RESTING __attribute__((section("warren_rest"), aligned(4096), noinline))

/* From the linker: the program's image, and the end of what in it is only read (code and constants). */
extern const char __executable_start[], __init_array_start[];

#ifdef __x86_64__
/* A system call by hand: syscall(2) is a function on another page. */
static inline __attribute__((always_inline)) long call(
	long number, const void *a, unsigned long b, unsigned long c, const void *d, unsigned long e)
{
	register const void *r10 __asm__("r10") = d;
	register unsigned long r8 __asm__("r8") = e;
	long result = number;

	__asm__ volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
	return result;
}

static inline __attribute__((always_inline)) unsigned long stack_pointer(void)
{
	unsigned long pointer;

	__asm__ volatile("mov %%rsp, %0" : "=r"(pointer));
	return pointer;
}
#else
static inline __attribute__((always_inline)) unsigned long stack_pointer(void)
{
	return (unsigned long)__builtin_frame_address(0) - 1024; /* more than rest_poll() has */
}

static inline long call(long number, const void *a, unsigned long b, unsigned long c, const void *d, unsigned long e)
{
	return syscall(number, a, b, c, d, e);
}
#endif

RESTING int rest_poll(struct pollfd *fds, nfds_t count, const struct timespec *time, bool give_back)
{
	unsigned long all_open = 0; /* a signal mask; on the stack, which is there anyway */
	unsigned long code = (unsigned long)__executable_start & ~(PAGE - 1);
	unsigned long end = (unsigned long)__init_array_start & ~(PAGE - 1);
	unsigned long here = (unsigned long)rest_poll & ~(PAGE - 1);
	unsigned long stack = (stack_pointer() - RED_ZONE) & ~(PAGE - 1);

	if (give_back && code < end) {
		call(SYS_madvise, (const void *)here, PAGE, MADV_RANDOM, NULL, 0);
		call(SYS_madvise, (const void *)code, end - code, MADV_DONTNEED, NULL, 0);
		call(SYS_madvise, (const void *)(stack - STACK_DEPTH), STACK_DEPTH, MADV_DONTNEED, NULL, 0);
	}
	return (int)call(SYS_ppoll, fds, count, (unsigned long)time, &all_open, KERNEL_SIGSET_SIZE);
}
