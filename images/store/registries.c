/* The file about registries; see registries.h. */
#include "images/store/registries.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/decode.h"

#define PATH "/etc/warren/registries.json"
#define VARIABLE "WARREN_REGISTRIES"

static const struct field fields[] = {
	STRING("default", struct registries, home, NULL_REFUSED),
	STRINGS("insecure", struct registries, insecure, NULL_REFUSED),
	END_OF_FIELDS,
};

static int registries_check(const struct registries *registries, struct error *err)
{
	if (registry_name_check("default", registries->home, err) < 0)
		return -1;
	for (size_t i = 0; i < registries->insecure.count; i++)
		if (registry_name_check("insecure", registries->insecure.items[i], err) < 0)
			return -1;
	return 0;
}

int registries_read(struct arena *arena, struct registries *out, struct error *err)
{
	const char *named = getenv(VARIABLE), *path = text_is_empty(named) ? PATH : named;
	struct json_doc doc;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_STRICT};

	*out = (struct registries){.home = REFERENCE_DOCKER};
	if (json_read(arena, AT_FDCWD, path, JSON_COMMENTS, &doc, err) < 0)
		return err->kind == ERROR_MISSING && path != named ? 0 : -1;
	if (decode_object(&decoder, doc.root, fields, out, err) < 0)
		return -1;
	return registries_check(out, err) < 0 ? blame(err, "%s", path) : 0;
}

int reference_resolve(struct arena *arena, const char *text, struct reference *out, struct error *err)
{
	struct registries registries;

	if (registries_read(arena, &registries, err) < 0)
		return -1;
	return reference_parse(arena, text, registries.home, out, err);
}
