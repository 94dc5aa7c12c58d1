/* What the monitors of a fleet cost: memory of their own, and nothing else while nothing happens. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/test.h"

#define MANY 8
#define LIMIT_KIB 100
#define LIMIT_ALONE_KIB 150
#define LIMIT_FIRST_KIB 200

static const char fleet[] = "{\"version\": 1, \"name\": \"f\", \"instances\": {\"a\": {\"image\": \"host\", "
			    "\"replicas\": 8, \"network\": \"none\",\n"
			    "\"command\": [\"sh\", \"-c\", \"while :; do echo line; sleep 1; done\"],\n"
			    "\"healthcheck\": {\"test\": \"true\", \"interval\": \"1s\"}}}}\n";

/* The sum of a file's lines "Name: NUMBER …" of these names; the second may be NULL. */
static long proc_sum(struct playground *here, const char *pid, const char *file, const char *first, const char *second)
{
	const char *path = arena_format(&here->arena, "/proc/%s/%s", pid, file), *text;
	const char *const names[] = {first, second};
	struct error err;
	long sum = 0;

	ASSERT_OK(file_read(&here->arena, AT_FDCWD, path, 65536, &text, NULL, &err));
	for (size_t i = 0; i < 2 && names[i]; i++) {
		const char *line = strstr(text, names[i]);

		cr_assert(line, "%s: no %s", path, names[i]);
		sum += strtol(line + strlen(names[i]), NULL, 10);
	}
	return sum;
}

/* What has been written: what is only read of a program and its libraries is its own by chance, where nobody else has
 * mapped it at that moment. */
static long written_kib(struct playground *here, const char *name)
{
	return proc_sum(here, instance_fact(here, name, "monitor_pid"), "smaps_rollup", "Private_Dirty:", NULL);
}

static long private_kib(struct playground *here, const char *name)
{
	return proc_sum(
		here, instance_fact(here, name, "monitor_pid"), "smaps_rollup", "Private_Dirty:", "Private_Clean:");
}

/* So that it has done what comes after a start: it has slept since. */
static void await_rest(struct playground *here, const char *name)
{
	const char *pid = instance_fact(here, name, "monitor_pid");
	const char *path = arena_format(&here->arena, "/proc/%s/wchan", pid), *text;
	struct error err;

	do {
		usleep(10000);
		ASSERT_OK(file_read(&here->arena, AT_FDCWD, path, 64, &text, NULL, &err));
	} while (!strstr(text, "poll"));
}

static int compare(const void *a, const void *b)
{
	return *(const long *)a < *(const long *)b ? -1 : *(const long *)a > *(const long *)b;
}

TEST(monitors, of_a_fleet_have_at_most_a_hundred_kibibytes_each, .fini = playground_rescue)
{
	auto_playground here = playground_new();
	long kib[MANY];

#ifdef WARREN_SANITIZED
	cr_skip_test("needs a build without sanitizers (preset release)");
#endif
	const char *path = arena_format(&here.arena, "%s/f.json", here.directory.path);

	run_write_file(here.directory.path, "f.json", 0600, fleet);
	WARREN_OK(&here, "apply", path);
	/* Each has asked at least once. */
	for (int i = 0; i < MANY; i++) {
		const char *name = arena_format(&here.arena, "a-%d", i + 1);

		while (strcmp(json_get(json_get(instance_inspect(&here, name), "health"), "state")->text, "healthy") !=
			0)
			usleep(50000);
		kib[i] = private_kib(&here, name);
	}
	qsort(kib, MANY, sizeof(kib[0]), compare);
	cr_assert(kib[MANY / 2] <= LIMIT_KIB, "median %ld KiB, largest %ld", kib[MANY / 2], kib[MANY - 1]);
	WARREN_OK(&here, "down", "f");
}

/* Whoever starts a fleet shares its pages with all monitors of it; one that is started alone shares them with nobody,
 * and the first one of a host has made its network and compiled its filter in the same process. */
TEST(monitors, started_alone_have_little_more, .fini = playground_rescue)
{
	auto_playground here = playground_new();
	static const long limits_kib[] = {LIMIT_FIRST_KIB, LIMIT_ALONE_KIB};

#ifdef WARREN_SANITIZED
	cr_skip_test("needs a build without sanitizers (preset release)");
#endif
	for (size_t i = 0; i < ARRAY_SIZE(limits_kib); i++) {
		const char *name = arena_format(&here.arena, "n%zu", i + 1);

		WARREN_OK(&here, "run", "-d", "--name", name, "host", "--", "sleep", "1000");
		await_rest(&here, name);
		long kib = written_kib(&here, name);

		cr_assert(kib <= limits_kib[i], "%s: %ld KiB", name, kib);
		/* The second alone, too: what two have mapped is nobody's own. */
		WARREN_OK(&here, "rm", "-f", name);
	}
}
