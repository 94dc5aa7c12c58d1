/* The users and groups of the host image. Private to this folder.
 *
 * They come from Debian's own lists in /usr and from the packages' declarations there (sysusers.d), never from the
 * host's /etc/passwd. The host's is read for one thing: which name a directory's owner has, so that the directory is
 * given to the same name inside. */
#ifndef WARREN_IMAGES_ACCOUNTS_H
#define WARREN_IMAGES_ACCOUNTS_H

#include "base/text.h"
#include "images/images.h"

struct account {
	const char *name;
	uint32_t id;
};
struct account_list {
	struct account *items;
	size_t count;
};
struct accounts {
	struct text passwd, group, shadow; /* the files' text */
	struct account_list users, groups; /* the same, parsed */
	struct account_list host_users, host_groups;
};
MUST_CHECK int accounts_make(struct arena *arena, int host, struct accounts *out, struct error *err);
void accounts_drop(struct accounts *accounts);

/* Host id → id inside: the same below 100 (static on every Debian), else by name; unknown ones are root's. */
uint32_t accounts_user(const struct accounts *accounts, uint32_t host_id);
uint32_t accounts_group(const struct accounts *accounts, uint32_t host_id);

/* "name:password:id:…" lines of passwd(5) and group(5). */
struct account_list accounts_parse(struct arena *arena, const char *text);

#endif
