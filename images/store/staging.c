/* Staging directories: what is being made lies in one until it is whole.
 *
 * The flock on the directory itself says that its maker lives; the kernel lets go of it whatever ends him. Between
 * mkdir and flock the store's lock is held, so nobody who looks for dead ones sees one that is not locked yet. */
#include "images/store/staging.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "images/collection.h"

#define TRIES 16
#define STAGING "tmp"
#define STAGED_MAX 65536

static int directory_make(const struct store *store, struct staging *out, struct error *err)
{
	for (int i = 0; i < TRIES; i++) {
		uint64_t number;

		if (getrandom(&number, sizeof(number), 0) != sizeof(number))
			return fail_errno(err, "getrandom");
		snprintf(out->name, sizeof(out->name), "%d.%016jx", getpid(), (uintmax_t)number);
		if (mkdirat(store->staging, out->name, 0700) == 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	return fail_errno(err, "make a staging directory in the store");
}

int staging_make(const struct store *store, struct staging *out, struct error *err)
{
	auto_fd lock = store_lock(store, STORE_SHARED, err);
	auto_fd dir = -1;

	*out = (struct staging){.store = store, .dir = -1};
	if (lock < 0 || directory_make(store, out, err) < 0)
		return -1;
	dir = openat(store->staging, out->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return fail_errno(err, "open the staging directory");
	if (lock_exclusive(dir, 0, err) < 0)
		return blame(err, "the staging directory");
	if (mkdirat(dir, KEEP, 0700) < 0)
		return fail_errno(err, "make the directory %s", KEEP);
	out->dir = take_fd(&dir);
	return 0;
}

void staging_drop(struct staging *staging)
{
	struct error err;

	if (staging->dir < 0 || !staging->store)
		return;
	if (tree_remove(staging->store->staging, staging->name, &err) < 0)
		log_debug("the staging directory %s stays for now: %s", staging->name, err.text);
	fd_drop(&staging->dir);
}

int staging_note(const struct staging *staging, const char *prefix, const char *name, struct error *err)
{
	auto_free char *path = text_format(KEEP "/%s%s", prefix, name);
	auto_fd note = openat(staging->dir, path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	return note < 0 ? fail_errno(err, "note what the store shall keep") : 0;
}

bool staging_is_name(const char *name)
{
	size_t digits = strspn(name, "0123456789");

	return digits && name[digits] == '.' && strlen(name + digits + 1) == 16 &&
	       strspn(name + digits + 1, "0123456789abcdef") == 16;
}

/* Asked of its maker's number, not of its flock: to hold that, for however short, would refuse it to one who makes his
 * at this moment. A number that is another's by now hides it for a while. */
static bool is_dead(const char *name)
{
	return staging_is_name(name) && kill(atoi(name), 0) < 0 && errno == ESRCH;
}

bool store_leftovers_exist(int dir)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_fd staging = openat(dir, STAGING, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct strings names;
	struct error ignored;

	if (staging < 0 || dir_list(&arena, staging, STAGED_MAX, &names, &ignored) < 0)
		return false;
	for (size_t i = 0; i < names.count; i++)
		if (is_dead(names.items[i]))
			return true;
	return false;
}
