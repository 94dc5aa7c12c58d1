/* Options of checkpoint and restore that let through what CRIU refuses otherwise, each with the effect it has. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/end_to_end/support_counter.h"
#include "tests/test.h"

/* --- file locks --------------------------------------------------------------------------------------------------- */

/* busybox has none, so the host's with its library. */
#define HOSTS(path_, target_)                                                                                          \
	", {\"destination\": \"" target_ "\", \"type\": \"bind\", \"source\": \"" path_                                \
	"\", \"options\": [\"bind\", \"ro\"]}"
#define FLOCK HOSTS("/usr/bin/flock", "/bin/flock") HOSTS("/lib", "/lib") HOSTS("/lib64", "/lib64")

static bool is_locked(const struct bundle *bundle)
{
	auto_free char *path = text_format("%s/data/lock", bundle->path);
	auto_fd fd = open(path, O_RDWR | O_CLOEXEC);

	cr_assert(fd >= 0, "%s: %s", path, strerror(errno));
	return flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

TEST(oci_checkpoint, keeps_file_locks_when_asked_to, .timeout = SLOWLY(120))
{
	NEEDS_CRIU();
	auto_bundle bundle = bundle_new();
	char images[192], others[192];

	counter_write(&bundle, NULL);
	BUNDLE_WRITE(&bundle, .script = "exec 9>/data/lock; flock 9; " COUNTER, .mounts = DATA FLOCK);
	counter_run(&bundle);
	cr_assert(is_locked(&bundle));
	auto_run without = OCI(&bundle, "checkpoint", "--image-path", images_of(&bundle, "others", others), "ID");
	ASSERT_REFUSED(without, "file-locks");
	assert_state(&bundle, "running");

	auto_run checkpoint =
		OCI(&bundle, "checkpoint", "--file-locks", "--image-path", images_of(&bundle, "images", images), "ID");
	ASSERT_STATUS(checkpoint, 0);
	cr_assert(!is_locked(&bundle), "somebody is left");
	int before = count_now(&bundle);
	auto_run restore = OCI(&bundle, "restore", "-d", "--file-locks", "--image-path", images, "ID");
	ASSERT_STATUS(restore, 0);
	assert_goes_on(&bundle, before);
	cr_assert(is_locked(&bundle));
}

/* --- files without their name ------------------------------------------------------------------------------------- */

/* One that still has another name: CRIU keeps what has none at all. */
TEST(oci_checkpoint, keeps_a_file_that_lost_its_name_when_asked_to, .timeout = SLOWLY(120))
{
	NEEDS_CRIU();
	auto_bundle bundle = bundle_new();
	char images[192], others[192];

	counter_write(&bundle, NULL);
	BUNDLE_WRITE(&bundle,
		.script = "echo kept > /data/one; exec 9</data/one; ln /data/one /data/two; rm /data/one; " COUNTER,
		.mounts = DATA);
	counter_run(&bundle);
	auto_run without = OCI(&bundle, "checkpoint", "--image-path", images_of(&bundle, "others", others), "ID");
	ASSERT_REFUSED(without, "link-remap");

	auto_run checkpoint =
		OCI(&bundle, "checkpoint", "--link-remap", "--image-path", images_of(&bundle, "images", images), "ID");
	ASSERT_STATUS(checkpoint, 0);
	int before = count_now(&bundle);
	auto_run restore = OCI(&bundle, "restore", "-d", "--link-remap", "--image-path", images, "ID");
	ASSERT_STATUS(restore, 0);
	assert_goes_on(&bundle, before);
	auto_run exec = OCI(&bundle, "exec", "ID", "cat", "/proc/1/fd/9");
	cr_assert_str_eq(exec.out, "kept\n", "%s%s", exec.out, exec.err);
}

/* --- sockets to the outside --------------------------------------------------------------------------------------- */

/* CRIU looks for sockets in the container's network namespace, so it has none of its own.
 *
 * The socket is one that outside and inside have at the same path, as CRIU connects by the name it was bound to: it is
 * bound by a process whose root is the bundle. */
static int listener_make(const struct bundle *bundle)
{
	const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/data/socket"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(chroot(bundle->path) < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0);
	cr_assert(waitpid(pid, &status, 0) == pid && status == 0 && fd >= 0);
	return fd;
}

static int connection_make(const struct bundle *bundle)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/data/socket", bundle->path);
	cr_assert(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "%s: %s", address.sun_path,
		strerror(errno));
	return fd;
}

static void tick_await(int listener)
{
	struct pollfd poll_one = {.fd = listener, .events = POLLIN};
	char text[16];

	cr_assert(poll(&poll_one, 1, COUNTER_WAIT_MS) == 1, "nothing is heard");
	cr_assert(recv(listener, text, sizeof(text), 0) == 5 && memcmp(text, "tick\n", 5) == 0);
}

static void listener_empty(int listener)
{
	char text[16];

	while (recv(listener, text, sizeof(text), MSG_DONTWAIT) > 0)
		;
}

TEST(oci_checkpoint, reconnects_to_a_socket_outside_when_asked_to, .timeout = SLOWLY(120))
{
	NEEDS_CRIU();
	static const char *const run_words[] = {"run", "-d", "--preserve-fds", "1", "ID", NULL};
	auto_bundle bundle = bundle_new();
	char images[192], others[192];

	counter_write(&bundle, NULL);
	BUNDLE_WRITE(&bundle, .script = "while :; do echo tick >&3; sleep 0.2; done", .mounts = DATA,
		.namespaces = "[{\"type\": \"mount\"}, {\"type\": \"pid\"}, {\"type\": \"ipc\"}, {\"type\": \"uts\"}, "
			      "{\"type\": \"cgroup\"}]");
	auto_fd listener = listener_make(&bundle);
	auto_fd connection = connection_make(&bundle);
	auto_run run = bundle_oci(&bundle, run_words, &(struct run_options){.keep = (const int[]){connection, -1}});
	ASSERT_STATUS(run, 0);
	fd_drop(&connection);
	tick_await(listener);
	auto_run without = OCI(&bundle, "checkpoint", "--image-path", images_of(&bundle, "others", others), "ID");
	ASSERT_REFUSED(without, "xternal");
	assert_state(&bundle, "running");

	auto_run checkpoint =
		OCI(&bundle, "checkpoint", "--ext-unix-sk", "--image-path", images_of(&bundle, "images", images), "ID");
	ASSERT_STATUS(checkpoint, 0);
	listener_empty(listener);
	auto_run restore = OCI(&bundle, "restore", "-d", "--ext-unix-sk", "--image-path", images, "ID");
	ASSERT_STATUS(restore, 0);
	tick_await(listener);
}

/* --- memory that comes later -------------------------------------------------------------------------------------- */

/* 3 MB of a shell's memory, of which it says the length with each step. */
#define LARGE                                                                                                          \
	"x=$(busybox head -c 3000000 /dev/zero | busybox tr '\\000' a); i=0; while :; do i=$((i+1)); echo $i > "       \
	"/data/new; "                                                                                                  \
	"echo ${#x} > /data/length; cat /data/new > /data/count; sleep 0.2; done"

/* The source keeps the pages and hands them out until all are gone; a NUL byte says that it is ready. The destination's
 * helper fetches them when they are used, and the rest by and by. Here it is the same host, so another name. */
#define MIGRATION                                                                                                      \
	"set -e; ip link set lo up; mkfifo ready\n"                                                                    \
	"$OCI checkpoint --lazy-pages --page-server 127.0.0.1:7927 --status-fd 9 --image-path $IMAGES $ID 9>ready &\n" \
	"source=$!; head -c 1 ready | od -An -tx1\n"                                                                   \
	"du -s -B 1000 $IMAGES | cut -f 1\n"                                                                           \
	"criu lazy-pages --page-server --address 127.0.0.1 --port 7927 -D $IMAGES -W $WORK -o lazy.log & helper=$!\n"  \
	"for i in $(seq 600); do test -S $WORK/lazy-pages.socket && break; sleep 0.1; done\n"                          \
	"rm -f data/length; $OCI restore -d --lazy-pages --image-path $IMAGES --work-path $WORK $ID-2\n"               \
	"wait $source; wait $helper; echo served\n"                                                                    \
	"for i in $(seq 600); do test -s data/length && break; sleep 0.1; done; cat data/length\n"                     \
	"$OCI state $ID-2 | grep -c running; $OCI delete -f $ID-2\n"

TEST(oci_checkpoint, leaves_pages_behind_and_fetches_them_later, .timeout = SLOWLY(180))
{
	NEEDS_CRIU();
	auto_bundle bundle = bundle_new();
	struct run_options options = {.timeout_ms = SLOWLY(60000), .directory = bundle.path};
	int kilobytes = 0, used = 0;

	counter_write(&bundle, NULL);
	BUNDLE_WRITE(&bundle, .script = LARGE, .mounts = DATA);
	counter_run(&bundle);
	auto_free char *script = text_format("OCI='%s --root %s' ID=%s IMAGES=%s/images WORK=%s\n%s",
		WARREN_OCI_PROGRAM, bundle.state, bundle.id, bundle.directory.path, bundle.directory.path, MIGRATION);
	auto_run run = run_program((const char *const[]){"unshare", "--net", "bash", "-c", script, NULL}, &options);
	cr_assert(sscanf(run.out, " 00 %d %n", &kilobytes, &used) == 1, "%d: %s%s", run.status, run.out, run.err);
	cr_assert(kilobytes < 2000, "the images have %d kB: the pages are in them", kilobytes);
	cr_assert_str_eq(run.out + used, "served\n3000000\n1\n", "%d: %s%s", run.status, run.out, run.err);
}
