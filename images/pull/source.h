/* Where an image comes from: a registry, a layout, an archive, a tarball, a directory.
 *
 * A source gives documents whole (bounded, not verified by itself) and pushes the bytes of a layer into a sink. Who
 * uses it checks every digest: a source is only a way to bytes. install.h puts an image from any source into the store.
 */
#ifndef WARREN_IMAGES_PULL_SOURCE_H
#define WARREN_IMAGES_PULL_SOURCE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

struct partial;
struct platform;

/* What a document or layer is called where it is referred to. */
struct source_blob {
	const char *media_type;	  /* may be NULL */
	const char *digest;	  /* "sha256:…", checked by digest_check(); NULL: only known when it has been read */
	const char *index_digest; /* of a manifest: of the index it was chosen from, or NULL */
	int64_t size;		  /* -1: not known */
	size_t index;		  /* of a layer, bottom is 0 */
	/* Of a layer: held by who asks (single flight). A source may keep there what it has fetched, to go on from
	 * there another time. NULL: none. */
	struct partial *partial;
};

#define SOURCE_DOCUMENT_MAX (4 << 20) /* of a manifest, index or config */

/* Takes bytes in order. Blocks as long as it must; an error ends the transfer and is the transfer's error. */
struct sink {
	int (*write)(struct sink *sink, const void *bytes, size_t length, struct error *err);
};

struct source;
struct source_kind {
	const char *name; /* "registry", "oci" … as it is recorded with the image */
	/* The manifest of the wanted platform (an index was resolved by the source, which verified the index's digest
	 * and fills *blob with what the index, or the request, says of the manifest; digest NULL when nobody said one).
	 */
	int (*manifest)(struct source *source, struct arena *arena, struct source_blob *blob, const char **bytes,
		size_t *length, struct error *err);
	/* A document by its descriptor: the config. Never more than SOURCE_DOCUMENT_MAX, nor than blob->size. */
	int (*document)(struct source *source, struct arena *arena, const struct source_blob *blob, const char **bytes,
		size_t *length, struct error *err);
	/* The bytes of a layer, packed as they are there. Called from several threads at once, for different layers. */
	int (*layer)(struct source *source, const struct source_blob *blob, struct sink *sink, struct error *err);
	void (*drop)(struct source *source);
	/* Of a root, may be NULL: 1 when the unpacked directory turns out to be an archive of images: then *out reads
	 * from there, and is dropped by the caller. 0: it is a root. */
	int (*inside)(struct source *source, int directory, struct source **out, struct error *err);
};

/* A source begins with this; kinds keep what they need behind it. */
struct source {
	const struct source_kind *kind;
	/* A root file system without manifest and config (a tarball, a directory): manifest and document are NULL,
	 * layer is called once with index 0, and install makes both documents. */
	const char *root_name; /* what it is called in history; NULL: a real image */
};
void source_drop(struct source **source);

/* "oci:DIR[:REF]", "oci-archive:FILE[:REF]", "docker-archive:FILE[:NAME]", "tar:FILE", "dir:DIR"; or a plain path,
 * whose kind is found out by looking: a directory with an oci-layout file is a layout, another a root; a file is looked
 * into.
 * "-" and "tar:-" read standard input. platform NULL: this machine's; its strings outlive the source. The source is
 * malloc()ed. */
struct source *source_open_local(const char *text, const struct platform *platform, struct error *err);

#endif
