#include "tests/runtime/support_runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/process.h"

static void must(int result, const char *what)
{
	cr_assert(result >= 0, "%s: %s", what, strerror(errno));
}

static void copy_file(const char *from, const char *to)
{
	auto_fd in = open(from, O_RDONLY | O_CLOEXEC);
	auto_fd out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	char piece[65536];
	ssize_t got;

	must(in, from);
	must(out, to);
	while ((got = read(in, piece, sizeof(piece))) > 0)
		must(write_all(out, piece, (size_t)got), to);
	must(fchmod(out, 0755), to);
}

void sandbox_make(struct sandbox *sandbox)
{
	static const char *const directories[] = {"", "/bin", "/proc", "/sys", "/dev", "/etc", "/tmp", "/srv"};
	static const char *const applets[] = {"sh", "cat", "ls", "mount", "umount", "id", "true", "sleep", "grep",
		"stat", "touch", "echo", "mkdir", "hostname", "readlink", "test", "head", "kill", "tty", "stty", "env",
		"chmod", "ln", "ip", "unshare", "dd", "wc", "pwd"};
	char path[256];

	*sandbox = (struct sandbox){0};
	snprintf(sandbox->directory, sizeof(sandbox->directory), "/tmp/warren-test-XXXXXX");
	cr_assert(mkdtemp(sandbox->directory), "mkdtemp");
	must(chmod(sandbox->directory, 0755), "chmod");
	snprintf(sandbox->root, sizeof(sandbox->root), "%s/rootfs", sandbox->directory);
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		snprintf(path, sizeof(path), "%s%s", sandbox->root, directories[i]);
		must(mkdir(path, 0755), path);
	}
	snprintf(path, sizeof(path), "%s/bin/busybox", sandbox->root);
	copy_file("/bin/busybox", path);
	for (size_t i = 0; i < ARRAY_SIZE(applets); i++) {
		snprintf(path, sizeof(path), "%s/bin/%s", sandbox->root, applets[i]);
		must(symlink("busybox", path), path);
	}
	spec_init(&sandbox->spec);
	spec_set_defaults(&sandbox->arena, &sandbox->spec, 0);
	sandbox->spec.seccomp = NULL;
	sandbox->spec.root = sandbox->root;
	sandbox->spec.namespaces.create[NS_USER] = false;
	sandbox_remove_mount(sandbox, "/sys/fs/cgroup");
}

void sandbox_drop(struct sandbox *sandbox)
{
	struct error err;

	cr_assert(tree_remove(AT_FDCWD, sandbox->directory, &err) == 0, "%s", err.text);
	arena_drop(&sandbox->arena);
}

static void chown_tree(const char *path)
{
	char command[256];

	snprintf(command, sizeof(command), "chown -hR %d:%d %s", BASE_ID, BASE_ID, path);
	cr_assert(system(command) == 0, "%s", command);
}

void sandbox_use_own_ids(struct sandbox *sandbox)
{
	struct spec *spec = &sandbox->spec;

	spec->namespaces.create[NS_USER] = true;
	spec->uid_maps.items = arena_new(&sandbox->arena, struct id_map);
	spec->uid_maps.items[0] = (struct id_map){.inside = 0, .host = BASE_ID, .count = 65536};
	spec->uid_maps.count = 1;
	spec->gid_maps.items = spec->uid_maps.items;
	spec->gid_maps.count = 1;
	chown_tree(sandbox->root);
}

void sandbox_script(struct sandbox *sandbox, const char *script)
{
	struct strings *args = &sandbox->spec.process.args;

	*args = (struct strings){0};
	strings_add(&sandbox->arena, args, "/bin/sh");
	strings_add(&sandbox->arena, args, "-c");
	strings_add(&sandbox->arena, args, script);
}

void sandbox_add_mount(struct sandbox *sandbox, struct spec_mount mount)
{
	struct spec *spec = &sandbox->spec;
	struct spec_mount *items = arena_new_array(&sandbox->arena, spec->mounts.count + 1, struct spec_mount);

	memcpy(items, spec->mounts.items, spec->mounts.count * sizeof(*items));
	items[spec->mounts.count] = mount;
	spec->mounts.items = items;
	spec->mounts.count++;
}

void sandbox_remove_mount(struct sandbox *sandbox, const char *destination)
{
	struct spec *spec = &sandbox->spec;
	size_t kept = 0;

	for (size_t i = 0; i < spec->mounts.count; i++)
		if (strcmp(spec->mounts.items[i].destination, destination) != 0)
			spec->mounts.items[kept++] = spec->mounts.items[i];
	spec->mounts.count = kept;
}

void sandbox_write(struct sandbox *sandbox, const char *path, const char *content)
{
	char full[256];
	auto_fd fd = -1;

	snprintf(full, sizeof(full), "%s%s", sandbox->root, path);
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	must(fd, full);
	must(write_all(fd, content, strlen(content)), full);
}

struct launch launch_of(const struct spec *spec)
{
	return (struct launch){.spec = spec, .stdio = {-1, -1, -1}, .hold = -1, .hold_lock = -1};
}

static void collect(int fd, char *output, size_t size)
{
	size_t used = 0;
	ssize_t got;

	while (used < size - 1 && (got = read(fd, output + used, size - 1 - used)) > 0)
		used += (size_t)got;
	output[used] = '\0';
}

int sandbox_run(struct sandbox *sandbox, const struct launch *base, char *output, size_t size, struct error *err)
{
	struct launch launch = base ? *base : launch_of(&sandbox->spec);
	AUTO(launched_drop) struct launched launched = {.pidfd = -1, .userns = -1, .netns = -1, .console = -1};
	auto_fd read_end = -1;
	auto_fd write_end = -1;
	int ends[2], status;

	output[0] = '\0';
	must(pipe2(ends, O_CLOEXEC), "pipe");
	read_end = ends[0];
	write_end = ends[1];
	launch.stdio[1] = launch.stdio[2] = write_end;
	if (launch_start(&launch, &launched, NULL, err) < 0)
		return -1;
	fd_drop(&write_end);
	collect(read_end, output, size);
	cr_assert(process_wait_end(launched.pidfd, 10000) == 1, "the container does not end");
	cr_assert(process_reap(launched.pidfd, &status, err) == 0, "%s", err->text);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int sandbox_start(struct sandbox *sandbox, struct launched *out, struct error *err)
{
	struct launch launch = launch_of(&sandbox->spec);

	return launch_start(&launch, out, NULL, err);
}

void launched_end(struct launched *launched)
{
	struct error err;
	int status;

	if (process_signal(launched->pidfd, SIGKILL, &err) == 0 || err.kind == ERROR_MISSING)
		cr_assert(process_reap(launched->pidfd, &status, &err) == 0, "%s", err.text);
	launched_drop(launched);
}

int host_mounts(void)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	int lines = 0, c;

	while ((c = fgetc(file)) != EOF)
		lines += c == '\n';
	fclose(file);
	return lines;
}
