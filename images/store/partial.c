/* The file that is both the lock of whoever fetches a layer and what there is of it.
 *
 * It is removed by whoever has finished, while he still holds its lock. Somebody who waited for that lock then has the
 * flock of a file without a name: he begins again with the one that has it. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/store/store.h"

#define NOTE_SUFFIX ".note"
#define NOTE_MAX 4096

static bool has_name(int fd)
{
	struct stat about;

	return fstat(fd, &about) == 0 && about.st_nlink > 0;
}

int partial_lock(
	const struct store *store, const char *digest, int64_t timeout_ms, struct partial *out, struct error *err)
{
	if (digest_check("digest", digest, err) < 0)
		return -1;
	*out = NO_PARTIAL;
	out->store = store;
	snprintf(out->name, sizeof(out->name), "sha256-%s", digest_hex(digest));
	for (;;) {
		auto_fd fd = openat(store->partial, out->name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd < 0)
			return fail_errno(err, "open partial/%s of the store", out->name);
		if (lock_exclusive(fd, timeout_ms, err) < 0)
			return blame(err, "the layer %s is being fetched", digest);
		if (!has_name(fd))
			continue;
		out->fd = take_fd(&fd);
		return 0;
	}
}

void partial_drop(struct partial *partial)
{
	fd_drop(&partial->fd);
}

void partial_done(struct partial *partial)
{
	auto_free char *note = text_format("%s" NOTE_SUFFIX, partial->name);

	if (partial->fd < 0)
		return;
	unlinkat(partial->store->partial, note, 0);
	unlinkat(partial->store->partial, partial->name, 0);
	fd_drop(&partial->fd);
}

int partial_note_set(const struct partial *partial, const char *note, struct error *err)
{
	auto_free char *path = text_format("%s" NOTE_SUFFIX, partial->name);
	size_t length = strlen(note);

	if (length > NOTE_MAX)
		return fail(err, ERROR_USAGE, "a note of %zu bytes about a partial layer", length);
	return file_replace(partial->store->partial, path, 0600, FILE_VOLATILE, note, length, err);
}

int partial_note_get(const struct partial *partial, struct arena *arena, const char **note, struct error *err)
{
	auto_free char *path = text_format("%s" NOTE_SUFFIX, partial->name);

	*note = NULL;
	if (file_read(arena, partial->store->partial, path, NOTE_MAX, note, NULL, err) == 0)
		return 0;
	if (err->kind != ERROR_MISSING)
		return -1;
	*err = (struct error){0};
	return 0;
}
