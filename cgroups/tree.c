/* The directories of a cgroup: making and unmaking them, opening them as a handle.
 *
 * Others make and remove directories beside us (a parent that was there may be gone again): making is repeated a few
 * times. What a call has made is noted, so that its failure removes that and nothing else. */
#include "cgroups/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cgroups/knobs.h"
#include "cgroups/layout.h"

#define MODE 0755
#define TRIES 16
#define COMPONENT_MAX 255

static bool component_is_clean(const char *component, size_t length)
{
	if (length == 0 || length > COMPONENT_MAX)
		return false;
	return component[0] != '.' || !(length == 1 || (length == 2 && component[1] == '.'));
}

int cgroup_path_check(const char *path, struct error *err)
{
	size_t total = strlen(path);
	const char *at = path;

	for (;;) {
		size_t length = strcspn(at, "/");

		if (!component_is_clean(at, length) || total > CGROUP_PATH_MAX)
			return fail(err, ERROR_USAGE,
				"cgroup \"%.200s\": a path is relative, without empty, \".\" or \"..\" parts, of at "
				"most %d "
				"bytes",
				path, CGROUP_PATH_MAX);
		if (!at[length])
			break;
		at += length + 1;
	}
	return line_check("cgroup", path, err);
}

const char *path_prefix(const char *path, size_t length, char buffer[CGROUP_PATH_MAX + 1])
{
	memcpy(buffer, path, length);
	buffer[length] = '\0';
	return buffer;
}

int cgroup_dir_open(int root, const char *path)
{
	return openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static int parents_make(int root, const char *path, struct made *made)
{
	char buffer[CGROUP_PATH_MAX + 1];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		if (mkdirat(root, path_prefix(path, (size_t)(slash - path), buffer), MODE) == 0)
			made->parents++;
		else if (errno != EEXIST)
			return -1;
	}
	return 0;
}

int dirs_make(int root, const char *path, bool parents_first, struct made *made, struct error *err)
{
	for (int i = 0; i < TRIES; i++) {
		if (!i && parents_first && parents_make(root, path, made) < 0 && errno != ENOENT)
			break;
		if (mkdirat(root, path, MODE) == 0) {
			made->leaf = true;
			return 0;
		}
		if (errno == EEXIST)
			return 0;
		if (errno != ENOENT)
			break;
		/* ENOENT again: another one's failure has removed the parent it shared with us. */
		if (parents_make(root, path, made) < 0 && errno != ENOENT)
			break;
	}
	return fail_errno(err, "make the directory");
}

void dirs_unmake(int root, const char *path, const struct made *made)
{
	char buffer[CGROUP_PATH_MAX + 1];
	size_t length = strlen(path);

	if (made->leaf)
		unlinkat(root, path, AT_REMOVEDIR);
	for (unsigned i = 0; i < made->parents; i++) {
		while (length && path[length - 1] != '/')
			length--;
		if (length < 2)
			return;
		unlinkat(root, path_prefix(path, --length, buffer), AT_REMOVEDIR);
	}
}

static int cpuset_inherit(int root, const char *path, size_t length, const char *file)
{
	char prefix[CGROUP_PATH_MAX + 1], name[CGROUP_PATH_MAX + 32], text[4096];

	snprintf(name, sizeof(name), "%s%s%s", path_prefix(path, length, prefix), length ? "/" : "", file);
	if (knob_read(root, name, text, sizeof(text)) < 0)
		return -1;
	if (text[0] != '\n' && text[0])
		return 0;
	if (length == 0) {
		errno = ENOSPC;
		return -1;
	}
	while (length && path[length - 1] != '/')
		length--;
	length -= length > 0;
	if (cpuset_inherit(root, path, length, file) < 0)
		return -1;
	snprintf(prefix, sizeof(prefix), "%.*s%s%s", (int)length, path, length ? "/" : "", file);
	if (knob_read(root, prefix, text, sizeof(text)) < 0)
		return -1;
	return knob_write(root, name, text);
}

int cpuset_fill(int root, const char *path, struct error *err)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (cpuset_inherit(root, path, strlen(path), files[i]) < 0)
			return fail_errno(err, "take %s from the parent", files[i]);
	return 0;
}

void handle_start(struct cgroup *out, const struct cgroup_host *host, const char *path)
{
	*out = (struct cgroup){.host = host, .path = text_format("%s", path), .unified = -1};
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		out->hierarchy[c] = -1;
}

void cgroup_drop(struct cgroup *cgroup)
{
	fd_drop(&cgroup->unified);
	fds_drop(cgroup->hierarchy, CGROUP_CONTROLLERS);
	memory_drop(&cgroup->path);
}

/* Opens the directory for every controller that is mounted together with this one. */
int handle_open_v1(struct cgroup *cgroup, enum cgroup_controller controller)
{
	const struct cgroup_host *host = cgroup->host;

	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		if (host->hierarchy[c] < 0 || host->number[c] != host->number[controller] || cgroup->hierarchy[c] >= 0)
			continue;
		cgroup->hierarchy[c] = cgroup_dir_open(host->hierarchy[c], cgroup->path);
		if (cgroup->hierarchy[c] < 0)
			return -1;
	}
	return 0;
}

int cgroup_any_directory(const struct cgroup *cgroup)
{
	int found = cgroup->unified;

	for (int c = 0; c < CGROUP_CONTROLLERS && found < 0; c++)
		found = cgroup->hierarchy[c];
	return found;
}

/* Absent is fine; what only cannot be opened now would leave a process outside the limits of that hierarchy. */
static int directory_open(int root, const char *path, int *out)
{
	*out = cgroup_dir_open(root, path);
	return *out < 0 && errno != ENOENT ? -1 : 0;
}

static int directories_open(struct cgroup *cgroup, const struct cgroup_host *host)
{
	if (host_is_v2(host) && directory_open(host->unified, cgroup->path, &cgroup->unified) < 0)
		return -1;
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (host->hierarchy[c] >= 0 &&
			directory_open(host->hierarchy[c], cgroup->path, &cgroup->hierarchy[c]) < 0)
			return -1;
	return 0;
}

int cgroup_open(const struct cgroup_host *host, const char *path, struct cgroup *out, struct error *err)
{
	handle_start(out, host, path);
	if (cgroup_path_check(path, err) < 0) {
		cgroup_drop(out);
		return -1;
	}
	if (directories_open(out, host) < 0) {
		fail_errno(err, "open cgroup %s", path);
		cgroup_drop(out);
		return -1;
	}
	if (cgroup_any_directory(out) >= 0)
		return 0;
	cgroup_drop(out);
	return fail(err, ERROR_MISSING, "there is no cgroup %s", path);
}
