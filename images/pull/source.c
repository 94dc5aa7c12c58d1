/* What the user's words for a local source mean. */
#include "images/pull/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "images/pull/inflate.h"
#include "images/pull/local.h"

void source_drop(struct source **source)
{
	int saved = errno;

	if (*source)
		(*source)->kind->drop(*source);
	*source = NULL;
	errno = saved;
}

static int fail_open(struct error *err, const char *path)
{
	int errnum = errno;

	fail_errno(err, "open %s", path);
	if (errnum == ENOENT)
		err->kind = ERROR_MISSING;
	return -1;
}

/* 1: packed; 0: not, or it cannot be looked at without taking it. */
static int is_packed(int fd, struct error *err)
{
	struct inflate inflate = {0};
	uint8_t magic[INFLATE_MAGIC_MAX];
	ssize_t got = pread(fd, magic, sizeof(magic), 0);
	int packed;

	if (got <= 0)
		return 0;
	if (inflate_begin(&inflate, magic, (size_t)got, err) < 0)
		return -1;
	packed = inflate.kind != NULL;
	inflate_drop(&inflate);
	return packed;
}

/* ---- one opener for each word ---- */

static struct source *root_tarball(const char *path, const struct local_choice *choice, struct error *err)
{
	int fd = !strcmp(path, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		fail_open(err, path);
		return NULL;
	}
	return tarball_open_adopt(fd, !strcmp(path, "-") ? "standard input" : path, choice);
}

static struct source *root_directory(const char *path, const struct local_choice *choice, struct error *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)choice;
	if (fd < 0) {
		fail_open(err, path);
		return NULL;
	}
	return directory_open_adopt(fd, path);
}

static struct source *layout(const char *path, const struct local_choice *choice, struct error *err)
{
	AUTO(files_drop) struct files files = NO_FILES;
	struct files taken;

	if (files_open(path, &files, err) < 0)
		return NULL;
	taken = files;
	files = NO_FILES;
	return layout_open_adopt(&taken, choice->reference, &choice->platform, err);
}

static struct source *docker_archive(const char *path, const struct local_choice *choice, struct error *err)
{
	AUTO(files_drop) struct files files = NO_FILES;
	struct files taken;

	if (files_open(path, &files, err) < 0)
		return NULL;
	taken = files;
	files = NO_FILES;
	return docker_archive_open_adopt(&taken, choice->reference, err);
}

/* A packed archive has to be unpacked before anything can be found in it. */
static struct source *archive(const char *path, const struct local_choice *choice, struct error *err,
	struct source *(*open_plain)(const char *, const struct local_choice *, struct error *))
{
	struct local_choice as_archive = *choice;
	auto_fd fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int packed = fd < 0 ? fail_open(err, path) : is_packed(fd, err);

	as_archive.archive = true;
	if (packed < 0)
		return NULL;
	return packed ? root_tarball(path, &as_archive, err) : open_plain(path, choice, err);
}

static struct source *oci_archive(const char *path, const struct local_choice *choice, struct error *err)
{
	return archive(path, choice, err, layout);
}

static struct source *saved_archive(const char *path, const struct local_choice *choice, struct error *err)
{
	return archive(path, choice, err, docker_archive);
}

/* ---- finding out by looking ---- */

static struct source *directory_by_look(const char *path, const struct local_choice *choice, struct error *err)
{
	auto_fd fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && faccessat(fd, "oci-layout", F_OK, 0) == 0)
		return layout(path, choice, err);
	return root_directory(path, choice, err);
}

static struct source *file_by_look(const char *path, const struct local_choice *choice, struct error *err)
{
	AUTO(files_drop) struct files files = NO_FILES;
	struct error none;

	if (files_open(path, &files, &none) < 0) /* packed, or no archive at all: unpacking will say so */
		return root_tarball(path, choice, err);
	if (files_have(&files, "oci-layout") && files_have(&files, "index.json"))
		return layout(path, choice, err);
	if (files_have(&files, "manifest.json"))
		return docker_archive(path, choice, err);
	return root_tarball(path, choice, err);
}

static struct source *by_look(const char *path, const struct local_choice *choice, struct error *err)
{
	struct stat status;

	if (!strcmp(path, "-"))
		return root_tarball(path, choice, err);
	if (stat(path, &status) < 0) {
		fail_open(err, path);
		return NULL;
	}
	return S_ISDIR(status.st_mode) ? directory_by_look(path, choice, err) : file_by_look(path, choice, err);
}

static const struct word {
	const char *word;
	bool has_reference;
	struct source *(*open)(const char *path, const struct local_choice *choice, struct error *err);
} words[] = {
	{"oci:", true, layout},
	{"oci-archive:", true, oci_archive},
	{"docker-archive:", true, saved_archive},
	{"tar:", false, root_tarball},
	{"dir:", false, root_directory},
	{"", true, by_look},
};

static bool is_there(const char *path)
{
	return !strcmp(path, "-") || access(path, F_OK) == 0;
}

/* "PATH:REFERENCE", where both may hold colons: the path ends at the first one where something is. */
static const char *path_split(struct arena *arena, const char *text, const char **reference)
{
	*reference = NULL;
	if (is_there(text))
		return text;
	for (const char *colon = strchr(text, ':'); colon; colon = strchr(colon + 1, ':')) {
		const char *path = arena_bytes(arena, text, (size_t)(colon - text));

		if (!*path || !is_there(path))
			continue;
		*reference = colon + 1;
		return path;
	}
	return text;
}

struct source *source_open_local(const char *text, const struct platform *platform, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct local_choice choice = {.platform = platform ? *platform : platform_of_host()};
	const struct word *word = words;
	struct source *source;
	const char *path;

	while (!text_starts_with(text, word->word))
		word++;
	path = text + strlen(word->word);
	if (word->has_reference)
		path = path_split(&arena, path, &choice.reference);
	if (!*path) {
		fail(err, ERROR_USAGE, "%s: a path is missing behind it", text);
		return NULL;
	}
	source = word->open(path, &choice, err);
	if (!source)
		blame(err, "%s", text);
	return source;
}
