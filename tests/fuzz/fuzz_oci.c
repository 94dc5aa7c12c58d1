/* Any bytes as config.json: refused with one line, or a specification that holds what spec_check() promises and that
 * the parent's next steps can use. */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "runtime/oci/oci.h"
#include "runtime/process/process.h"
#include "runtime/seccomp/seccomp.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	log_setup("fuzz", LOG_ERROR, LOG_TEXT, STDERR_FILENO);
	return 0;
}

static void check_paths(const struct strings *paths)
{
	for (size_t i = 0; i < paths->count; i++)
		FUZZ_ASSERT(paths->items[i][0] == '/' && !strstr(paths->items[i], "/../"));
}

static void check_spec(const struct spec *spec)
{
	const uint64_t *sets = spec->process.capabilities;

	FUZZ_ASSERT(spec->root[0] == '/' && spec->process.cwd[0] == '/' && spec->process.args.count > 0);
	FUZZ_ASSERT(spec->namespaces.create[NS_MOUNT] || spec->namespaces.path[NS_MOUNT]);
	FUZZ_ASSERT(!(sets[CAPS_EFFECTIVE] & ~sets[CAPS_PERMITTED]) && !(sets[CAPS_AMBIENT] & ~sets[CAPS_INHERITABLE]));
	FUZZ_ASSERT(spec->process.uid != (uid_t)-1 && spec->process.gid != (gid_t)-1);
	FUZZ_ASSERT(spec->limits.devices.count >= 1 && !spec->limits.devices.items[0].allow);
	check_paths(&spec->masked_paths);
	check_paths(&spec->read_only_paths);
	for (size_t i = 0; i < spec->mounts.count; i++)
		FUZZ_ASSERT(spec->mounts.items[i].destination[0] == '/');
}

static void check_plan(struct arena *arena, const struct spec *spec)
{
	struct process_plan plan;
	struct error err;

	FUZZ_ASSERT(process_plan_prepare(arena, &spec->process, NULL, &plan, &err) == 0);
	FUZZ_ASSERT(plan.argv[0] && plan.candidates[0]);
	for (const char *const *entry = plan.envp; *entry; entry++)
		FUZZ_ASSERT(strchr(*entry, '='));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(text_drop) struct text key = {0};
	struct json_doc doc;
	struct spec spec;
	struct error err;

	if (json_parse(&arena, "config.json", (const char *)data, size, JSON_PLAIN, &doc, &err) < 0)
		return 0;
	if (oci_spec_decode(&arena, &doc, "/bundle", &spec, &err) < 0) {
		FUZZ_ASSERT(
			err.kind == ERROR_USAGE && !strncmp(err.text, "config.json", 11) && !strchr(err.text, '\n'));
		return 0;
	}
	check_spec(&spec);
	check_plan(&arena, &spec);
	if (spec.seccomp)
		seccomp_cache_key(spec.seccomp, &key);
	return 0;
}
