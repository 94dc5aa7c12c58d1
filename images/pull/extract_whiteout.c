/* What a layer takes away: ".wh.NAME" hides NAME of the layers below, ".wh..wh..opq" all that a directory has there
 * (image-spec, layer.md). On disk these are overlayfs' own marks: a character device 0:0, and an attribute of the
 * directory, which needs rights that the extractor does not have, so those are only listed.
 *
 * A whiteout is about the layers below only, so what the same layer brings under that name stays, and the order of the
 * two does not matter. Other ".wh..wh.*" are AUFS' own housekeeping and passed over, with all below them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "images/pull/content.h"
#include "images/pull/extract.h"

#define PREFIX ".wh."
#define AUFS ".wh..wh."
#define OPAQUE ".wh..wh..opq"

static int opaque_note(struct extract *extract, const char *path, size_t length)
{
	strings_add(&extract->arena, &extract->opaque, arena_bytes(&extract->arena, path, length));
	extract->overlay_marks = true;
	return 1;
}

/* The directory is made when it is missing: then it is an implied one. At the top it is the layer itself, which hides
 * all layers below it. */
static int opaque_mark(struct extract *extract, const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/'), *name;

	if (!slash)
		return opaque_note(extract, path, 0);
	if (extract_parent(extract, path, &name, err) < 0)
		return -1;
	return opaque_note(extract, path, (size_t)(slash - path));
}

static int hidden_mark(struct extract *extract, const char *path, struct error *err)
{
	const char *name, *hidden;
	int dir = extract_parent(extract, path, &name, err);
	auto_free char *whole = NULL;
	struct stat status;

	if (dir < 0)
		return -1;
	hidden = name + strlen(PREFIX);
	extract->overlay_marks = true;
	if (mknodat(dir, hidden, S_IFCHR, 0) == 0) {
		status = (struct stat){.st_mode = S_IFCHR};
		content_add(&extract->content, hidden, &status, 0);
		return 1;
	}
	if (errno != EEXIST || fstatat(dir, hidden, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "hide %s", hidden);
	if (!S_ISDIR(status.st_mode))
		return 1; /* it is there in this layer, and hides what is below by that */
	whole = text_format("%.*s%s", (int)(name - path), path, hidden);
	return opaque_note(extract, whole, strlen(whole));
}

static bool hides_nothing(const char *hidden)
{
	return !*hidden || !strcmp(hidden, ".") || !strcmp(hidden, "..");
}

int extract_whiteout(struct extract *extract, const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (const char *part = path; *part;) {
		size_t length = strcspn(part, "/");

		if (part != name && text_starts_with(part, PREFIX)) {
			if (text_starts_with(part, AUFS) && memcmp(part, OPAQUE, length))
				return 1;
			return fail(err, ERROR_USAGE, "nothing can be below a whiteout");
		}
		part += length + (part[length] == '/');
	}
	if (!text_starts_with(name, PREFIX))
		return 0;
	if (!strcmp(name, OPAQUE))
		return opaque_mark(extract, path, err);
	if (text_starts_with(name, AUFS))
		return 1;
	if (hides_nothing(name + strlen(PREFIX)))
		return fail(err, ERROR_USAGE, "a whiteout of nothing, of \".\" or of \"..\"");
	return hidden_mark(extract, path, err);
}
