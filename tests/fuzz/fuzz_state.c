/* Any bytes as the record of a container: refused with one line, or facts that the next command can use. Before the
 * first two NULs stand the texts of its two links, the rest is facts.json. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/state.h"

static char path[] = "/tmp/fuzz-state-XXXXXX";
static int dir = -1;

static void dir_remove(void)
{
	struct error ignored;

	if (tree_remove(AT_FDCWD, path, &ignored) < 0)
		fprintf(stderr, "%s\n", ignored.text);
}

static void dir_make(void)
{
	FUZZ_ASSERT(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_ASSERT(dir >= 0 && atexit(dir_remove) == 0);
}

/* The bytes up to the next NUL become a link; gives how many were used. */
static size_t link_make(const char *name, const char *bytes, size_t size)
{
	const char *end = memchr(bytes, '\0', size);
	auto_free char *text = NULL;

	unlinkat(dir, name, 0);
	if (!end)
		return 0;
	text = strndup(bytes, (size_t)(end - bytes));
	if (*text)
		FUZZ_ASSERT(symlinkat(text, dir, name) == 0 || errno == ENAMETOOLONG);
	return (size_t)(end - bytes) + 1;
}

static void facts_write(const char *bytes, size_t size)
{
	auto_fd fd = openat(dir, "facts.json", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	FUZZ_ASSERT(fd >= 0 && write_all(fd, bytes, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *bytes = (const char *)data;
	struct container_facts facts;
	struct error err;
	size_t length;

	if (dir < 0)
		dir_make();
	for (int i = 0; i < 2; i++) {
		size_t used = link_make(i ? "process" : "cgroup", bytes, size);

		bytes += used;
		size -= used;
	}
	facts_write(bytes, size);
	if (state_read(&arena, dir, "web", &facts, &err) < 0) {
		FUZZ_ASSERT(err.kind == ERROR_USAGE && !strchr(err.text, '\n') && strstr(err.text, "\"web\""));
		return 0;
	}
	FUZZ_ASSERT(!strcmp(facts.id, "web") && facts.bundle && facts.root && facts.boot && facts.init.pid >= 0);
	auto_free char *json = state_hook_json(&facts, "running", 7, &length);
	FUZZ_ASSERT(json && strlen(json) == length);
	return 0;
}
