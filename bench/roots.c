/* What the root of an instance costs beside the kernel calls that nobody can save.
 *
 *   roots [--rounds N] [--many N] DIR
 *
 * Makes a store below DIR (ext4, xfs or btrfs; the caller removes it) with layers of one file each, the uppermost with
 * the usual directories. For roots of 1, 8 and 64 layers, each with a user namespace's id map: `make` is the new
 * instance's upper layer with what is written for it, `mount` its overlay, `floor` the bare calls for an overlay of the
 * same layers without an id map: open, fsopen, fsconfig, fsmount (Linux 6.13). Then many roots of 8 layers at once, all
 * kept mounted; and a clone of a stopped instance of 8 layers: its snapshot and the new instance, and the mount of its
 * root. Milliseconds. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/images.h"

#define ROUNDS_MAX 1000
#define LAYERS_MAX 64
#define CLONE_LAYERS 8
#define ID_BASE 900000000u

static struct image_session session = {.scratch = -1, .store = -1};
static struct arena arena;
static struct strings keys;
static pid_t child;
static int userns, layers, instances;
static long serial;

struct times {
	double ms[ROUNDS_MAX];
	size_t count;
};

static void check(bool fine, const char *what)
{
	if (fine)
		return;
	perror(what);
	exit(1);
}

static void expect(int result, const struct error *err)
{
	if (result >= 0)
		return;
	fprintf(stderr, "%s\n", err->text);
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void note(struct times *times, double begin)
{
	times->ms[times->count++] = now_ms() - begin;
}

static int compare_times(const void *a, const void *b)
{
	double one = *(const double *)a, other = *(const double *)b;

	return one < other ? -1 : one > other;
}

static void report(const char *what, struct times *times)
{
	qsort(times->ms, times->count, sizeof(times->ms[0]), compare_times);
	printf("%-24s median %7.3f, least %7.3f\n", what, times->ms[times->count / 2], times->ms[0]);
	times->count = 0;
}

/* --- the store, and a user namespace ------------------------------------------------------------------------------ */

/* What every image has, in the uppermost layer: else it would be made for each instance. */
static void usual_make(const char *key)
{
	static const char *const usual[] = {"dev", "etc", "proc", "run", "sys", "tmp"};

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
		const char *path = arena_format(&arena, "%s/%s", key, usual[i]);

		check(mkdirat(layers, path, 0755) == 0, path);
	}
}

static void layers_make(void)
{
	for (int i = 0; i < LAYERS_MAX; i++) {
		const char *key = arena_format(&arena, "%064x", i + 1), *file = arena_format(&arena, "%s/file", key);

		check(mkdirat(layers, key, 0755) == 0, key);
		check(close(openat(layers, file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)) == 0, file);
		strings_add(&arena, &keys, key);
	}
	usual_make(keys.items[0]);
}

static void store_make(const char *path)
{
	auto_free char *run = text_format("%s/run", path), *store = text_format("%s/store", path);
	struct error err = {0};
	auto_fd dir = dir_create_all(run, 0700, &err);

	expect(dir, &err);
	expect(image_session_open(dir, store, &session, &err), &err);
	layers = dir_create(session.store, "layers", 0755, &err);
	instances = dir_create(session.store, "instances", 0700, &err);
	expect(layers, &err);
	expect(instances, &err);
	layers_make();
}

static void map_write(const char *kind)
{
	auto_free char *path = text_format("/proc/%d/%s_map", child, kind), *map = text_format("0 %u 65536", ID_BASE);
	auto_fd fd = open(path, O_WRONLY | O_CLOEXEC);

	check(write(fd, map, strlen(map)) == (ssize_t)strlen(map), path);
}

static void userns_make(void)
{
	auto_free char *path = NULL;
	int ends[2];
	char byte;

	check(pipe2(ends, O_CLOEXEC) == 0, "pipe");
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWUSER) == 0 && write(ends[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(ends[1]);
	check(read(ends[0], &byte, 1) == 1, "make a user namespace");
	map_write("uid");
	map_write("gid");
	path = text_format("/proc/%d/ns/user", child);
	userns = open(path, O_RDONLY | O_CLOEXEC);
	check(userns >= 0, path);
}

/* --- one root ----------------------------------------------------------------------------------------------------- */

static int instance_make(void)
{
	struct error err = {0};
	auto_free char *name = text_format("i%ld", serial++);
	int dir = dir_create(instances, name, 0700, &err);

	expect(dir, &err);
	return dir;
}

static struct root_request request_of(int instance, const struct strings *chosen)
{
	return (struct root_request){
		.image = "bench:1", .layers = chosen, .instance = instance, .userns = userns, .id_base = ID_BASE};
}

static void root_mount_timed(const struct root_request *request, struct root_parts *parts, struct times *times)
{
	struct error err = {0};
	double begin = now_ms();

	expect(root_mount(&session, request, parts, &err), &err);
	if (times)
		note(times, begin);
}

static void root_make_timed(const struct root_request *request, struct times *times)
{
	struct error err = {0};
	double begin = now_ms();

	expect(root_create(&session, request, &err), &err);
	if (times)
		note(times, begin);
}

static void descriptor_set(int fs, const char *key, int fd)
{
	check(fsconfig(fs, FSCONFIG_SET_FD, key, NULL, fd) == 0, key);
}

/* The directories are there already: they are part of `make`. */
static void floor_timed(int instance, size_t count, struct times *times)
{
	int lowers[LAYERS_MAX];
	double begin = now_ms();
	auto_fd upper = openat(instance, "u", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd work = openat(instance, "w", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd fs = fsopen("overlay", FSOPEN_CLOEXEC);
	auto_fd mount = -1;

	check(fs >= 0, "fsopen");
	for (size_t i = 0; i < count; i++) {
		lowers[i] = openat(layers, keys.items[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		descriptor_set(fs, "lowerdir+", lowers[i]);
	}
	descriptor_set(fs, "upperdir", upper);
	descriptor_set(fs, "workdir", work);
	check(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0, "create an overlay");
	mount = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV);
	check(mount >= 0, "fsmount");
	for (size_t i = 0; i < count; i++)
		close(lowers[i]);
	note(times, begin);
}

/* --- the tables --------------------------------------------------------------------------------------------------- */

static void single_measure(size_t count, long rounds)
{
	static struct times made, mounted, bare;
	struct strings chosen = {keys.items, count};

	for (long i = 0; i < rounds; i++) {
		AUTO(root_parts_drop) struct root_parts parts = {0};
		auto_fd instance = instance_make();
		struct root_request request = request_of(instance, &chosen);

		root_make_timed(&request, &made);
		root_mount_timed(&request, &parts, &mounted);
		root_parts_drop(&parts);
		if (session.detached_layers)
			floor_timed(instance, count, &bare);
	}
	printf("%zu layers\n", count);
	report("  make", &made);
	report("  mount", &mounted);
	if (bare.count)
		report("  floor of mount", &bare);
}

static void many_measure(long count)
{
	struct root_parts *parts = arena_new_array(&arena, (size_t)count, struct root_parts);
	struct strings chosen = {keys.items, CLONE_LAYERS};
	double begin = now_ms();

	for (long i = 0; i < count; i++) {
		auto_fd instance = instance_make();
		struct root_request request = request_of(instance, &chosen);

		root_make_timed(&request, NULL);
		root_mount_timed(&request, &parts[i], NULL);
	}
	printf("%ld roots of %d layers, all kept: %.0f ms\n", count, CLONE_LAYERS, now_ms() - begin);
	for (long i = 0; i < count; i++)
		root_parts_drop(&parts[i]);
}

/* Of what was written nothing is copied, so one file will do. */
static int stopped_instance_make(const struct strings *chosen)
{
	int instance = instance_make();
	struct image_config config = {.layers = *chosen};
	struct error err = {0};

	expect(root_inherit(session.store, instance, &config, &arena, &err), &err);
	expect(root_file_write(instance, "/written", 0644, 0, 0, "x", 1, &err), &err);
	return instance;
}

static void clone_measure(long rounds)
{
	static struct times cloned, mounted;
	struct strings chosen = {keys.items, CLONE_LAYERS};

	for (long i = 0; i < rounds; i++) {
		AUTO(root_parts_drop) struct root_parts parts = {0};
		AUTO(arena_drop) struct arena own = {0};
		auto_fd source = stopped_instance_make(&chosen);
		struct image_config config = {0};
		struct error err = {0};
		double begin = now_ms();

		expect(root_snapshot(session.store, source, NULL, false, &own, &config, &err), &err);
		auto_fd clone = instance_make();
		expect(root_inherit(session.store, clone, &config, &own, &err), &err);
		note(&cloned, begin);
		struct root_request request = request_of(clone, &config.layers);
		root_mount_timed(&request, &parts, &mounted);
	}
	printf("clone of a stopped instance of %d layers\n", CLONE_LAYERS);
	report("  snapshot and new one", &cloned);
	report("  mount", &mounted);
}

int main(int argc, char **argv)
{
	static const size_t counts[] = {1, 8, LAYERS_MAX};
	long rounds = 51, many = 500;
	int at = 1;

	for (; at + 1 < argc && argv[at][0] == '-'; at += 2)
		*(strcmp(argv[at], "--many") ? &rounds : &many) = strtol(argv[at + 1], NULL, 10);
	if (at + 1 != argc || rounds < 1 || rounds > ROUNDS_MAX || many < 1) {
		fprintf(stderr, "usage: roots [--rounds N] [--many N] DIR\n");
		return 2;
	}
	store_make(argv[at]);
	userns_make();
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		single_measure(counts[i], rounds);
	many_measure(many);
	clone_measure(rounds);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	image_session_drop(&session);
	arena_drop(&arena);
	return 0;
}
