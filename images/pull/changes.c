/* Both sides are walked as an overlay file system would show them; only directories that the instance has of its own
 * are looked into, so it costs what was written, not what the image has. */
#include "images/pull/changes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/pull/content.h"
#include "images/pull/extract.h"
#include "images/pull/stack.h"
#include "images/store/store.h"

#define COMPARED_MAX (1 << 20) /* a larger copy is taken for a change without being read */
#define CHANGES_MAX 4000000

struct walk {
	struct arena *arena;
	struct root_changes *out;
	bool copied;
	unsigned depth;
};

static int change_add(struct walk *walk, char kind, const char *path, struct error *err)
{
	struct root_changes *list = walk->out;

	if (list->count == CHANGES_MAX)
		return fail(err, ERROR_USAGE, "more than %d changes", CHANGES_MAX);
	if (list->count == list->room) {
		list->room = list->room ? 2 * list->room : 64;
		list->items = reallocarray(list->items, list->room, sizeof(*list->items));
		if (!list->items)
			return fail_errno(err, "take memory");
	}
	list->items[list->count++] = (struct root_change){kind, arena_format(walk->arena, "/%s", path)};
	return 0;
}

/* --- the same? ---------------------------------------------------------------------------------------------------- */

static bool files_equal(int one_dir, int other_dir, const char *name)
{
	auto_fd one = openat(one_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_fd other = openat(other_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char bytes[16384], others[16384];
	ssize_t length;

	if (one < 0 || other < 0)
		return false;
	do {
		length = read_retried(one, bytes, sizeof(bytes));
		if (length < 0 || read_retried(other, others, sizeof(others)) != length ||
			memcmp(bytes, others, (size_t)length) != 0)
			return false;
	} while (length > 0);
	return true;
}

static bool links_equal(int one_dir, int other_dir, const char *name)
{
	char one[4096], other[4096];
	ssize_t length = readlinkat(one_dir, name, one, sizeof(one));

	return length >= 0 && readlinkat(other_dir, name, other, sizeof(other)) == length &&
	       !memcmp(one, other, (size_t)length);
}

static bool is_copy(int own_dir, const struct stat *own, int lower_dir, const struct stat *lower, const char *name)
{
	if ((own->st_mode & S_IFMT) != (lower->st_mode & S_IFMT))
		return false;
	if (S_ISREG(own->st_mode))
		return own->st_size == lower->st_size && own->st_size <= COMPARED_MAX &&
		       files_equal(own_dir, lower_dir, name);
	return S_ISLNK(own->st_mode) && links_equal(own_dir, lower_dir, name);
}

static bool owner_or_mode_changed(const struct stat *own, const struct stat *lower)
{
	return own->st_mode != lower->st_mode || own->st_uid != lower->st_uid || own->st_gid != lower->st_gid;
}

/* --- the walk ----------------------------------------------------------------------------------------------------- */

static int directory_walk(
	struct walk *walk, const struct stack *own, const struct stack *lower, const char *up, struct error *err);

struct both_sides {
	const char *name, *path;
	struct stat own, lower;
	size_t own_at;
	bool was_there; /* below; a whiteout there is none */
};

static int subdirectory_walk(struct walk *walk, const struct stack *own, const struct stack *lower,
	const struct both_sides *sides, struct error *err)
{
	auto_free char *inner = text_format("%s/", sides->path);
	AUTO(stack_drop) struct stack own_inner = {0}, lower_inner = {0};
	bool was_directory = sides->was_there && S_ISDIR(sides->lower.st_mode);
	size_t before = walk->out->count;

	if (stack_open(own, sides->own_at, sides->name, &own_inner, err) < 0 ||
		(was_directory && stack_open(lower, 0, sides->name, &lower_inner, err) < 0) ||
		(!was_directory && change_add(walk, sides->was_there ? 'C' : 'A', sides->path, err) < 0) ||
		directory_walk(walk, &own_inner, &lower_inner, inner, err) < 0)
		return -1;
	if (!was_directory)
		return 0;
	if (walk->out->count > before || (!walk->copied && owner_or_mode_changed(&sides->own, &sides->lower)))
		return change_add(walk, 'C', sides->path, err);
	return 0;
}

static int name_walk(struct walk *walk, const struct stack *own, const struct stack *lower, const char *up,
	const char *name, struct error *err)
{
	auto_free char *path = text_format("%s%s", up, name);
	struct both_sides sides = {.name = name, .path = path};
	ssize_t own_at = stack_find(own, name, &sides.own), lower_at = stack_find(lower, name, &sides.lower);

	for (const char *const *each = instance_generated_files; *each; each++)
		if (!strcmp(*each, path))
			return 0;
	sides.was_there = lower_at >= 0 && !extract_is_whiteout(&sides.lower);
	if (own_at < 0) /* below an opaque directory */
		return sides.was_there ? change_add(walk, 'D', path, err) : 0;
	sides.own_at = (size_t)own_at;
	if (extract_is_whiteout(&sides.own))
		return sides.was_there ? change_add(walk, 'D', path, err) : 0;
	if (S_ISDIR(sides.own.st_mode))
		return subdirectory_walk(walk, own, lower, &sides, err);
	if (walk->copied && sides.was_there &&
		is_copy(own->dirs[own_at], &sides.own, lower->dirs[lower_at], &sides.lower, name))
		return 0;
	return change_add(walk, sides.was_there ? 'C' : 'A', path, err);
}

static bool any_is_opaque(const struct stack *stack)
{
	for (size_t i = 0; i < stack->count; i++)
		if (layer_directory_is_opaque(stack->dirs[i]))
			return true;
	return false;
}

/* `up` is "" or ends in a slash. */
static int directory_walk(
	struct walk *walk, const struct stack *own, const struct stack *lower, const char *up, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names, hidden = {0};

	if (walk->depth == CONTENT_DEPTH_MAX)
		return fail(err, ERROR_USAGE, "more than %d directories inside one another", CONTENT_DEPTH_MAX);
	if (stack_names(&arena, own, up, &names, err) < 0 ||
		(any_is_opaque(own) && stack_names(&arena, lower, up, &hidden, err) < 0))
		return -1;
	walk->depth++;
	for (size_t i = 0; i < names.count; i++)
		if (name_walk(walk, own, lower, up, names.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < hidden.count; i++)
		if (!strings_contain(&names, hidden.items[i]) &&
			name_walk(walk, own, lower, up, hidden.items[i], err) < 0)
			return -1;
	walk->depth--;
	return 0;
}

static int by_path(const void *a, const void *b)
{
	const struct root_change *one = a, *other = b;

	return strcmp(one->path, other->path);
}

int changes_find(struct arena *arena, const struct instance_layers *layers, bool copied, struct root_changes *out,
	struct error *err)
{
	struct walk walk = {.arena = arena, .out = out, .copied = copied};
	struct stack own = {.dirs = (int *)layers->items, .count = layers->own};
	struct stack lower = {.dirs = (int *)layers->items + layers->own, .count = layers->count - layers->own};

	*out = (struct root_changes){0};
	stack_cut(&own);
	stack_cut(&lower);
	if (directory_walk(&walk, &own, &lower, "", err) < 0) {
		free(out->items);
		*out = (struct root_changes){0};
		return -1;
	}
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), by_path);
	return 0;
}
