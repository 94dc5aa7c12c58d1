/* Any bytes as what warren-systemd is asked and answers, as a cgroupsPath for systemd, and as the value of an
 * annotation: refused with one line, or something that systemd can be given. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "base/cleanup.h"
#include "cgroups/systemd.h"

static void check_error(const struct error *err)
{
	FUZZ_ASSERT(err->text[0] && !strchr(err->text, '\n'));
}

static void check_name(struct arena *arena, const char *text)
{
	struct systemd_name name;
	struct error err;

	if (systemd_name_parse(arena, text, "id", SYSTEMD_SYSTEM, &name, &err) < 0) {
		check_error(&err);
		return;
	}
	FUZZ_ASSERT(text_ends_with(name.path, name.unit) && text_ends_with(name.unit, ".scope"));
	FUZZ_ASSERT(name.path[0] != '/' && !strstr(name.path, "//") && !strstr(name.path, "/../"));
	FUZZ_ASSERT(strlen(name.unit) <= SYSTEMD_UNIT_MAX && !strchr(name.unit, '/'));
}

static void check_annotation(struct arena *arena, const char *text)
{
	struct pair pair = {"org.systemd.property.TimeoutStopSec", text};
	struct pairs annotations = {&pair, 1};
	struct systemd_properties list = {0};
	struct systemd_property property = {.name = "Some"};
	struct error err;

	if (systemd_variant_parse(arena, text, &property, &err) < 0)
		check_error(&err);
	else if (systemd_property_check(&property, &err) == 0)
		FUZZ_ASSERT(property.type[0] == 'a' || property.values.count == 1);
	if (systemd_properties_add_annotations(arena, &list, &annotations, &err) == 0)
		FUZZ_ASSERT(list.count == 1 && systemd_property_check(&list.items[0], &err) == 0);
	else
		check_error(&err);
}

/* What is right stays the same when it is sent on. */
static void check_request(struct arena *arena, const char *text, size_t length)
{
	struct systemd_request request, again;
	struct error err;
	size_t size;

	if (systemd_request_decode(arena, text, length, &request, &err) < 0) {
		check_error(&err);
		return;
	}
	auto_free char *encoded = systemd_request_encode(&request, &size);
	FUZZ_ASSERT(systemd_request_decode(arena, encoded, size, &again, &err) == 0);
	FUZZ_ASSERT(again.properties.count == request.properties.count && strcmp(again.unit, request.unit) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *text = arena_bytes(&arena, (const char *)data, size);
	struct systemd_answer answer;
	struct error err;

	check_name(&arena, text);
	check_annotation(&arena, text);
	check_request(&arena, (const char *)data, size);
	if (systemd_answer_decode(&arena, (const char *)data, size, &answer, &err) == 0 && answer.cgroup)
		FUZZ_ASSERT(answer.cgroup[0] == '/' && !strstr(answer.cgroup, "/../"));
	return 0;
}
