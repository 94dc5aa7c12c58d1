/* Any text as a fleet file: an error of one line with the file's name in front, or instances whose spec.json reads back
 * as the same specification, and of which a plan against themselves wants nothing. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "base/cleanup.h"
#include "fleet/spec/change.h"
#include "fleet/apply/plan.h"
#include "fleet/spec.h"

#define LOOKED_AT 16 /* replicas are all alike */

static char *encoded(const struct instance_spec *spec, size_t *length)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);

	instance_spec_encode(encoder, NULL, spec);
	return encoder_take(encoder, length);
}

static void expect_same_again(const struct instance_spec *spec)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec again;
	struct comparison comparison;
	struct json_doc doc;
	struct error err;
	size_t length, again_length;
	auto_free char *text = encoded(spec, &length);

	FUZZ_ASSERT(json_parse(&arena, "spec", text, length, JSON_PLAIN, &doc, &err) == 0);
	FUZZ_ASSERT(instance_spec_decode(&arena, &doc, doc.root, &again, &err) == 0);
	auto_free char *same = encoded(&again, &again_length);
	FUZZ_ASSERT(length == again_length && !memcmp(text, same, length));
	specs_compare(&arena, spec, &again, &comparison);
	FUZZ_ASSERT(comparison.change == CHANGE_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct fleet_file file;
	struct error err = {0};

	if (fleet_file_decode(&arena, "fuzz", (const char *)data, size, &file, &err) < 0) {
		FUZZ_ASSERT(err.kind == ERROR_USAGE && !strncmp(err.text, "fuzz:", 5) && !strchr(err.text, '\n'));
		return 0;
	}
	for (size_t i = 0; i < file.instances.count && i < LOOKED_AT; i++) {
		struct spec spec;

		expect_same_again(&file.instances.items[i]);
		if (!file.instances.items[i].env_file.count &&
			instance_compile(&arena, &file.instances.items[i], &(struct compile_facts){.id_base = 65536},
				&spec, &err) < 0)
			FUZZ_ASSERT(err.kind == ERROR_USAGE && !strchr(err.text, '\n'));
	}
	return 0;
}
