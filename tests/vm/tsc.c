/* Prints how many times a millisecond this processor's time stamp counter counts.
 *
 * QEMU gives an emulated machine the counter of the processor it runs on, and the machine's kernel finds out how fast
 * that is by counting for some milliseconds at its boot. Put aside by the host just then, it was wrong by a factor of
 * eight once: all time-outs of that machine came eight times too early. So it is told. */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define TRIES 200
#define WAIT_NS 100000000

struct moment {
	uint64_t ticks, ns;
};

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Both at once: of many tries the one with the least between its two readings of the counter. */
static struct moment moment_take(void)
{
	struct moment best = {0};
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < TRIES; i++) {
		uint64_t before = __rdtsc(), ns = clock_ns(), after = __rdtsc();

		if (after - before >= least)
			continue;
		least = after - before;
		best = (struct moment){.ticks = before + (after - before) / 2, .ns = ns};
	}
	return best;
}

int main(void)
{
	struct moment begin = moment_take(), end;

	nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
	end = moment_take();
	printf("%llu\n",
		(unsigned long long)((double)(end.ticks - begin.ticks) * 1e6 / (double)(end.ns - begin.ns) + 0.5));
	return 0;
}
