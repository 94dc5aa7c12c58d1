#include "tests/pull/support_layer.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "images/pull/content.h"
#include "tests/test.h"

#define SECRET "not for archives"

static struct layer_content outside_content(const struct world *world)
{
	auto_fd outside = openat(world->scratch, "outside", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct layer_content content;
	struct error err;

	ASSERT_OK(content_measure(outside, &content, &err));
	return content;
}

void world_make(struct world *world)
{
	auto_fd secret = -1;
	struct error err;

	*world = (struct world){.path = "/var/tmp/warren-test-pull-XXXXXX", .scratch = -1, .layer = -1};
	cr_assert(mkdtemp(world->path));
	world->scratch = open(world->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert(mkdirat(world->scratch, "outside", 0755) == 0);
	secret = openat(world->scratch, "outside/secret", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert(write(secret, SECRET, strlen(SECRET)) > 0);
	world_empty(world);
	ASSERT_OK(unpackers_start(&world->unpackers, &err));
}

void world_empty(struct world *world)
{
	struct error err;

	fd_drop(&world->layer);
	ASSERT_OK(tree_remove(world->scratch, "layer", &err));
	cr_assert(mkdirat(world->scratch, "layer", 0755) == 0);
	world->layer = openat(world->scratch, "layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert(world->layer >= 0);
}

static void assert_untouched(struct world *world)
{
	struct layer_content content = outside_content(world);
	struct strings names;
	struct error err;
	struct stat secret;

	cr_assert(content.files == 1 && content.directories == 0 && content.bytes == strlen(SECRET));
	cr_assert(fstatat(world->scratch, "outside/secret", &secret, AT_SYMLINK_NOFOLLOW) == 0);
	cr_assert(secret.st_nlink == 1 && secret.st_uid == 0 && (secret.st_mode & 07777) == 0600);
	ASSERT_OK(dir_list(&world->arena, world->scratch, 100, &names, &err));
	cr_assert(names.count == 2, "something was made outside: %s", names.items[0]);
}

void world_drop(struct world *world)
{
	struct error err;

	assert_untouched(world);
	unpackers_drop(&world->unpackers);
	fd_drop(&world->layer);
	fd_drop(&world->scratch);
	arena_drop(&world->arena);
	ASSERT_OK(tree_remove(AT_FDCWD, world->path, &err));
}

static int unpack_run(struct world *world, struct layer_unpack *unpack, const struct text *bytes, struct error *err)
{
	if (layer_feed(unpack, text_string(bytes), bytes->length, err) < 0)
		return -1;
	return layer_unpack_finish(unpack, &world->arena, &world->result, err);
}

int world_unpack(struct world *world, const struct text *bytes, const struct layer_request *request, struct error *err)
{
	struct layer_request all = request ? *request : (struct layer_request){.size = -1};
	struct layer_unpack *unpack AUTO(layer_unpack_drop) = NULL;

	all.directory = world->layer;
	unpack = layer_unpack_start(&world->unpackers, &all, err);
	return unpack ? unpack_run(world, unpack, bytes, err) : -1;
}

static int world_open(const struct world *world, const char *path)
{
	return path_try_open(world->layer, path, O_PATH | O_NOFOLLOW, 0);
}

struct stat world_stat(const struct world *world, const char *path)
{
	auto_fd fd = world_open(world, path);
	struct stat status = {0};

	cr_assert(fd >= 0 && fstat(fd, &status) == 0, "%s: %m", path);
	return status;
}

bool world_has(const struct world *world, const char *path)
{
	auto_fd fd = world_open(world, path);

	return fd >= 0;
}

const char *world_text(const struct world *world, const char *path)
{
	static char text[256];
	auto_fd fd = path_try_open(world->layer, path, O_RDONLY, 0);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	cr_assert(got >= 0, "%s: %m", path);
	text[got] = '\0';
	return text;
}
