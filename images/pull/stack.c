#include "images/pull/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/store/store.h"

#define NAMES_MAX 1000000

void stack_drop(struct stack *stack)
{
	for (size_t i = 0; i < stack->count; i++)
		fd_drop(&stack->dirs[i]);
	free(stack->dirs);
	*stack = (struct stack){0};
}

void stack_cut(struct stack *stack)
{
	for (size_t i = 0; i + 1 < stack->count; i++)
		if (layer_directory_is_opaque(stack->dirs[i]))
			stack->count = i + 1;
}

int stack_open(const struct stack *above, size_t first, const char *name, struct stack *out, struct error *err)
{
	*out = (struct stack){.dirs = calloc(above->count - first + 1, sizeof(int))};
	if (!out->dirs)
		return fail_errno(err, "take memory");
	for (size_t i = first; i < above->count; i++) {
		int fd = openat(above->dirs[i], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
			return 0;
		if (fd < 0)
			return fail_errno(err, "open directory %s", name);
		out->dirs[out->count++] = fd;
		if (layer_directory_is_opaque(fd))
			return 0;
	}
	return 0;
}

ssize_t stack_find(const struct stack *stack, const char *name, struct stat *status)
{
	for (size_t i = 0; i < stack->count; i++)
		if (fstatat(stack->dirs[i], name, status, AT_SYMLINK_NOFOLLOW) == 0)
			return (ssize_t)i;
	return -1;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int stack_names(
	struct arena *arena, const struct stack *stack, const char *path, struct strings *out, struct error *err)
{
	size_t kept = 0;

	*out = (struct strings){0};
	for (size_t i = 0; i < stack->count; i++) {
		struct strings names;

		if (dir_list(arena, stack->dirs[i], NAMES_MAX, &names, err) < 0)
			return blame(err, "%s", path);
		for (size_t k = 0; k < names.count; k++)
			strings_add(arena, out, names.items[k]);
	}
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), compare_texts);
	for (size_t i = 0; i < out->count; i++)
		if (!i || strcmp(out->items[i], out->items[kept - 1]) != 0)
			out->items[kept++] = out->items[i];
	out->count = kept;
	return 0;
}
