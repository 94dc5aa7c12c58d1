/* Read at every start, so that a changed file counts at the next restart; never copied into our own records. */
#include "fleet/file/source.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/spec.h"

static int source_open(const char *path, struct error *err)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return fail(err, ERROR_MISSING, "%s: no such file", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_errno(err, "%s", path);
	if (!S_ISREG(st.st_mode))
		return fail(err, ERROR_USAGE, "%s: not a regular file", path);
	if ((uint64_t)st.st_size > SOURCE_MAX_BYTES)
		return fail(err, ERROR_USAGE, "%s: larger than %zu bytes", path, SOURCE_MAX_BYTES);
	return take_fd(&fd);
}

int source_check(const char *path, struct error *err)
{
	auto_fd fd = source_open(path, err);

	return fd < 0 ? -1 : 0;
}

int source_read(struct arena *arena, const char *path, const char **content, size_t *length, struct error *err)
{
	auto_fd fd = source_open(path, err);

	if (fd < 0)
		return -1;
	return fd_read_all(arena, fd, SOURCE_MAX_BYTES, content, length, err) < 0 ? blame(err, "%s", path) : 0;
}

static int env_line_add(
	struct arena *arena, const char *path, size_t number, const char *line, struct pairs *out, struct error *err)
{
	const char *equals = strchr(line, '=');

	if (!*line || *line == '#')
		return 0;
	if (!equals || equals == line)
		return fail(err, ERROR_USAGE, "%s:%zu: expected NAME=VALUE", path, number);
	if (line_check("line", line, err) < 0)
		return blame(err, "%s:%zu", path, number);
	pairs_set(arena, out, arena_bytes(arena, line, (size_t)(equals - line)), equals + 1);
	return 0;
}

int env_file_read(struct arena *arena, const char *path, struct pairs *out, struct error *err)
{
	const char *content;
	struct strings lines;
	size_t length;

	if (source_read(arena, path, &content, &length, err) < 0)
		return -1;
	if (strlen(content) != length)
		return fail(err, ERROR_USAGE, "%s: a NUL byte is not text", path);
	lines = strings_split(arena, content, '\n');
	for (size_t i = 0; i < lines.count; i++) {
		size_t end = strlen(lines.items[i]);

		if (end && lines.items[i][end - 1] == '\r')
			lines.items[i] = arena_bytes(arena, lines.items[i], end - 1);
		if (env_line_add(arena, path, i + 1, lines.items[i], out, err) < 0)
			return -1;
	}
	return 0;
}

/* FNV-1a: nobody gains by a collision, as who can write the files can say anything anyway. */
static uint64_t digest_add(uint64_t digest, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		digest = (digest ^ (unsigned char)bytes[i]) * UINT64_C(1099511628211);
	return digest;
}

static bool file_add(struct arena *arena, const char *path, uint64_t *digest)
{
	struct error ignored;
	const char *content;
	size_t length;

	if (source_read(arena, path, &content, &length, &ignored) < 0)
		return false;
	*digest = digest_add(*digest, (const char *)&length, sizeof(length));
	*digest = digest_add(*digest, content, length);
	return true;
}

uint64_t sources_digest(const struct instance_spec *spec)
{
	AUTO(arena_drop) struct arena arena = {0};
	uint64_t digest = UINT64_C(14695981039346656037);
	size_t files = 0;

	for (size_t i = 0; i < spec->env_file.count; i++, files++)
		if (!file_add(&arena, spec->env_file.items[i], &digest))
			return 0;
	for (size_t i = 0; i < spec->configs.count; i++) {
		if (!spec->configs.items[i].source)
			continue;
		if (!file_add(&arena, spec->configs.items[i].source, &digest))
			return 0;
		files++;
	}
	return files ? digest : 0;
}
