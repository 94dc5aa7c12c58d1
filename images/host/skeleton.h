/* The content of the host image, but for /usr. Private to this folder. */
#ifndef WARREN_IMAGES_SKELETON_H
#define WARREN_IMAGES_SKELETON_H

#include "base/text.h"
#include "images/files/path_set.h"
#include "images/host/accounts.h"
#include "images/images.h"

/* What the parts of the making share. */
struct skeleton {
	int host; /* the host's root directory */
	int root; /* the root being made */
	struct arena *arena;
	struct accounts accounts;
	struct strings paths;	/* below /etc and /var, of installed packages */
	struct path_set *taken; /* files, links and directories below /etc that exist in the image */
};

/* Makes the whole root below the staging directory `root`. */
MUST_CHECK int skeleton_make(int host, int root, struct error *err);

/* Its parts, in order. */
MUST_CHECK int skeleton_layout(struct skeleton *skeleton, struct error *err);	 /* top directories and links */
MUST_CHECK int skeleton_files(struct skeleton *skeleton, struct error *err);	 /* generated and copied files */
MUST_CHECK int skeleton_conffiles(struct skeleton *skeleton, struct error *err); /* packages' own, unchanged ones */
MUST_CHECK int skeleton_etc_tree(struct skeleton *skeleton, struct error *err);	 /* directories and links of /etc */
MUST_CHECK int skeleton_var_tree(struct skeleton *skeleton, struct error *err);

/* Name servers that an instance can reach, as text of resolv.conf(5). */
void resolver_text(struct arena *arena, int host, struct text *out);
/* The host's own, for who shares its network. */
void resolver_whole(struct arena *arena, int host, struct text *out);
/* What the instance was given, for root_resolver_refresh(). */
MUST_CHECK int resolver_note(int instance, const char *text, size_t length, struct error *err);
MUST_CHECK int resolver_forget(int instance, struct error *err);

/* True for what the image never holds, whatever a package says. */
bool etc_is_private(const char *path);

#endif
