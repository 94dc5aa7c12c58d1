/* Any bytes as the resources of an update: refused with one line, or limits whose numbers are within bounds. */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "runtime/oci/oci.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	log_setup("fuzz", LOG_ERROR, LOG_TEXT, STDERR_FILENO);
	return 0;
}

static void check_limits(const struct cgroup_limits *limits)
{
	FUZZ_ASSERT(!limits->memory_max.set || limits->memory_max.value >= -1);
	FUZZ_ASSERT(!limits->swap_max.set || limits->swap_max.value >= -1);
	FUZZ_ASSERT(!limits->pids_max.set || limits->pids_max.value == -1 || limits->pids_max.value > 0);
	FUZZ_ASSERT(
		!limits->block_weight.set || (limits->block_weight.value >= 10 && limits->block_weight.value <= 1000));
	FUZZ_ASSERT(!limits->cpu_shares.set || limits->cpu_shares.value <= 262144);
	/* A list of rules begins with "nothing", so that an update opens no more than it says. */
	FUZZ_ASSERT(!limits->devices.count || !limits->devices.items[0].allow);
	for (size_t i = 0; i < limits->unified.count; i++)
		FUZZ_ASSERT(limits->unified.items[i].name && limits->unified.items[i].value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct oci_update update;
	struct json_doc doc;
	struct error err;

	if (json_parse(&arena, "resources", (const char *)data, size, JSON_PLAIN, &doc, &err) < 0)
		return 0;
	if (oci_update_decode(&arena, &doc, size & 1 ? -1 : 1 << 20, &update, &err) < 0) {
		FUZZ_ASSERT(err.kind == ERROR_USAGE && !strncmp(err.text, "resources", 9) && !strchr(err.text, '\n'));
		return 0;
	}
	check_limits(&update.limits);
	return 0;
}
