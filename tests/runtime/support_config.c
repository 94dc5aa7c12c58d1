#include "tests/runtime/support_config.h"

#include <string.h>

#include "base/json.h"
#include "runtime/oci/oci.h"

const char *config_text(struct arena *arena, const struct pieces *pieces)
{
	return arena_format(arena, "{%s, \"process\": %s, \"root\": %s, \"linux\": %s}",
		pieces->top ? pieces->top : "\"ociVersion\": \"1.0.2\"",
		pieces->process ? pieces->process : "{\"args\": [\"/bin/true\"], \"cwd\": \"/\"}",
		pieces->root ? pieces->root : "{\"path\": \"rootfs\"}",
		pieces->system ? pieces->system
			       : "{\"namespaces\": [{\"type\": \"mount\"}, {\"type\": \"uts\"}, {\"type\": "
				 "\"ipc\"}, {\"type\": \"network\"}]}");
}

int config_decode_text(struct arena *arena, const char *text, size_t length, struct spec *spec, struct error *err)
{
	struct json_doc doc;

	if (json_parse(arena, "config.json", text, length, JSON_PLAIN, &doc, err) < 0)
		return -1;
	return oci_spec_decode(arena, &doc, "/bundle", spec, err);
}

int config_decode(struct arena *arena, const struct pieces *pieces, struct spec *spec, struct error *err)
{
	const char *text = config_text(arena, pieces);

	return config_decode_text(arena, text, strlen(text), spec, err);
}
