/* Names of images as users know them, "debian:12" or "host:5000/a/b@sha256:…", taken apart and put together.
 *
 * The grammar is that of the distribution specification: a repository of lower-case components, a tag of at most 128
 * characters, a digest. What stands before the first slash is a registry when it holds a '.' or ':' or is "localhost";
 * all else belongs to the default registry, where docker.io keeps plain names below "library/". Names end up in URLs
 * and file names, so whatever passes here holds no "..", no empty component and no character that means anything there.
 */
#ifndef WARREN_IMAGES_REFERENCE_H
#define WARREN_IMAGES_REFERENCE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"

#define REFERENCE_DOCKER "docker.io"
#define REFERENCE_NAME_MAX 255	 /* registry and repository together, as in the reference implementation */
#define REFERENCE_DIGEST_SIZE 72 /* "sha256:", 64 digits, and the NUL */

struct reference {
	const char *registry;	/* "docker.io", "host:5000", "[::1]:5000" */
	const char *repository; /* "library/debian", "a/b" */
	const char *tag;	/* "latest" when neither a tag nor a digest is given; NULL: only a digest */
	const char *digest;	/* "sha256:…", or NULL. With both, the digest decides and the tag is a remark. */
};

/* All strings of *out lie in the arena. default_registry NULL means docker.io; it is checked as any other. ERROR_USAGE
 * says what is wrong and shows the whole name. */
MUST_CHECK int reference_parse(
	struct arena *arena, const char *text, const char *default_registry, struct reference *out, struct error *err);

/* The whole name: "docker.io/library/debian:12", "host:5000/a/b@sha256:…". With both, "…:12@sha256:…". */
const char *reference_full(struct arena *arena, const struct reference *reference);
/* The shortest name that reference_parse() with the same default makes the same of: "debian:12". */
const char *reference_familiar(struct arena *arena, const struct reference *reference, const char *default_registry);

/* A registry's name: letters, digits, '-', '.', an optional port; or an IPv6 address in brackets. `what` names it in
 * the error. */
MUST_CHECK int registry_name_check(const char *what, const char *name, struct error *err);

/* Exactly "sha256:" and 64 lower-case hexadecimal digits. Whatever comes from outside passes this before it is compared
 * or becomes part of a path or a URL. `what` names it in the error. */
MUST_CHECK int digest_check(const char *what, const char *digest, struct error *err);
/* The 64 digits of a digest that digest_check() took. */
const char *digest_hex(const char *digest);

#endif
