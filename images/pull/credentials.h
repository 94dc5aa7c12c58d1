/* Who we are at a registry: what `podman login`, `docker login` and `skopeo login` have written, and credential
 * helpers.
 *
 * Files, in this order: the one that the user names; $REGISTRY_AUTH_FILE; $XDG_RUNTIME_DIR/containers/auth.json (for
 * root without it /run/containers/0/auth.json); ~/.config/containers/auth.json; $DOCKER_CONFIG/config.json or
 * ~/.docker/config.json. The first that knows the registry decides. In a file, the longest entry that names the
 * repository or something above it wins: "host/a/b", "host/a", "host"; "credHelpers" and "credsStore" name programs
 * docker-credential-NAME, which are asked. */
#ifndef WARREN_IMAGES_PULL_CREDENTIALS_H
#define WARREN_IMAGES_PULL_CREDENTIALS_H

#include "base/arena.h"
#include "base/error.h"
#include "images/store/reference.h"

struct credentials {
	const char *user, *password; /* NULL: nobody */
	const char *identity_token;  /* in place of both: exchanged for a bearer token; NULL: none */
	const char *from;	     /* the file, for messages; NULL: nothing was found */
};
/* authfile: the user's, or NULL. Nothing found: 0 and all NULL. A file that is there and cannot be understood is an
 * error, one that may not be read as well. All strings lie in the arena. */
MUST_CHECK int credentials_find(struct arena *arena, const struct reference *reference, const char *authfile,
	struct credentials *out, struct error *err);
/* "user:password" of the command line. */
MUST_CHECK int credentials_parse(struct arena *arena, const char *text, struct credentials *out, struct error *err);

/* Asks docker-credential-<name> (found in $PATH) for the server. Not known to it: 0 and all NULL. */
MUST_CHECK int credentials_helper_ask(
	struct arena *arena, const char *name, const char *server, struct credentials *out, struct error *err);

#endif
