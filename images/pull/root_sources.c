/* Roots without documents: a tarball, and a directory, which is sent as a tarball too so that both are unpacked, hashed
 * and recorded in the same way. A packed tarball may turn out to be an archive of images ("docker save | gzip"). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "images/pull/local.h"
#include "images/pull/tar_write.h"

struct root_source {
	struct source source; /* first */
	int fd;
	struct arena arena;
	struct local_choice choice;
};

static int tarball_layer(struct source *source, const struct source_blob *blob, struct sink *sink, struct error *err)
{
	(void)blob;
	return fd_send(((struct root_source *)source)->fd, -1, UINT64_MAX, sink, err);
}

static int directory_layer(struct source *source, const struct source_blob *blob, struct sink *sink, struct error *err)
{
	struct tar_write how = {.sink = sink};

	(void)blob;
	return tar_write_tree(&how, &((struct root_source *)source)->fd, 1, err);
}

static bool has(int directory, const char *name)
{
	return faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int tarball_inside(struct source *source, int directory, struct source **out, struct error *err)
{
	const struct local_choice *choice = &((struct root_source *)source)->choice;
	bool layout = has(directory, "oci-layout") && has(directory, "index.json");
	struct files files = NO_FILES;

	if (!layout && !has(directory, "manifest.json"))
		return choice->archive ? fail(err, ERROR_USAGE,
						 "no archive of images: neither index.json nor manifest.json in it")
				       : 0;
	if (!choice->archive && (has(directory, "usr") || has(directory, "bin") || has(directory, "etc")))
		return 0;
	files.fd = fcntl(directory, F_DUPFD_CLOEXEC, 3);
	if (files.fd < 0)
		return fail_errno(err, "open what was unpacked");
	*out = layout ? layout_open_adopt(&files, choice->reference, &choice->platform, err)
		      : docker_archive_open_adopt(&files, choice->reference, err);
	return *out ? 1 : -1;
}

static void root_drop(struct source *source)
{
	struct root_source *root = (struct root_source *)source;

	fd_drop(&root->fd);
	arena_drop(&root->arena);
	free(root);
}

static const struct source_kind tarball_kind = {
	.name = "tarball", .layer = tarball_layer, .drop = root_drop, .inside = tarball_inside};
static const struct source_kind directory_kind = {.name = "directory", .layer = directory_layer, .drop = root_drop};

static struct source *root_new(
	const struct source_kind *kind, int fd, const char *name, const struct local_choice *choice)
{
	struct root_source *root = calloc(1, sizeof(*root));

	if (!root)
		memory_exhausted();
	root->source.kind = kind;
	root->source.root_name = arena_string(&root->arena, name);
	root->fd = fd;
	root->choice = *choice;
	if (choice->reference)
		root->choice.reference = arena_string(&root->arena, choice->reference);
	return &root->source;
}

struct source *tarball_open_adopt(int fd, const char *name, const struct local_choice *choice)
{
	return root_new(&tarball_kind, fd, name, choice);
}

struct source *directory_open_adopt(int directory, const char *name)
{
	return root_new(&directory_kind, directory, name, &(struct local_choice){.archive = false});
}
