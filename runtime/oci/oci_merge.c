/* Parts of config.json over a specification that is there: what a fleet file says of an instance in the words of the
 * OCI specification. What it does not name stays; what the instance's own keys say is refused here. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/oci/oci.h"
#include "runtime/runtime.h"

static bool mounts_have(const struct spec_mount *mounts, size_t count, const char *destination)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(mounts[i].destination, destination))
			return true;
	return false;
}

/* Further ones; one on a place that is taken takes it. */
static int mounts_merge(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct spec *spec = (struct spec *)((char *)member - offsetof(struct spec, mounts));
	size_t old_count = spec->mounts.count, count = 0;

	if (oci_decode_mounts(decoder, node, member, err) < 0)
		return -1;
	for (size_t i = 0; i < spec->mounts.count; i++)
		if (i >= old_count || !mounts_have(spec->mounts.items + old_count, spec->mounts.count - old_count,
					      spec->mounts.items[i].destination))
			spec->mounts.items[count++] = spec->mounts.items[i];
	spec->mounts.count = count;
	return 0;
}

static void pairs_overlay(struct arena *arena, const struct pairs *old, struct pairs *pairs)
{
	struct pairs all = {0};

	for (size_t i = 0; i < old->count; i++)
		pairs_set(arena, &all, old->items[i].name, old->items[i].value);
	for (size_t i = 0; i < pairs->count; i++)
		pairs_set(arena, &all, pairs->items[i].name, pairs->items[i].value);
	*pairs = all;
}

/* What the caller makes himself, and what can be said in one way only. */
static const struct {
	const char *object, *key, *why;
} merge_refused[] = {
	{NULL, "namespaces", "they are the instance's own"},
	{NULL, "uidMappings", "the range of ids is the instance's own"},
	{NULL, "gidMappings", "the range of ids is the instance's own"},
	{NULL, "cgroupsPath", "the control group is the instance's own"},
	{"resources", "memory", "\"resources\" of the instance says it"},
	{"resources", "cpu", "\"resources\" of the instance says it"},
	{"resources", "pids", "\"resources\" of the instance says it"},
	{"resources", "blockIO", "\"resources\" of the instance says it"},
};

static int linux_merge(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct spec *spec = member;
	struct pairs sysctls = spec->sysctls;

	for (size_t i = 0; i < ARRAY_SIZE(merge_refused); i++) {
		const struct json *object = merge_refused[i].object ? json_get(node, merge_refused[i].object) : node;
		const struct json *found = object ? json_get(object, merge_refused[i].key) : NULL;

		if (found)
			return json_fail_key(decoder->doc, found, err, "\"%s\": %s", found->key, merge_refused[i].why);
	}
	/* Lists are read behind what is there. */
	if (json_get(node, "devices"))
		spec->devices.count = 0;
	if (json_get(node, "netDevices"))
		spec->net_devices.count = 0;
	if (decode_object(decoder, node, oci_linux_fields, spec, err) < 0)
		return -1;
	pairs_overlay(decoder->arena, &sysctls, &spec->sysctls);
	return 0;
}

static const struct field merge_fields[] = {
	STRING("hostname", struct spec, hostname, 0),
	STRING("domainname", struct spec, domainname, 0),
	CUSTOM("process", struct spec, process, oci_merge_process, 0),
	CUSTOM("mounts", struct spec, mounts, mounts_merge, 0),
	PAIRS("annotations", struct spec, annotations, 0),
	{.key = "linux", .kind = FIELD_CUSTOM, .decode = linux_merge},
	REFUSED("hooks", "the key \"hooks\" of the instance says it"),
	REFUSED("root", "the root is the instance's own"),
	REFUSED("ociVersion", "this is no whole specification"),
	END_OF_FIELDS,
};

int oci_spec_merge(
	struct arena *arena, const struct json_doc *doc, const struct json *node, struct spec *spec, struct error *err)
{
	const struct decoder decoder = {.arena = arena, .doc = doc, .mode = DECODE_STRICT};

	return decode_object(&decoder, node, merge_fields, spec, err);
}
