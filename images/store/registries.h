/* What the host's administrator says about registries: /etc/warren/registries.json (or the file in $WARREN_REGISTRIES).
 *
 *   { "default": "registry.local:5000",           whose names may be written without it; docker.io unless told
 *     "insecure": ["localhost:5000"] }            spoken to without certificates, and without TLS where there is none
 *
 * Strict: an unknown key is an error. No file: the defaults. */
#ifndef WARREN_IMAGES_REGISTRIES_H
#define WARREN_IMAGES_REGISTRIES_H

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "images/store/reference.h"

struct registries {
	const char *home; /* the default registry */
	struct strings insecure;
};
MUST_CHECK int registries_read(struct arena *arena, struct registries *out, struct error *err);

/* reference_parse() with the default registry of this host. */
MUST_CHECK int reference_resolve(struct arena *arena, const char *text, struct reference *out, struct error *err);

#endif
