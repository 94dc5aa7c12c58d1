/* The profiles that the program brings along. */
#include "base/cleanup.h"
#include "base/json.h"
#include "fleet/spec.h"
#include "tests/test.h"

TEST(profile, is_a_layer_that_stands_where_it_was_named)
{
	AUTO(arena_drop) struct arena arena = {0};
	const struct json named = {.kind = JSON_STRING, .text = PROFILE_SYSTEM, .offset = 77};
	const struct json *layer = profile_built_in(&arena, PROFILE_SYSTEM, &named);

	cr_assert(layer && layer->kind == JSON_OBJECT && json_get(layer, "boot")->boolean);
	for (const struct json *member = layer->first; member; member = member->next)
		cr_assert(member->offset == 77 && member->key_offset == 77, "%s", member->key);
	cr_assert(json_get(json_get(layer, "resources"), "pids")->offset == 77);
	cr_assert(!profile_built_in(&arena, "web", &named));
}

TEST(profile, leaves_alone_what_it_says_nothing_of)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec spec;
	struct error err;

	instance_spec_init(&arena, &spec, false);
	spec.resources.memory_bytes = (struct optional){true, 64 << 20};
	ASSERT_OK(profile_apply(&arena, PROFILE_SYSTEM, &spec, &err));
	cr_assert(spec.boot && spec.resources.memory_bytes.value == 64 << 20 && spec.restart.policy == RESTART_NO);
	cr_assert(spec.resources.pids.value == 4096 && !spec.no_new_privileges);
	ASSERT_FAILS(profile_apply(&arena, "systm", &spec, &err), ERROR_USAGE,
		"no profile \"systm\" is built in; did you mean \"system\"?");
}
