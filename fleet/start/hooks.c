/* Programs of the operator around an instance's life, as the OCI runtime specification has them: each gets the state on
 * its standard input. */
#include "fleet/start/hooks.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"

#define OCI_VERSION "1.2.0"
#define SPEC_MAX_BYTES ((size_t)8 << 20)

void instance_hook_facts(struct arena *arena, const struct instance *instance, const struct instance_spec *spec,
	struct container_facts *out)
{
	*out = (struct container_facts){
		.id = instance->name,
		.bundle = arena_format(arena, "%s/instances/%s", instance->host->lib_path, instance->name),
		.oci_version = OCI_VERSION,
		.annotations = spec->labels,
		.own_id_range = true,
	};
}

bool hooks_are_inside(const struct spec_hooks *hooks)
{
	return hooks->of[HOOK_CREATE_CONTAINER].count || hooks->of[HOOK_START_CONTAINER].count;
}

/* Most instances have none, and their specification need not be decoded to know it. */
static bool mentions_poststop(struct arena *arena, int dir)
{
	struct error ignored;
	const char *text;

	return file_read(arena, dir, "spec.json", SPEC_MAX_BYTES, &text, NULL, &ignored) == 0 &&
	       strstr(text, "\"poststop\"");
}

void instance_poststop_run(struct instance *instance)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct container_facts facts;
	struct instance_spec spec;
	struct error err;

	if (!mentions_poststop(&arena, instance->dir))
		return;
	if (instance_spec_load(&arena, instance->dir, instance->name, &spec, &err) < 0) {
		log_warn("%s: its hooks after the end did not run: %s", instance->name, err.text);
		return;
	}
	instance_hook_facts(&arena, instance, &spec, &facts);
	container_poststop_run(&spec.hooks, &facts);
}
