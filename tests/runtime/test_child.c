/* Tests of runtime/start/child.c's table: it is what docs/start.md says. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/start/child.h"
#include "tests/test.h"

/* The source tree, from this file's path as the compiler saw it. */
static const char *document(struct arena *arena)
{
	struct error err;
	const char *content, *end = strstr(__FILE__, "tests/runtime/");
	const char *path = arena_format(arena, "%.*sdocs/start.md", (int)(end - __FILE__), __FILE__);

	cr_assert(file_read(arena, AT_FDCWD, path, 1 << 20, &content, NULL, &err) == 0, "%s", err.text);
	return content;
}

/* Rows of the table are "| 7 | wait for the root | …". */
TEST(child, has_the_steps_that_the_document_lists_in_their_order)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *place = document(&arena);
	size_t count = 0;

	for (; child_step_name(count); count++) {
		const char *row = arena_format(&arena, "\n| %zu | %s |", count + 1, child_step_name(count));

		place = strstr(place, row);
		cr_assert(place, "docs/start.md lacks the row \"%s\", or has it elsewhere", row + 1);
	}
	cr_assert(count > 20);
	cr_assert(!strstr(place, arena_format(&arena, "\n| %zu |", count + 1)), "docs/start.md has more rows");
}
