/* What the parts of image_install() share. */
#ifndef WARREN_IMAGES_PULL_INSTALLATION_H
#define WARREN_IMAGES_PULL_INSTALLATION_H

#include <pthread.h>

#include "images/pull/install.h"
#include "images/store/manifest.h"

enum layer_state {
	LAYER_WANTED,
	LAYER_OURS,	/* we hold its partial file and fetch it in this round */
	LAYER_UNPACKED, /* in the staging directory */
	LAYER_THERE,	/* in the store */
};

struct installed_layer {
	struct source_blob blob;
	const char *diff_id, *chain_id;
	enum layer_state state;
	char key[LAYER_KEY_MAX];
	char entry[24]; /* its directory in the staging directory */
	struct partial partial;
	struct layer_result result;
	struct arena arena; /* of the result: threads have no memory in common */
};

struct installation {
	const struct store *store;
	const struct unpackers *unpackers;
	const struct install_request *request;
	struct source *source;
	struct staging staging;
	struct installed_layer *layers;
	size_t count, fetched;
	uint64_t bytes_fetched;

	pthread_mutex_t lock; /* of what follows, and of the display */
	size_t next;	      /* the next layer that a thread takes */
	bool failed;
	struct error err; /* of the first that failed */
};

/* Fetches one layer and unpacks it into its directory of the staging directory; digest NULL is fine. base: it is a
 * whole root. */
MUST_CHECK int layer_fetch(
	struct installation *installation, struct installed_layer *layer, bool base, struct error *err);
/* Until all are in the store. */
MUST_CHECK int layers_install(struct installation *installation, struct error *err);
/* Makes those that are unpacked visible: looks of implied directories, one sync, renames. */
MUST_CHECK int layers_commit(struct installation *installation, struct error *err);
void layers_drop(struct installation *installation);
void install_report(struct installation *installation, enum install_event event, const struct installed_layer *layer,
	uint64_t bytes);

/* Manifest and config for a root without them, from the one layer that was made of it; all in the arena. */
struct made_documents {
	const char *config, *manifest;
	size_t config_length, manifest_length;
	char config_digest[REFERENCE_DIGEST_SIZE], manifest_digest[REFERENCE_DIGEST_SIZE];
};
void documents_make(
	struct arena *arena, const char *root_name, const struct layer_result *layer, struct made_documents *out);

/* How content is written in a layer's record, and read again: "crc1 files directories bytes sum". */
#define CONTENT_TEXT_SIZE 96
void content_format(const struct layer_content *content, char text[CONTENT_TEXT_SIZE]);

#endif
