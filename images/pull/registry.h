/* A registry as a source (source.h): the distribution specification's pull.
 *
 * Documents are asked for by tag or digest, an index is followed to the entry for the platform, layers are streamed.
 * A layer whose connection breaks is continued where it broke; a large one even by another process, from what the
 * partial file has. */
#ifndef WARREN_IMAGES_PULL_REGISTRY_H
#define WARREN_IMAGES_PULL_REGISTRY_H

#include <stdbool.h>

#include "base/error.h"
#include "images/pull/credentials.h"
#include "images/pull/http.h"
#include "images/pull/retry.h"
#include "images/pull/source.h"
#include "images/store/manifest.h"
#include "images/store/reference.h"

#define REGISTRY_KEEP_BYTES (INT64_C(64) << 20) /* smaller layers are fetched anew by the next process */

struct registry_options {
	struct credentials credentials;
	struct platform platform;
	struct retry_policy policy;
	bool may_be_plain;  /* insecure: http where nobody speaks TLS */
	int64_t keep_bytes; /* layers of this size and more are kept while they are fetched */
};

/* malloc()ed; http, the reference's and the options' strings are borrowed until it is dropped. */
struct source *source_open_registry(
	struct http *http, const struct reference *reference, const struct registry_options *options);

#endif
