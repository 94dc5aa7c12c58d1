/* Who attaches and detaches one instance with one published port, each on a host of its own, played by a namespace. */
#ifndef WARREN_BENCH_ATTACH_H
#define WARREN_BENCH_ATTACH_H

#include <stdbool.h>

#define ATTACH_MAX 1600
#define FIRST_PORT 10000

/* Each does its work in the calling process's network namespace, which is the contestant's host. number: 1 …
 * ATTACH_MAX. False, with a line on stderr: it failed. */
struct contestant {
	const char *name;
	bool (*open)(void);
	bool (*attach)(unsigned number, int netns);
	bool (*detach)(unsigned number, int netns);
	int host; /* filled in by the caller */
};

extern const struct contestant warren_inside, warren_process, netavark, cni;

/* One more port of the first instance of warren_inside. */
bool warren_publish(unsigned round, bool take_back);

/* What a monitor does when the instance runs; nothing of the attach. */
bool warren_settle(unsigned number);

/* What the steps of warren_inside's last attach took, in milliseconds: of the clock, of the processor. The last of them
 * is warren_settle(). */
#define WARREN_STEPS 5
extern const char *const warren_step_names[WARREN_STEPS];
extern double warren_steps[WARREN_STEPS], warren_steps_cpu[WARREN_STEPS];

/* warren_process starts this program again with these words: `--attach NUMBER NETNS-PATH` or `--detach NUMBER`. */
bool warren_main(char **words);

/* Set before warren_inside is opened. */
extern bool ipv4_only;

/* A directory of this run's own. */
extern char scratch[64];

#endif
