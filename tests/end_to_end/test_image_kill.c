/* The store against death and a full disk: pulls, imports, commits, clones and prunes of the same layers, several at
 * once, killed at any moment. What is there afterwards is whole, to the byte, and one `image prune` leaves nothing
 * behind.
 *
 * A sample every day; all 200 kills, and the full disk at every megabyte, with WARREN_TEST_ALL_POINTS=1. */
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/process.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_registry.h"
#include "tests/test.h"

#define WORKERS 4
#define KILLS_EVERY_DAY 8
#define KILLS_ALL 200
#define LIFE_MAX_MS SLOWLY(700) /* a pull that nobody disturbs takes about half of it */

/* --- one worker: begins a command, and is killed with all it started ---------------------------------------------- */

static const char *const commands[][5] = {
	{"image", "pull", "--tls-verify=false", REGISTRY "/four:1"},
	{"image", "pull", "--tls-verify=false", REGISTRY "/single:1"},
	{"image", "import", "oci:images:four", "imported:1"},
	{"image", "pull", "--tls-verify=false", REGISTRY "/big:1"},
	{"image", "prune"},
	{"commit", "one", "made:1"},
	{"clone", "one", "copy"},
	{"rm", "--force", "copy"},
};

static pid_t command_spawn(const struct playground *playground, const char *const *words)
{
	const char *argv[12] = {WARREN_PROGRAM, "--root", playground->root, "--cgroup-parent", playground->parent};
	size_t count = 5;
	pid_t pid;

	while (*words)
		argv[count++] = *words++;
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		setpgid(0, 0);
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		if (chdir(playground->directory.path) == 0)
			execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	setpgid(pid, pid);
	return pid;
}

static unsigned random_below(unsigned limit)
{
	unsigned value;

	cr_assert(getrandom(&value, sizeof(value), 0) == sizeof(value));
	return value % limit;
}

struct worker {
	pid_t pid;
	int pidfd;
	int64_t end_ms;
};

/* What a dead process leaves running becomes our child, as we are the reaper: until the last of the group has ended. */
static void worker_reap(struct worker *worker)
{
	while (waitpid(-worker->pid, NULL, 0) > 0)
		;
	close(worker->pidfd);
	worker->pid = 0;
}

/* Half of the time only the first process dies, and the others must find out by themselves. */
static void worker_kill(struct worker *worker, unsigned *kills)
{
	if (kill(random_below(2) ? worker->pid : -worker->pid, SIGKILL) == 0)
		++*kills;
	worker_reap(worker);
}

static void worker_step(const struct playground *playground, struct worker *worker, unsigned *kills)
{
	if (!worker->pid) {
		worker->pid = command_spawn(playground, commands[random_below(ARRAY_SIZE(commands))]);
		worker->pidfd = pidfd_open(worker->pid, 0);
		worker->end_ms = clock_ms() + random_below(LIFE_MAX_MS);
		return;
	}
	if (process_wait_end(worker->pidfd, 0) == 1) {
		worker_reap(worker);
		return;
	}
	if (clock_ms() >= worker->end_ms)
		worker_kill(worker, kills);
}

static void storm(const struct playground *playground, unsigned wanted)
{
	struct worker workers[WORKERS] = {0};
	unsigned kills = 0;

	cr_assert(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	while (kills < wanted) {
		for (size_t i = 0; i < WORKERS; i++)
			worker_step(playground, &workers[i], &kills);
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	for (size_t i = 0; i < WORKERS; i++)
		if (workers[i].pid)
			worker_kill(&workers[i], &kills);
}

/* --- what is left ------------------------------------------------------------------------------------------------- */

/* Everything about a tree that its archive says. */
static const char describe[] =
	"cd \"$1\"; for key in $(ls layers | grep -v ^host-); do echo \"$key\"; cd \"layers/$key\"\n"
	"find . ! -type f -printf '%p %y %m %U:%G %l\\n' | sort\n"
	"find . -type f -printf '%p %m %U:%G %s %T@\\n' | sort\n"
	"find . -type f -exec sha256sum {} + | sort; cd ../..; done";

static char *layers_describe(const char *store)
{
	auto_run run = RUN("sh", "-eu", "-c", describe, "sh", store);

	cr_assert(run.status == 0, "%s", run.err);
	return strdup(run.out);
}

/* Nothing lies in the store's rooms of passage. */
static void assert_swept(const char *store)
{
	auto_run run = RUN("sh", "-c", "cd \"$1\"; find tmp partial -mindepth 1; ls trash 2>/dev/null", "sh", store);

	cr_assert_str_eq(run.out, "", "left: %s", run.out);
}

static void names_pull(struct playground *playground)
{
	struct playground world = *playground;

	WARREN_OK(&world, "image", "pull", "--tls-verify=false", REGISTRY "/four:1", REGISTRY "/single:1",
		REGISTRY "/big:1");
}

static const char publish[] =
	"mkdir big; head -c 6000000 /dev/urandom > big/noise; for i in $(seq 300); do echo $i > big/file-$i; done\n"
	"mkdir wide; yes | head -c 12000000 > wide/yes\n"
	"umoci tag --image images:single wide; umoci insert --image images:wide wide /wide\n"
	"umoci tag --image images:four big; umoci insert --image images:big big /big\n"
	"for name in four single big wide; do\n"
	"    skopeo copy -q --dest-tls-verify=false oci:images:$name docker://" REGISTRY "/$name:1\n"
	"done\n";

/* An instance of an image that nobody pulls, which has written something. */
static void one_create(struct playground *playground)
{
	struct playground world = *playground;

	WARREN_OK(&world, "image", "import", arena_format(&world.arena, "dir:%s/base", world.directory.path), "kept:1");
	WARREN_OK(&world, "create", "--name", "one", "--network", "none", "kept:1");
	WARREN_OK(&world, "cp", arena_format(&world.arena, "%s/wide", world.directory.path), "one:/");
}

/* With all that came of it; what was killed before it was there is not there to be removed. */
static void one_remove(struct playground *playground)
{
	struct playground world = *playground;
	auto_run copy = WARREN(&world, "rm", "--force", "copy");
	auto_run made = WARREN(&world, "image", "rm", "made:1");

	cr_assert(copy.status == 0 || copy.status == 3, "%s", copy.err);
	cr_assert(made.status == 0 || made.status == 3, "%s", made.err);
	WARREN_OK(&world, "commit", "one", "made:1");
	WARREN_OK(&world, "image", "verify", "made:1");
	WARREN_OK(&world, "rm", "one");
	WARREN_OK(&world, "image", "rm", "made:1", "kept:1");
}

TEST(image_kill, nothing_that_died_half_way_damages_the_store, .fini = playground_rescue, .timeout = SLOWLY(900))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground world = playground_new();
	bool all = getenv("WARREN_TEST_ALL_POINTS") != NULL;
	auto_free char *store = text_format("%s/lib", world.root), *pure = NULL, *after = NULL;

	images_make(world.directory.path);
	auto_registry registry = registry_start(world.directory.path, NULL);
	script_run(world.directory.path, publish);
	names_pull(&world);
	pure = layers_describe(store);
	WARREN_OK(&world, "image", "rm", REGISTRY "/four:1", REGISTRY "/single:1", REGISTRY "/big:1");
	WARREN_OK(&world, "image", "prune");
	one_create(&world);

	storm(&world, all ? KILLS_ALL : KILLS_EVERY_DAY);
	WARREN_OK(&world, "image", "verify");
	one_remove(&world);
	WARREN_OK(&world, "image", "prune");
	assert_swept(store);
	names_pull(&world);
	after = layers_describe(store);
	cr_assert(strcmp(after, pure) == 0, "a layer is not what it was:\n%s\n%s", pure, after);
	WARREN_OK(&world, "image", "verify");
}

/* --- going on ----------------------------------------------------------------------------------------------------- */

#define LARGE_BYTES 48000000

static const char large[] = "mkdir large; head -c 48000000 /dev/urandom > large/noise\n"
			    "umoci tag --image images:single large; umoci insert --image images:large large /large\n"
			    "skopeo copy -q --dest-tls-verify=false oci:images:large docker://" REGISTRY "/large:1\n";

/* Of the largest partial file. */
static off_t kept_bytes(const char *partial)
{
	auto_free char *pattern = text_format("%s/*", partial);
	struct stat status;
	off_t most = 0;
	glob_t found;

	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			if (stat(found.gl_pathv[i], &status) == 0 && status.st_size > most)
				most = status.st_size;
	globfree(&found);
	return most;
}

/* Kills the pull when half of the layer is there. */
static void pull_half(const struct playground *playground, const char *partial)
{
	static const char *const words[] = {
		"image", "pull", "--tls-verify=false", "--keep=1M", REGISTRY "/large:1", NULL};
	pid_t pid = command_spawn(playground, words);
	auto_fd pidfd = pidfd_open(pid, 0);

	while (process_wait_end(pidfd, 0) == 0 && kept_bytes(partial) < LARGE_BYTES / 2)
		;
	kill(-pid, SIGKILL);
	while (waitpid(-pid, NULL, 0) > 0)
		;
}

/* What the registry says it has sent of layers larger than a megabyte, by the status of the reply. */
static long long sent_bytes(const char *directory, const char *status)
{
	auto_free char *script =
		text_format("awk '/GET .*blobs/ && $9 == %s && $10 > 1000000 && !/HEAD/ {sum += $10} END "
			    "{printf \"%%d\", sum}' '%s/registry.log'",
			status, directory);
	auto_run run = RUN("sh", "-c", script);

	return strtoll(run.out, NULL, 10);
}

TEST(image_kill, a_large_layer_goes_on_where_the_killed_pull_had_got_to, .fini = playground_rescue,
	.timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground world = playground_new();
	auto_free char *partial = text_format("%s/lib/partial", world.root);
	long long again;

	images_make(world.directory.path);
	auto_registry registry = registry_start(world.directory.path, NULL);
	script_run(world.directory.path, large);
	cr_assert(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	pull_half(&world, partial);
	off_t kept = kept_bytes(partial);
	cr_assert_geq(kept, LARGE_BYTES / 2);
	WARREN_OK(&world, "image", "pull", "--tls-verify=false", "--keep=1M", REGISTRY "/large:1");
	WARREN_OK(&world, "image", "verify");
	/* The registry notes a reply after it has sent it. */
	for (int tries = 0; (again = sent_bytes(world.directory.path, "206")) == 0 && tries < 50; tries++)
		usleep(100000);
	cr_assert(again > 0 && again <= LARGE_BYTES * 6 / 10, "%lld of %d bytes were fetched again, %lld had been kept",
		again, LARGE_BYTES, (long long)kept);
}

/* --- a full disk -------------------------------------------------------------------------------------------------- */

/* A layer of 12 MB that is 12 KB on the way: no look at what is free beforehand tells that it will not fit. */
#define WIDE REGISTRY "/wide:1"
#define MEGABYTES_MAX 16

static struct run_result warren_on(const char *root, const char *const words[])
{
	const char *argv[12] = {WARREN_PROGRAM, "--root", root};
	size_t count = 3;

	while (*words)
		argv[count++] = *words++;
	return run_program(argv, NULL);
}
#define ON(root, ...) warren_on(root, (const char *const[]){__VA_ARGS__, NULL})

static void disk_fill(const char *root, const char *store, unsigned megabytes)
{
	auto_free char *size = text_format("size=%uM,mode=0700", megabytes);

	cr_assert(mount("full", store, "tmpfs", 0, size) == 0);
	auto_run pulled = ON(root, "image", "pull", "--tls-verify=false", WIDE);
	auto_run pruned = ON(root, "image", "prune"), listed = ON(root, "image", "list", "--quiet");

	cr_assert(pulled.status == 0 || strstr(pulled.err, "No space left on device") || strstr(pulled.err, "free"),
		"%u MB: status %d: %s", megabytes, pulled.status, pulled.err);
	cr_assert(pulled.status != 0 || megabytes > 12, "%u MB hold it?", megabytes);
	cr_assert(pulled.status == 0 || megabytes < 16, "%u MB: %s", megabytes, pulled.err);
	cr_assert(pruned.status == 0, "%u MB: %s", megabytes, pruned.err);
	cr_assert_str_eq(listed.out, pulled.status == 0 ? WIDE "\n" : "");
	assert_swept(store);
	cr_assert(mount(NULL, store, NULL, MS_REMOUNT, "size=64M") == 0);
	auto_run again = ON(root, "image", "pull", "--tls-verify=false", WIDE), whole = ON(root, "image", "verify");

	cr_assert(again.status == 0 && whole.status == 0, "%u MB: %s%s", megabytes, again.err, whole.out);
	cr_assert(umount2(store, MNT_DETACH) == 0);
}

TEST(image_kill, a_full_disk_is_said_and_survived, .fini = playground_rescue, .timeout = SLOWLY(300))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground world = playground_new();
	auto_free char *root = text_format("%s/full", world.directory.path), *store = text_format("%s/lib", root);
	unsigned step = getenv("WARREN_TEST_ALL_POINTS") ? 1 : 7;

	images_make(world.directory.path);
	auto_registry registry = registry_start(world.directory.path, NULL);
	script_run(world.directory.path, publish);
	cr_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	cr_assert(mkdir(root, 0755) == 0 && mkdir(store, 0700) == 0);
	for (unsigned megabytes = 1; megabytes <= MEGABYTES_MAX; megabytes += step)
		disk_fill(root, store, megabytes);
}
