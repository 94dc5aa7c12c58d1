/* Certificates of registries; see tls.h. */
#include "images/pull/tls.h"

#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#define FILES_MAX 256
#define PEM_MAX (1 << 20)

static const char *const roots[] = {"/etc/containers/certs.d", "/etc/docker/certs.d"};

static int authority_add(struct arena *arena, int dir, const char *name, struct text *out, struct error *err)
{
	const char *content;

	if (file_read(arena, dir, name, PEM_MAX, &content, NULL, err) < 0)
		return -1;
	text_append(out, content);
	text_append(out, "\n");
	return 0;
}

/* "x.cert" → "x.key", which must be there. */
static int pair_take(struct arena *arena, const char *path, const struct strings *names, const char *name,
	struct tls_files *out, struct error *err)
{
	const char *stem = arena_bytes(arena, name, strlen(name) - strlen(".cert"));
	const char *key = arena_format(arena, "%s.key", stem);

	if (!strings_contain(names, key))
		return fail(err, ERROR_USAGE, "%s is there, but not its key %s", name, key);
	if (out->certificate)
		return 0;
	out->certificate = arena_format(arena, "%s/%s", path, name);
	out->key = arena_format(arena, "%s/%s", path, key);
	return 0;
}

static int directory_read(struct arena *arena, int dir, const char *path, struct tls_files *out, struct error *err)
{
	struct text authorities AUTO(text_drop) = {0};
	struct strings names = {0};

	if (dir_list(arena, dir, FILES_MAX, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		if (text_ends_with(names.items[i], ".crt") &&
			authority_add(arena, dir, names.items[i], &authorities, err) < 0)
			return -1;
		if (text_ends_with(names.items[i], ".cert") &&
			pair_take(arena, path, &names, names.items[i], out, err) < 0)
			return -1;
	}
	if (authorities.length)
		out->authorities = arena_string(arena, text_string(&authorities));
	return 0;
}

static int directory_open(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int tls_files_find(
	struct arena *arena, const char *host, const char *directory, struct tls_files *out, struct error *err)
{
	const char *path = directory;
	auto_fd dir = directory ? directory_open(directory) : -1;

	*out = (struct tls_files){0};
	if (directory && dir < 0)
		return fail_errno(err, "certificates in %s", directory);
	for (size_t i = 0; dir < 0 && i < ARRAY_SIZE(roots); i++) {
		path = arena_format(arena, "%s/%s", roots[i], host);
		dir = directory_open(path);
	}
	if (dir < 0)
		return 0;
	return directory_read(arena, dir, path, out, err) < 0 ? blame(err, "certificates in %s", path) : 0;
}
