/* A cgroup of its own for one test, and children that live in it. */
#ifndef WARREN_TESTS_CGROUPS_SUPPORT_H
#define WARREN_TESTS_CGROUPS_SUPPORT_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "cgroups/cgroups.h"
#include "cgroups/knobs.h"
#include "cgroups/limits.h"
#include "tests/test.h"

#define GENEROUS_MS 60000 /* for what takes milliseconds; emulated machines are 50 times slower */

struct box {
	struct cgroup_host host;
	struct cgroup cgroup;
	char path[64];
};

static inline void box_start(struct box *box)
{
	struct error err = {0};

	*box = (struct box){.cgroup = {.unified = -1}};
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		box->cgroup.hierarchy[c] = -1;
	snprintf(box->path, sizeof(box->path), "warren/test-%d", getpid());
	ASSERT_OK(cgroup_host_open(&box->host, &err));
}

static inline void box_drop(struct box *box)
{
	struct error err = {0};

	if (box->cgroup.path)
		ASSERT_OK(cgroup_kill(&box->cgroup, &err));
	ASSERT_OK(cgroup_remove(&box->host, box->path, GENEROUS_MS, false, &err));
	/* Gone only when no other test is using it. */
	if (box->host.unified >= 0)
		unlinkat(box->host.unified, "warren", AT_REMOVEDIR);
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (box->host.hierarchy[c] >= 0)
			unlinkat(box->host.hierarchy[c], "warren", AT_REMOVEDIR);
	cgroup_drop(&box->cgroup);
	cgroup_host_drop(&box->host);
}

#define BOX(name)                                                                                                      \
	NEEDS_ROOT();                                                                                                  \
	AUTO(box_drop) struct box name;                                                                                \
	box_start(&name);                                                                                              \
	SKIP_UNLESS(name.host.mode != CGROUP_NONE, "no cgroups here")

/* Where the answer needs the cgroup: what is skipped runs no cleanup. */
#define BOX_SKIP_UNLESS(box, condition, ...)                                                                           \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			box_drop(&(box));                                                                              \
			cr_skip_test(__VA_ARGS__);                                                                     \
		}                                                                                                      \
	} while (0)

static inline bool box_is_v2(const struct box *box)
{
	return box->host.mode == CGROUP_V2;
}

static inline void box_create(struct box *box, const struct cgroup_limits *limits, unsigned flags)
{
	struct error err = {0};

	ASSERT_OK(cgroup_create(&box->host, box->path, limits, flags, &box->cgroup, &err));
}

#define LIMIT_OF(number) ((struct optional){.set = true, .value = (number)})

/* A child born in the cgroup that ends with body's result. */
struct child {
	pid_t pid;
	int pidfd;
};

static inline struct child child_start(const struct cgroup *cgroup, int (*body)(void *), void *argument)
{
	AUTO(cgroup_entrance_drop) struct cgroup_entrance entrance = {.into = -1};
	struct error err = {0};
	struct child child = {.pidfd = -1};

	ASSERT_OK(cgroup_entrance_open(cgroup, &entrance, &err));
	child.pid = process_clone(0, entrance.into, &child.pidfd);
	cr_assert(child.pid >= 0, "clone: %s", strerror(errno));
	if (child.pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failing test leaves nobody behind */
	if (child.pid == 0)
		_exit(cgroup_enter(&entrance, &err) < 0 ? 99 : body(argument));
	return child;
}

/* The status as of waitpid(2). */
static inline int child_end(struct child *child)
{
	struct error err = {0};
	int status = -1;

	ASSERT_OK(process_reap(child->pidfd, &status, &err));
	fd_drop(&child->pidfd);
	return status;
}

static inline int child_run(const struct cgroup *cgroup, int (*body)(void *), void *argument)
{
	struct child child = child_start(cgroup, body, argument);

	return child_end(&child);
}

/* Stands still until it is killed. */
static inline int body_wait(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return 0;
}

/* Waits until a child is in the cgroup: a v1 child enters by itself. */
static inline void wait_populated(const struct cgroup *cgroup)
{
	int64_t deadline = clock_ms() + GENEROUS_MS;

	while (!cgroup_is_populated(cgroup) && clock_ms() < deadline)
		poll(NULL, 0, 1);
	cr_assert(cgroup_is_populated(cgroup), "nobody came");
}

static inline const char *knob_text(
	const struct cgroup *cgroup, enum cgroup_controller controller, const char *file, char text[256])
{
	ssize_t got = knob_read(cgroup_directory(cgroup, controller), file, text, 256);

	cr_assert(got >= 0, "%s: %s", file, strerror(errno));
	text[strcspn(text, "\n")] = '\0';
	return text;
}

#define ASSERT_KNOB(cgroup, controller, file, expected)                                                                \
	do {                                                                                                           \
		char knob_buffer[256];                                                                                 \
		const char *now = knob_text(cgroup, controller, file, knob_buffer);                                    \
		cr_assert(strcmp(now, expected) == 0, "%s: \"%s\", not \"%s\"", file, now, expected);                  \
	} while (0)

#endif
