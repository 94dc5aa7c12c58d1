/* What an image's config shall say after a commit: words of a Dockerfile, one instruction each. */
#ifndef WARREN_IMAGES_PULL_CHANGE_H
#define WARREN_IMAGES_PULL_CHANGE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/encode.h"
#include "base/error.h"
#include "base/text.h"

/* Members that are NULL, not `set`, or empty: as the image has it. */
struct change_list {
	bool set;
	struct strings items;
};
struct config_changes {
	struct change_list entrypoint, command;
	struct pairs environment, labels;
	struct strings ports, volumes;
	const char *user, *working_dir, *stop_signal;
};
/* CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR, in any case. ERROR_USAGE names the
 * instruction. Strings lie in the arena or are those of `texts`. */
MUST_CHECK int config_changes_parse(
	struct arena *arena, const struct strings *texts, struct config_changes *out, struct error *err);

/* The object "config" of an image's config with the changes made; config NULL: there was none. What we do not know is
 * kept. */
void config_changes_encode(struct encoder *encoder, const struct json *config, const struct config_changes *changes);

#endif
