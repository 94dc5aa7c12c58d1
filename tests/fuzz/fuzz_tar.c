/* Any bytes as a packed or plain tar archive into a directory: an error of one line, or a tree that counts as what was
 * recorded while it was made. Nothing is ever made beside the directory. The first byte chooses the limits.
 *
 * The extractor runs in this process, without its confinement: what goes wrong shall be seen. */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/pull/content.h"
#include "images/pull/inflate.h"
#include "images/pull/tar.h"

#define PLAIN_MAX (1 << 20)

static int scratch = -1;

/* In memory: hundreds of small trees a second. */
static int scratch_open(void)
{
	static char path[] = "/dev/shm/warren-fuzz-tar-XXXXXX";

	FUZZ_ASSERT(mkdtemp(path));
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void scratch_remove(void)
{
	char link[64], path[4096];
	struct error err;
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", scratch);
	length = readlink(link, path, sizeof(path) - 1);
	if (length <= 0)
		return;
	path[length] = '\0';
	if (tree_remove(AT_FDCWD, path, &err) < 0)
		fprintf(stderr, "%s\n", err.text);
}

struct memory_input {
	struct tar_input input; /* first */
	const uint8_t *next;
	size_t left;
};

/* Odd pieces, so that libarchive meets every seam. */
static ssize_t memory_next(struct tar_input *input, const void **bytes, struct error *err)
{
	struct memory_input *memory = (struct memory_input *)input;
	size_t length = memory->left < 1021 ? memory->left : 1021;

	(void)err;
	*bytes = memory->next;
	memory->next += length;
	memory->left -= length;
	return (ssize_t)length;
}

/* How much came out, or -1. */
static ssize_t plain_make(const uint8_t *data, size_t size, uint8_t *plain, struct error *err)
{
	struct inflate_io io = {.in = data, .in_length = size, .out = plain, .out_length = PLAIN_MAX};
	struct inflate inflate = {0};
	int result = inflate_begin(&inflate, data, size < INFLATE_MAGIC_MAX ? size : INFLATE_MAGIC_MAX, err);

	while (result == 0 && io.in_length && io.out_length)
		result = inflate_step(&inflate, &io, err);
	if (result == 0 && io.out_length)
		result = inflate_end(&inflate, err);
	inflate_drop(&inflate);
	return result < 0 ? -1 : PLAIN_MAX - (ssize_t)io.out_length;
}

static void check_error(const struct error *err)
{
	FUZZ_ASSERT(err->kind != ERROR_NONE && *err->text);
}

static void check_content(const struct extract *extract, int root)
{
	struct layer_content found;
	struct error err;

	FUZZ_ASSERT(content_measure(root, &found, &err) == 0);
	FUZZ_ASSERT(!memcmp(&found, &extract->content, sizeof(found)));
}

static void extract_run(const uint8_t *plain, size_t length, const struct layer_limits *limits, int root)
{
	struct memory_input input = {.input.next = memory_next, .next = plain, .left = length};
	AUTO(extract_drop) struct extract extract;
	struct error err = {0};

	extract_begin(&extract, root, length & 1, limits);
	if (tar_extract(&input.input, &extract, &err) < 0 || extract_finish(&extract, &err) < 0)
		check_error(&err);
	else
		check_content(&extract, root);
}

static void check_beside(void)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names;
	struct error err;

	FUZZ_ASSERT(dir_list(&arena, scratch, 10, &names, &err) == 0);
	FUZZ_ASSERT(names.count == 1 && !strcmp(names.items[0], "root"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct layer_limits limits = {.bytes = 1 << 20, .entries = 200};
	auto_free uint8_t *plain = malloc(PLAIN_MAX);
	struct error err = {0};
	auto_fd root = -1;
	ssize_t length;

	if (!size)
		return 0;
	if (scratch < 0) {
		FUZZ_ASSERT(tar_setup(&err) == 0);
		umask(0);
		scratch = scratch_open();
		atexit(scratch_remove);
	}
	limits.entries = 1 + data[0];
	FUZZ_ASSERT(mkdirat(scratch, "root", 0755) == 0);
	root = openat(scratch, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	length = plain_make(data + 1, size - 1, plain, &err);
	if (length < 0)
		check_error(&err);
	else
		extract_run(plain, (size_t)length, &limits, root);
	check_beside();
	FUZZ_ASSERT(tree_remove(scratch, "root", &err) == 0);
	return 0;
}
