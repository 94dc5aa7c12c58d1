/* The kinds of sources that lie on this machine. Private to images/pull/; source_open_local() chooses. */
#ifndef WARREN_IMAGES_PULL_LOCAL_H
#define WARREN_IMAGES_PULL_LOCAL_H

#include "images/pull/files.h"
#include "images/pull/source.h"
#include "images/store/manifest.h"

/* Which image of several. Strings of the platform outlive the source. */
struct local_choice {
	const char *reference; /* NULL: the only one there is */
	struct platform platform;
	bool archive; /* the user said that it is an archive of images */
};

/* Both take the files over, also when they fail. */
struct source *layout_open_adopt(
	struct files *files, const char *reference, const struct platform *platform, struct error *err);
struct source *docker_archive_open_adopt(struct files *files, const char *reference, struct error *err);

/* Roots: name is what their history says. They take the descriptor over and cannot fail. */
struct source *tarball_open_adopt(int fd, const char *name, const struct local_choice *choice);
struct source *directory_open_adopt(int directory, const char *name);

#endif
