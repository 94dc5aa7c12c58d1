/* What dpkg's database says about the host's packages. Private to this folder.
 *
 * All functions take the host's root directory as a descriptor. A host without dpkg gives empty lists. */
#ifndef WARREN_IMAGES_DPKG_H
#define WARREN_IMAGES_DPKG_H

#include "images/images.h"

#define DPKG_STATUS "/var/lib/dpkg/status"

struct conffile {
	const char *path; /* absolute */
	const char *md5;  /* of the package's own version, 32 lower-case hexadecimal digits */
};
struct conffiles {
	struct conffile *items;
	size_t count;
};

/* The configuration files of all installed packages, without obsolete ones. */
MUST_CHECK int dpkg_conffiles(struct arena *arena, int host, struct conffiles *out, struct error *err);
/* The same from the status file's text. */
void dpkg_conffiles_parse(struct arena *arena, const char *text, struct conffiles *out);

/* Paths below /etc and /var that installed packages own, sorted, each once: files, directories and links alike. */
MUST_CHECK int dpkg_paths(struct arena *arena, int host, struct strings *out, struct error *err);

#endif
