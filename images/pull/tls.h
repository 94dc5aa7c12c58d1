/* Which certificates to believe, and to show, for a registry: the directories that docker, podman and containerd read.
 *
 *   DIR/HOST[:PORT]/ANY.crt           authorities, on top of the system's
 *   DIR/HOST[:PORT]/ANY.cert, .key    the client's own certificate and its key
 *
 * DIR is /etc/containers/certs.d, then /etc/docker/certs.d. A directory that the user names is such a HOST directory
 * itself. */
#ifndef WARREN_IMAGES_PULL_TLS_H
#define WARREN_IMAGES_PULL_TLS_H

#include "base/arena.h"
#include "base/error.h"

struct tls_files {
	const char *authorities;       /* PEM, all files in a row; NULL: none */
	const char *certificate, *key; /* paths; NULL: none */
};
/* host: "registry.local:5000". directory: the user's, or NULL. All strings lie in the arena. Nothing there: all NULL.
 */
MUST_CHECK int tls_files_find(
	struct arena *arena, const char *host, const char *directory, struct tls_files *out, struct error *err);

#endif
