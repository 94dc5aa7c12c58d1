#include "tests/end_to_end/support_victims.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "tests/test.h"

#define PROCESSES_MAX 65536
#define CGROUP_MAX 65536
#define END_MS SLOWLY(5000)

struct victims {
	struct arena arena;
	struct strings pids;
};

static void victims_drop(struct victims *victims)
{
	arena_drop(&victims->arena);
}

static const char *proc_read(struct victims *victims, const char *pid, const char *name)
{
	const char *path = arena_format(&victims->arena, "/proc/%s/%s", pid, name), *text;
	struct error gone;

	return file_read(&victims->arena, AT_FDCWD, path, CGROUP_MAX, &text, NULL, &gone) < 0 ? "" : text;
}

static bool is_below(struct victims *victims, const char *pid, const char *parent)
{
	const char *below = arena_format(&victims->arena, ":/%s/", parent);

	return strstr(proc_read(victims, pid, "cgroup"), below) != NULL;
}

static void victims_find(struct victims *victims, const char *parent)
{
	auto_fd proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct strings names = {0};
	struct error err;

	ASSERT_OK(dir_list(&victims->arena, proc, PROCESSES_MAX, &names, &err));
	for (size_t i = 0; i < names.count; i++)
		if (strspn(names.items[i], "0123456789") == strlen(names.items[i]) &&
			is_below(victims, names.items[i], parent))
			strings_add(&victims->arena, &victims->pids, names.items[i]);
}

bool victim_kill(const char *parent, unsigned dice)
{
	AUTO(victims_drop) struct victims victims = {0};

	victims_find(&victims, parent);
	if (!victims.pids.count)
		return false;
	const char *pid = victims.pids.items[dice % victims.pids.count];
	auto_fd held = pidfd_open(atoi(pid), 0);
	/* Whoever has the number now is held, and is looked at once more. */
	return held >= 0 && is_below(&victims, pid, parent) && pidfd_send_signal(held, SIGKILL, NULL, 0) == 0 &&
	       process_wait_end(held, END_MS) == 1;
}

int victims_count(const char *parent, const char *name)
{
	AUTO(victims_drop) struct victims victims = {0};
	int count = 0;

	victims_find(&victims, parent);
	for (size_t i = 0; i < victims.pids.count; i++)
		count += text_starts_with(proc_read(&victims, victims.pids.items[i], "comm"), name);
	return count;
}
