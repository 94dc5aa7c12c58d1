#include "support_inside.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/mount.h"
#include "base/path.h"
#include "base/process.h"
#include "base/socket.h"
#include "tests/seed.h"

#define CHILD_ROOT "/mnt" /* in the child's own namespace */

/* --- the place ---------------------------------------------------------------------------------------------------- */

#define PARENT "/var/tmp"

static void place_make(struct place *place, bool with_seed)
{
	const char *parent = getenv("WARREN_TEST_STORE");
	struct error err = {0};

	umask(022);
	place->path = text_format("%s/warren-test-images.XXXXXX", parent ? parent : PARENT);
	cr_assert(mkdtemp(place->path), "mkdtemp %s", place->path);
	auto_free char *run = text_format("%s/run", place->path);
	auto_free char *store = text_format("%s/store", place->path);
	place->gives_seed = with_seed && !parent;
	if (place->gives_seed)
		seed_take(PARENT, store);
	place->run = dir_create_all(run, 0700, &err);
	cr_assert(place->run >= 0, "%s", err.text);
	ASSERT_OK(image_session_open(place->run, store, &place->session, &err));
	place->dir = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd instances = dir_create(place->session.store, "instances", 0700, &err);
	cr_assert(place->dir >= 0 && instances >= 0, "%s", err.text);
}

void place_open(struct place *place)
{
	place_make(place, false);
}

void place_open_with_host(struct place *place)
{
	struct arena arena = {0};
	struct image_config config;
	struct error err;

	place_make(place, true);
	ASSERT_OK(image_prepare(place->session.store, IMAGE_HOST, &arena, &config, &err));
	arena_drop(&arena);
}

void place_drop(struct place *place)
{
	struct error err = {0};
	auto_fd parent = openat(place->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	image_session_drop(&place->session);
	if (place->gives_seed) {
		auto_free char *store = text_format("%s/store", place->path);

		seed_leave(PARENT, store);
	}
	if (tree_remove(parent, path_base(place->path), &err) < 0)
		fprintf(stderr, "%s: %s\n", place->path, err.text);
	fd_drop(&place->run);
	fd_drop(&place->dir);
	memory_drop(&place->path);
}

int place_instance(const struct place *place, const char *name)
{
	struct error err = {0};
	auto_fd instances = dir_open(place->session.store, "instances", &err);
	int fd = dir_create(instances, name, 0700, &err);

	cr_assert(fd >= 0, "%s", err.text);
	return fd;
}

char *place_file(const struct place *place, const char *path, mode_t mode, const char *content)
{
	char *whole = text_format("%s/%s", place->path, path);
	auto_free char *parent = text_format("%.*s", (int)(strrchr(whole, '/') - whole), whole);
	struct error err = {0};
	auto_fd dir = dir_create_all(parent, 0755, &err);
	auto_fd fd = openat(dir, path_base(whole), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	cr_assert(fd >= 0, "%s: %s", whole, err.text);
	cr_assert(write_all(fd, content, strlen(content)) == 0 && fchmod(fd, mode) == 0);
	return whole;
}

void place_put(const struct place *place, const char *path, mode_t mode, const char *content)
{
	free(place_file(place, path, mode, content));
}

/* --- inside ------------------------------------------------------------------------------------------------------- */

struct message {
	size_t count;
	char targets[ROOT_PARTS_MAX][256];
	bool is_file[ROOT_PARTS_MAX];
	void (*probe)(const void *);
	const void *argument;
};

static void part_attach(int mount, const char *target, bool is_file)
{
	struct error err = {0};
	auto_fd root = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd place = is_file ? path_make_file(root, target, 0644, &err) : path_make_dirs(root, target, 0755, &err);

	if (place < 0 || mount_attach(mount, place, "", &err) < 0) {
		fprintf(stderr, "attach %s: %s\n", target, err.text);
		_exit(1);
	}
	close(mount);
}

static void root_attach(int mount)
{
	struct error err = {0};

	if (mount_attach(mount, AT_FDCWD, CHILD_ROOT, &err) < 0) {
		fprintf(stderr, "attach the root: %s\n", err.text);
		_exit(1);
	}
	close(mount);
	INSIDE(chdir(CHILD_ROOT) == 0);
}

static void child_main(int socket)
{
	static struct message message;
	struct error err;
	int fds[ROOT_PARTS_MAX], null;
	size_t count = 32;

	if (socket_receive(socket, &message, sizeof(message), fds, &count) <= 0)
		_exit(0);
	INSIDE(count == message.count);
	INSIDE(setgid(0) == 0 && setuid(0) == 0);
	null = mount_clone(AT_FDCWD, "/dev/null", false, &err);
	if (count)
		root_attach(fds[0]);
	for (size_t i = 1; i < count; i++)
		part_attach(fds[i], message.targets[i], message.is_file[i]);
	if (count) {
		mkdir("run", 0755);
		mkdir("dev", 0755);
		INSIDE(mount("tmpfs", "run", "tmpfs", 0, "mode=0755") == 0);
		INSIDE(mount("tmpfs", "dev", "tmpfs", 0, "mode=0755") == 0);
		part_attach(null, "/dev/null", true);
		INSIDE(syscall(SYS_pivot_root, ".", ".") == 0);
		INSIDE(umount2(".", MNT_DETACH) == 0 && chdir("/") == 0);
	}
	message.probe(message.argument);
	_exit(0);
}

static void map_write(pid_t pid, const char *name)
{
	struct error err;
	auto_free char *path = text_format("/proc/%d/%s", pid, name);

	ASSERT_OK(file_writef(AT_FDCWD, path, &err, "0 %u 65536", ID_BASE));
}

void inside_open(struct inside *inside)
{
	struct error err = {0};
	int ends[2];
	pid_t pid;

	ASSERT_OK(socket_pair(ends, &err));
	pid = process_clone(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET, -1, &inside->pidfd);
	cr_assert(pid >= 0);
	if (pid == 0) {
		close(ends[0]);
		child_main(ends[1]);
	}
	close(ends[1]);
	inside->socket = ends[0];
	map_write(pid, "gid_map");
	map_write(pid, "uid_map");
	auto_free char *path = text_format("/proc/%d/ns/user", pid);
	inside->userns = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert(inside->userns >= 0);
}

void inside_drop(struct inside *inside)
{
	struct error err = {0};
	int status;

	fd_drop(&inside->socket);
	if (inside->pidfd >= 0)
		cr_assert(process_reap(inside->pidfd, &status, &err) == 0, "%s", err.text);
	fd_drop(&inside->pidfd);
	fd_drop(&inside->userns);
}

void inside_run(
	struct inside *inside, const struct root_parts *parts, void (*probe)(const void *), const void *argument)
{
	static struct message message;
	struct error err = {0};
	int fds[ROOT_PARTS_MAX], status = -1;

	message = (struct message){.count = parts->count, .probe = probe, .argument = argument};
	for (size_t i = 0; i < parts->count; i++) {
		fds[i] = parts->items[i].mount;
		message.is_file[i] = parts->items[i].is_file;
		snprintf(message.targets[i], sizeof(message.targets[i]), "%s", parts->items[i].target);
	}
	cr_assert(socket_send(inside->socket, &message, sizeof(message), fds, parts->count) >= 0);
	ASSERT_OK(process_reap(inside->pidfd, &status, &err));
	fd_drop(&inside->pidfd);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the probe inside ended with status %#x", status);
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

const char *content_of(const char *path)
{
	static char buffer[65536];
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, buffer, sizeof(buffer) - 1);

	buffer[length > 0 ? length : 0] = '\0';
	return buffer;
}

char *host_mounts(const struct place *place)
{
	struct text lines = {0};
	auto_free char *line = NULL;
	size_t size = 0;
	FILE *table = fopen("/proc/1/mountinfo", "re");

	cr_assert(table);
	while (getline(&line, &size, table) > 0)
		if (strstr(line, " overlay ") || strstr(line, path_base(place->path)))
			text_append(&lines, line);
	fclose(table);
	return lines.data ? lines.data : text_format("%s", "");
}
