#include "tests/end_to_end/support_counter.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/process.h"
#include "tests/test.h"

bool criu_is_there(void)
{
	return access("/usr/sbin/criu", X_OK) == 0;
}

bool criu_works(void)
{
	auto_run check = RUN("/usr/sbin/criu", "check");

	return check.status == 0;
}

/* --- a container that counts -------------------------------------------------------------------------------------- */

void counter_write(struct bundle *bundle, const char *process)
{
	auto_free char *data = text_format("%s/data", bundle->path);

	mkdir(data, 0755);
	BUNDLE_WRITE(bundle, .script = COUNTER, .mounts = DATA, .process = process);
}

int count_now(const struct bundle *bundle)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_free char *path = text_format("%s/data/count", bundle->path);
	const char *text;
	struct error ignored;

	if (file_read(&arena, AT_FDCWD, path, 64, &text, NULL, &ignored) < 0)
		return 0;
	return atoi(text);
}

int count_await(const struct bundle *bundle, int beyond)
{
	int64_t end = clock_ms() + COUNTER_WAIT_MS;
	int count;

	while ((count = count_now(bundle)) <= beyond && clock_ms() < end)
		usleep(20000);
	cr_assert(count > beyond, "it counts no further than %d", count);
	return count;
}

void counter_run(struct bundle *bundle)
{
	auto_run run = OCI(bundle, "run", "-d", "ID");

	ASSERT_STATUS(run, 0);
	count_await(bundle, 3);
}

const char *images_of(struct bundle *bundle, const char *name, char path[192])
{
	snprintf(path, 192, "%s/%s", bundle->directory.path, name);
	return path;
}

void assert_state(struct bundle *bundle, const char *expected)
{
	auto_run state = OCI(bundle, "state", "ID");
	auto_free char *line = text_format("\"status\": \"%s\"", expected);

	ASSERT_STATUS(state, 0);
	cr_assert(strstr(state.out, line), "expected %s: %s", expected, state.out);
}

void assert_gone(struct bundle *bundle)
{
	auto_run list = OCI(bundle, "list", "-q");

	cr_assert_str_eq(list.out, "");
	cr_assert(bundle_cgroups(bundle) == 0);
}

void assert_goes_on(struct bundle *bundle, int before)
{
	int after = count_await(bundle, before);

	cr_assert(after < before + 500, "went from %d to %d", before, after);
}
