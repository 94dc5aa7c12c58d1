/* The four small documents of an image: index, manifest, config, and the descriptor they are joined by.
 *
 * Both families are read, OCI's and docker's, which differ in media types only. As their specifications demand, unknown
 * keys are passed over and unknown media types are no error by themselves; what is required and missing, or has another
 * type than it must, is named with its position. Nothing is followed here: digests are checked for their form, sizes
 * for their range, and what is read under a digest is the reader's business. */
#ifndef WARREN_IMAGES_MANIFEST_H
#define WARREN_IMAGES_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/decode.h"
#include "base/error.h"
#include "base/text.h"

#define MANIFEST_LAYERS_MAX 480		   /* an overlay takes 500; the rest is for snapshots and uppers */
#define LAYER_BYTES_MAX (INT64_C(1) << 40) /* no descriptor may promise more */

enum media_kind {
	MEDIA_UNKNOWN,
	MEDIA_INDEX,
	MEDIA_MANIFEST,
	MEDIA_CONFIG,
	MEDIA_LAYER,	 /* a tar, however compressed: that is seen in its first bytes */
	MEDIA_ENCRYPTED, /* a layer, but not for us */
	MEDIA_SCHEMA_1,	 /* docker's manifest before 2016, which has no config */
};
/* Parameters behind a ';' and the case of letters do not count. NULL: MEDIA_UNKNOWN. */
enum media_kind media_kind(const char *media_type);
/* The four types of indexes and manifests, as the value of an Accept header. */
extern const char media_accept[];

struct platform {
	const char *os, *architecture, *variant; /* as Go names them: "linux", "arm64", "v8"; variant may be NULL */
};
/* What this machine runs. */
struct platform platform_of_host(void);
/* "linux/arm64", "linux/arm/v7", or only "arm64". ERROR_USAGE. Strings lie in the arena. */
MUST_CHECK int platform_parse(struct arena *arena, const char *text, struct platform *out, struct error *err);
const char *platform_format(struct arena *arena, const struct platform *platform);

struct descriptor {
	const char *media_type;
	const char *digest;	   /* checked: "sha256:" and 64 digits */
	int64_t size;		   /* 0 … LAYER_BYTES_MAX */
	struct platform *platform; /* NULL: not said */
	struct pairs annotations;
};

struct manifest {
	struct descriptor config;
	LIST_OF(struct descriptor) layers; /* the lowest first */
	struct pairs annotations;
};

struct manifest_index {
	LIST_OF(struct descriptor) manifests;
	struct pairs annotations;
};

/* An index or a manifest: which, only the document itself can say. */
struct manifest_document {
	enum media_kind kind; /* MEDIA_INDEX or MEDIA_MANIFEST */
	struct manifest manifest;
	struct manifest_index index;
};

/* Decodes. media_type is what came with the document (Content-Type, or its descriptor's), NULL: nothing did. A document
 * that could be read as both, or whose own mediaType is of another kind than that, is refused: two readers of such a
 * one would run two different images (CVE-2021-41190). name is what errors call it. */
MUST_CHECK int manifest_decode(struct arena *arena, const char *name, const char *text, size_t length,
	const char *media_type, struct manifest_document *out, struct error *err);

/* The entry of an index for the platform: the best fitting variant, the first of equals; entries of unknown media types
 * and for unknown platforms are passed over. An entry that says no platform is taken when it is the only one. NULL with
 * ERROR_MISSING and the platforms that there are. */
const struct descriptor *index_choose(
	struct arena *arena, const struct manifest_index *index, const struct platform *platform, struct error *err);

/* What docker calls a health check. Times in nanoseconds, 0: not said. */
struct image_health {
	struct strings test; /* "NONE", "CMD" …, "CMD-SHELL" … */
	int64_t interval_ns, timeout_ns, start_period_ns, retries;
};

/* An image's config. Content, not orders: none of it chooses anything on the host. */
struct image_details {
	struct platform platform;
	const char *created, *author;
	struct strings diff_ids;			 /* of the layers, the lowest first; checked as digests */
	struct strings entrypoint, command, environment; /* environment: "NAME=VALUE" */
	struct strings exposed_ports, volumes;		 /* "80/tcp"; "/data" */
	const char *user, *working_dir, *stop_signal;
	struct pairs labels;
	struct image_health *health; /* NULL: none */
};
MUST_CHECK int image_details_decode(struct arena *arena, const char *name, const char *text, size_t length,
	struct image_details *out, struct error *err);

/* The layers of an image that hold files, with the digests of their content: what manifest and config say together. */
struct image_layer {
	const struct descriptor *blob;
	const char *diff_id;
};
struct image_layers {
	struct image_layer *items; /* the lowest first */
	size_t count;
};
/* Joins the two. A manifest whose config is none of an image ("oras" stores other things in the same way) is refused by
 * that type; layers of unknown types are passed over with a warning; encrypted ones are refused. */
MUST_CHECK int image_layers_join(struct arena *arena, const char *name, const struct manifest *manifest,
	const struct image_details *details, struct image_layers *out, struct error *err);
/* The first half of it, before the config is fetched: its type must be an image's, and its size bearable. */
MUST_CHECK int manifest_config_check(const char *name, const struct manifest *manifest, struct error *err);

#endif
