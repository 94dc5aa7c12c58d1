/* See volume_note.h. trusted.* is for whoever has CAP_SYS_ADMIN on the host itself (xattr(7)). */
#include "images/volumes/volume_note.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"

#define FRESH "trusted.warren.fresh"
#define LABELS "trusted.warren.labels"
#define LABELS_MAX 65536 /* the kernel's own bound of a value, XATTR_SIZE_MAX */

/* A file system without such attributes keeps the volume, and begins it empty. */
int volume_mark_fresh(int volume, struct error *err)
{
	if (fsetxattr(volume, FRESH, "", 0, 0) == 0 || errno == EOPNOTSUPP)
		return 0;
	return fail_errno(err, "mark the volume as new");
}

bool volume_is_fresh(int volume)
{
	return fgetxattr(volume, FRESH, NULL, 0) >= 0;
}

bool volume_unmark(int volume)
{
	return fremovexattr(volume, FRESH) == 0;
}

/* "a=b\0c=\0" */
int volume_labels_write(int volume, const struct pairs *labels, struct error *err)
{
	AUTO(text_drop) struct text text = {0};

	if (!labels->count)
		return 0;
	for (size_t i = 0; i < labels->count; i++) {
		text_appendf(&text, "%s=%s", labels->items[i].name, labels->items[i].value);
		text_append_bytes(&text, "", 1);
	}
	if (fsetxattr(volume, LABELS, text_string(&text), text.length, 0) == 0)
		return 0;
	if (errno == ENOSPC || errno == E2BIG || errno == ERANGE)
		return fail(err, ERROR_USAGE, "the labels are more than this file system keeps with a directory");
	return fail_errno(err, "write the labels");
}

int volume_labels_read(struct arena *arena, int volume, struct pairs *out, struct error *err)
{
	char *values = arena_alloc(arena, LABELS_MAX + 1);
	ssize_t length = fgetxattr(volume, LABELS, values, LABELS_MAX);

	*out = (struct pairs){0};
	if (length < 0)
		return errno == ENODATA || errno == EOPNOTSUPP ? 0 : fail_errno(err, "read the labels");
	for (char *at = values; at < values + length; at += strlen(at) + 1) {
		char *equals = strchr(at, '=');

		if (!equals)
			return fail(err, ERROR_SYSTEM, "the labels are damaged");
		pairs_set(arena, out, arena_bytes(arena, at, (size_t)(equals - at)), equals + 1);
		at = equals + 1;
	}
	return 0;
}

int volumes_lock(int volumes, struct error *err)
{
	auto_fd lock = openat(volumes, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (lock >= 0 && flock(lock, LOCK_EX) < 0)
		if (errno != EINTR)
			fd_drop(&lock);
	return lock < 0 ? fail_errno(err, "lock the volumes") : take_fd(&lock);
}

int volume_directory_open(int volumes, const char *name)
{
	return openat(volumes, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}
