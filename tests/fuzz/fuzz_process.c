/* Any bytes as the file of exec --process: refused with one line, or a process that the next steps can use. */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "runtime/oci/oci.h"
#include "runtime/process/process.h"
#include "runtime/runtime.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	log_setup("fuzz", LOG_ERROR, LOG_TEXT, STDERR_FILENO);
	return 0;
}

static void check_process(const struct spec_process *process)
{
	const struct spec_scheduler *scheduler = process->scheduler;

	FUZZ_ASSERT(process->uid != (uid_t)-1 && process->gid != (gid_t)-1 && process->cwd);
	FUZZ_ASSERT(!process->io_priority.set || (process->io_priority.value >> 13) <= 3);
	FUZZ_ASSERT(!scheduler || (scheduler->nice >= -20 && scheduler->nice <= 19 && scheduler->priority <= 99));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct spec_process process;
	struct process_plan plan;
	struct json_doc doc;
	struct error err;

	if (json_parse(&arena, "process.json", (const char *)data, size, JSON_PLAIN, &doc, &err) < 0)
		return 0;
	if (oci_process_decode(&arena, &doc, &process, &err) < 0) {
		FUZZ_ASSERT(
			err.kind == ERROR_USAGE && !strncmp(err.text, "process.json", 12) && !strchr(err.text, '\n'));
		return 0;
	}
	check_process(&process);
	oci_process_fit(&process, true);
	FUZZ_ASSERT(!(process.capabilities[CAPS_EFFECTIVE] & ~process.capabilities[CAPS_PERMITTED]));
	if (process_plan_prepare(&arena, &process, NULL, &plan, &err) < 0) {
		FUZZ_ASSERT(err.kind == ERROR_USAGE && !strchr(err.text, '\n'));
		return 0;
	}
	FUZZ_ASSERT(plan.argv[0] && plan.candidates[0]);
	return 0;
}
