/* warren-oci checkpoint and restore, against CRIU and a kernel that it works on. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "base/socket.h"
#include "tests/end_to_end/support_counter.h"
#include "tests/test.h"

/* --- what works --------------------------------------------------------------------------------------------------- */

TEST(oci_checkpoint, and_restore_let_a_counter_count_on, .timeout = SLOWLY(120))
{
	NEEDS_CRIU();
	auto_bundle bundle = bundle_new();
	char images[192], pid[192];
	int mounts = host_mount_count();

	counter_write(&bundle, NULL);
	counter_run(&bundle);
	auto_run checkpoint = OCI(&bundle, "checkpoint", "--image-path", images_of(&bundle, "images", images), "ID");
	ASSERT_STATUS(checkpoint, 0);
	assert_gone(&bundle);
	int before = count_now(&bundle);

	auto_run restore = OCI(&bundle, "restore", "--detach", "--image-path", images, "--pid-file",
		images_of(&bundle, "pid", pid), "--bundle", bundle.path, "ID");
	ASSERT_STATUS(restore, 0);
	assert_goes_on(&bundle, before);
	cr_assert(host_mount_count() == mounts);
	cr_assert(access(pid, F_OK) == 0);
	assert_state(&bundle, "running");
	cr_assert(bundle_cgroups(&bundle) > 0);

	auto_run exec = OCI(&bundle, "exec", "ID", "/bin/sh", "-c", "cat /proc/1/comm; ls /data");
	ASSERT_STATUS(exec, 0);
	cr_assert_str_eq(exec.out, "sh\ncount\nnew\n");
	auto_run events = OCI(&bundle, "events", "--stats", "ID");
	ASSERT_STATUS(events, 0);
	auto_run pause = OCI(&bundle, "pause", "ID");
	ASSERT_STATUS(pause, 0);
	assert_state(&bundle, "paused");
	auto_run gone = OCI(&bundle, "delete", "--force", "ID");
	ASSERT_STATUS(gone, 0);
	assert_gone(&bundle);
}

TEST(oci_checkpoint, keeps_masks_and_capabilities_over_a_restore, .timeout = SLOWLY(120))
{
	static const char look[] = "cat /proc/keys /proc/timer_list; echo x > /proc/sys/kernel/hostname; "
				   "grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/1/status; cat /proc/self/cgroup";
	NEEDS_CRIU();
	auto_bundle bundle = bundle_new();
	auto_free char *data = text_format("%s/data", bundle.path);
	char images[192];

	mkdir(data, 0755);
	BUNDLE_WRITE(&bundle, .script = COUNTER, .mounts = DATA,
		.process = "\"noNewPrivileges\": true, \"capabilities\": {\"bounding\": [\"CAP_KILL\"], "
			   "\"effective\": [\"CAP_KILL\"], \"permitted\": [\"CAP_KILL\"]}",
		.system = "\"maskedPaths\": [\"/proc/keys\", \"/proc/timer_list\", \"/proc/acpi\"], "
			  "\"readonlyPaths\": [\"/proc/sys\"], \"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\", "
			  "\"syscalls\": [{\"names\": [\"reboot\"], \"action\": \"SCMP_ACT_ERRNO\"}]}");
	counter_run(&bundle);
	auto_run first = OCI(&bundle, "exec", "ID", "/bin/sh", "-c", look);
	auto_run checkpoint = OCI(&bundle, "checkpoint", "--image-path", images_of(&bundle, "images", images), "ID");
	ASSERT_STATUS(checkpoint, 0);
	auto_run restore = OCI(&bundle, "restore", "-d", "--image-path", images, "ID");
	ASSERT_STATUS(restore, 0);
	auto_run second = OCI(&bundle, "exec", "ID", "/bin/sh", "-c", look);
	cr_assert(strstr(first.out, "NoNewPrivs:\t1") && strstr(first.out, "Seccomp:\t2"), "%s", first.out);
	cr_assert_str_eq(first.out, second.out);
	cr_assert(strstr(second.err, "Read-only file system"), "%s", second.err);
}

TEST(oci_checkpoint, leaves_it_running_when_asked_to, .timeout = SLOWLY(120))
{
	NEEDS_CRIU();
	auto_bundle bundle = bundle_new();
	char images[192];

	auto_run before = RUN("sed", "-n", "s/.* - cgroup2 [^ ]* //p", "/proc/self/mountinfo");
	counter_write(&bundle, NULL);
	counter_run(&bundle);
	auto_run checkpoint = OCI(
		&bundle, "checkpoint", "--leave-running", "--image-path", images_of(&bundle, "images", images), "ID");
	ASSERT_STATUS(checkpoint, 0);
	assert_state(&bundle, "running");
	count_await(&bundle, count_now(&bundle));
	/* CRIU mounts the hierarchy of version 2, which sets its flags anew for the host. */
	auto_run flags = RUN("sed", "-n", "s/.* - cgroup2 [^ ]* //p", "/proc/self/mountinfo");
	cr_assert_str_eq(flags.out, before.out);
}

TEST(oci_checkpoint, takes_the_memory_in_advance, .timeout = SLOWLY(120))
{
	NEEDS_CRIU();
	auto_bundle bundle = bundle_new();
	char first[192], second[192], link[192];
	struct stat status;

	counter_write(&bundle, NULL);
	counter_run(&bundle);
	auto_run pre = OCI(&bundle, "checkpoint", "--pre-dump", "--image-path", images_of(&bundle, "1", first), "ID");
	ASSERT_STATUS(pre, 0);
	assert_state(&bundle, "running");
	auto_run checkpoint = OCI(
		&bundle, "checkpoint", "--parent-path", "../1", "--image-path", images_of(&bundle, "2", second), "ID");
	ASSERT_STATUS(checkpoint, 0);
	cr_assert(lstat(images_of(&bundle, "2/parent", link), &status) == 0);
	int before = count_now(&bundle);

	auto_run restore = OCI(&bundle, "restore", "-d", "--image-path", second, "ID");
	ASSERT_STATUS(restore, 0);
	assert_goes_on(&bundle, before);
}

TEST(oci_checkpoint, of_a_paused_container_leaves_it_paused, .timeout = SLOWLY(120))
{
	NEEDS_CRIU();
	auto_bundle bundle = bundle_new();
	char images[192];

	counter_write(&bundle, NULL);
	counter_run(&bundle);
	auto_run pause = OCI(&bundle, "pause", "ID");
	ASSERT_STATUS(pause, 0);
	auto_run checkpoint = OCI(
		&bundle, "checkpoint", "--leave-running", "--image-path", images_of(&bundle, "images", images), "ID");
	ASSERT_STATUS(checkpoint, 0);
	assert_state(&bundle, "paused");
}

/* Its processes read the images with ids that the owner of the images does not have. */
TEST(oci_checkpoint, of_a_container_with_a_user_namespace_comes_back, .timeout = SLOWLY(120))
{
	NEEDS_CRIU();
	auto_bundle bundle = bundle_new();
	char images[192];
	struct stat status;

	counter_write(&bundle, NULL);
	BUNDLE_WRITE(&bundle, .script = COUNTER, .mounts = DATA,
		.namespaces = "[{\"type\": \"mount\"}, {\"type\": \"pid\"}, {\"type\": \"ipc\"}, {\"type\": \"uts\"}, "
			      "{\"type\": \"network\"}, {\"type\": \"cgroup\"}, {\"type\": \"user\"}]",
		.system = "\"uidMappings\": [{\"containerID\": 0, \"hostID\": 100000, \"size\": 65536}], "
			  "\"gidMappings\": [{\"containerID\": 0, \"hostID\": 100000, \"size\": 65536}]");
	auto_run give = RUN("chown", "-R", "100000:100000", bundle.path);
	ASSERT_STATUS(give, 0);
	counter_run(&bundle);
	auto_run checkpoint = OCI(&bundle, "checkpoint", "--image-path", images_of(&bundle, "images", images), "ID");
	ASSERT_STATUS(checkpoint, 0);
	int before = count_now(&bundle);
	auto_run restore = OCI(&bundle, "restore", "-d", "--image-path", images, "ID");
	ASSERT_STATUS(restore, 0);
	assert_goes_on(&bundle, before);
	cr_assert(stat(images, &status) == 0 && (status.st_mode & 0777) == 0710 && status.st_gid == 100000);
	auto_run exec = OCI(&bundle, "exec", "ID", "cat", "/proc/1/uid_map");
	cr_assert(strstr(exec.out, "100000"), "%s%s", exec.out, exec.err);
}

/* The one who waits gets its output and its status. */
TEST(oci_restore, in_the_foreground_passes_output_and_status_on, .timeout = SLOWLY(120))
{
	NEEDS_CRIU();
	auto_bundle bundle = bundle_new();
	char images[192];

	auto_free char *data = text_format("%s/data", bundle.path);
	mkdir(data, 0755);
	BUNDLE_WRITE(&bundle,
		.script = "echo 9 > /data/count; while ! test -e /data/end; do sleep 0.1; done; echo over; exit 43",
		.mounts = DATA);
	counter_run(&bundle);
	auto_run checkpoint = OCI(&bundle, "checkpoint", "--image-path", images_of(&bundle, "images", images), "ID");
	ASSERT_STATUS(checkpoint, 0);
	run_write_file(data, "end", 0644, "");
	auto_run restore = OCI(&bundle, "restore", "--image-path", images, "ID");
	ASSERT_STATUS(restore, 43);
	cr_assert_str_eq(restore.out, "over\n");
	assert_gone(&bundle);
}

/* --- a connection ------------------------------------------------------------------------------------------------- */

/* A network namespace that outlives the container, with our end of the connection in it as well: what counts is that
 * the other end's packets are held while there is no socket, and let through afterwards. */
#define CONNECTION                                                                                                     \
	"set -e; exec 2>&1; ip link set lo up; cd \"$BUNDLE\"\n"                                                       \
	"ip netns add $ID; trap 'ip netns del $ID' EXIT; ip -n $ID link set lo up\n"                                   \
	"ip link add h$N type veth peer name c$N netns $ID; ip addr add 10.9.0.1/24 dev h$N; ip link set h$N up\n"     \
	"ip -n $ID addr add 10.9.0.2/24 dev c$N; ip -n $ID link set c$N up\n"                                          \
	"$OCI run -d $ID </dev/null >/dev/null\n"                                                                      \
	"for i in $(seq 100); do exec 3<>/dev/tcp/10.9.0.2/7000 && break; sleep 0.2; done\n"                           \
	"echo one >&3; read -t 60 a <&3; echo \"$a\"\n"                                                                \
	"$OCI checkpoint --tcp-established $LOCK --image-path $IMAGES $ID\n"                                           \
	"echo two >&3; sleep 1\n"                                                                                      \
	"$OCI restore -d --tcp-established $LOCK --image-path $IMAGES $ID </dev/null >/dev/null\n"                     \
	"read -t 60 a <&3; echo \"$a\"; echo three >&3; read -t 60 a <&3; echo \"$a\"\n"                               \
	"ip netns exec $ID sh -c 'iptables-save; nft list tables' | grep -c -E 'CRIU|WARREN' || true\n"                \
	"$OCI delete -f $ID\n"

static void connection_try(const char *lock)
{
	auto_bundle bundle = bundle_new();
	auto_free char *namespaces = text_format(
		"[{\"type\": \"mount\"}, {\"type\": \"pid\"}, {\"type\": \"uts\"}, {\"type\": \"ipc\"}, {\"type\": "
		"\"cgroup\"}, {\"type\": \"network\", \"path\": \"/run/netns/%s\"}]",
		bundle.id);

	BUNDLE_WRITE(&bundle, .args = "[\"/bin/busybox\", \"nc\", \"-l\", \"-p\", \"7000\", \"-e\", \"/bin/cat\"]",
		.namespaces = namespaces);
	auto_free char *script = text_format("OCI='%s --root %s' ID=%s N=%d BUNDLE=%s IMAGES=%s/images LOCK='%s'\n%s",
		WARREN_OCI_PROGRAM, bundle.state, bundle.id, getpid(), bundle.path, bundle.directory.path, lock,
		CONNECTION);
	struct run_options options = {.timeout_ms = SLOWLY(100000)};
	auto_run run =
		run_program((const char *const[]){"unshare", "--net", "--mount", "bash", "-c", script, NULL}, &options);
	cr_assert_str_eq(run.out, "one\ntwo\nthree\n0\n");
}

TEST(oci_checkpoint, keeps_a_connection_in_a_network_that_stays, .timeout = SLOWLY(180))
{
	NEEDS_CRIU();
	SKIP_UNLESS(access("/usr/sbin/iptables-restore", X_OK) == 0, "needs iptables, as CRIU does for connections");
	connection_try("");
}

TEST(oci_checkpoint, keeps_a_connection_by_nftables_when_asked_to, .timeout = SLOWLY(180))
{
	NEEDS_CRIU();
	SKIP_UNLESS(access("/usr/sbin/nft", X_OK) == 0, "needs nft");
	connection_try("--network-lock nftables");
}

/* --- a terminal --------------------------------------------------------------------------------------------------- */

static int console_listen(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 4) == 0);
	return fd;
}

static int console_accept(int listener)
{
	auto_fd connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	char name[128];
	int master = -1;
	size_t count = 1;

	cr_assert(connection >= 0 && socket_receive(connection, name, sizeof(name), &master, &count) > 0 && count == 1);
	return master;
}

static void master_await(int master, const char *word)
{
	char text[8192] = "";
	size_t used = 0;

	while (!strstr(text, word) && used < sizeof(text) - 1) {
		ssize_t got = read(master, text + used, sizeof(text) - 1 - used);

		cr_assert(got > 0, "the terminal ended: %s", text);
		used += (size_t)got;
		text[used] = '\0';
	}
}

TEST(oci_checkpoint, gives_a_terminal_back, .timeout = SLOWLY(120))
{
	NEEDS_CRIU();
	auto_bundle bundle = bundle_new();
	char images[192], socket_path[192];

	BUNDLE_WRITE(
		&bundle, .script = "while read line; do echo \"heard $line\"; done", .process = "\"terminal\": true");
	auto_fd listener = console_listen(images_of(&bundle, "console", socket_path));
	auto_run run = OCI(&bundle, "run", "-d", "--console-socket", socket_path, "ID");
	ASSERT_STATUS(run, 0);
	auto_fd first = console_accept(listener);
	cr_assert(write(first, "abc\n", 4) == 4);
	master_await(first, "heard abc");

	auto_run checkpoint =
		OCI(&bundle, "checkpoint", "--shell-job", "--image-path", images_of(&bundle, "images", images), "ID");
	ASSERT_STATUS(checkpoint, 0);
	auto_run restore = OCI(
		&bundle, "restore", "-d", "--shell-job", "--console-socket", socket_path, "--image-path", images, "ID");
	ASSERT_STATUS(restore, 0);
	auto_fd second = console_accept(listener);
	cr_assert(write(second, "def\n", 4) == 4);
	master_await(second, "heard def");
}

/* --- killed in the middle ----------------------------------------------------------------------------------------- */

/* What version 2 is mounted with; NULL where it is not, or version 1 is beside it. */
static char *hierarchy_flags(void)
{
	auto_run run = RUN("sh", "-c",
		"! grep -qv ^0:: /proc/self/cgroup && grep -o ' - cgroup2 .*' /proc/self/mountinfo | head -n 1");

	return run.status == 0 && *run.out ? text_format("%s", run.out) : NULL;
}

/* CRIU mounts the hierarchy, and has been killed after that. */
static void assert_flags(const char *before)
{
	auto_free char *now = hierarchy_flags();

	cr_assert(text_equal(before, now), "was%snow%s", before, now ? now : "");
}

static void killed_after(struct bundle *bundle, const char *const words[], int64_t delay_ms)
{
	const char *argv[16] = {WARREN_OCI_PROGRAM, "--root", bundle->state};
	size_t count = 3;
	pid_t pid;

	for (; *words; words++)
		argv[count++] = strcmp(*words, "ID") == 0 ? bundle->id : *words;
	pid = fork();
	if (pid == 0) {
		if (chdir(bundle->path) < 0)
			_exit(1);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	usleep((useconds_t)delay_ms * 1000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST(oci_checkpoint, killed_at_any_time_leaves_nothing_that_delete_does_not_remove, .timeout = SLOWLY(300))
{
	static const int64_t dump_ms[] = {1, 20, 60, 150}, restore_ms[] = {1, 20, 60, 150, 300};
	NEEDS_CRIU();
	NEEDS_A_FAST_PROCESSOR();
	auto_bundle bundle = bundle_new();
	auto_free char *flags = hierarchy_flags();
	char images[192], name[16];

	counter_write(&bundle, NULL);
	for (size_t i = 0; i < sizeof(dump_ms) / sizeof(*dump_ms); i++) {
		counter_run(&bundle);
		snprintf(name, sizeof(name), "k%zu", i);
		killed_after(&bundle,
			(const char *const[]){
				"checkpoint", "--image-path", images_of(&bundle, name, images), "ID", NULL},
			SLOWLY(dump_ms[i]));
		assert_flags(flags);
		auto_run gone = OCI(&bundle, "delete", "--force", "ID");
		ASSERT_STATUS(gone, 0);
		assert_gone(&bundle);
	}
	counter_run(&bundle);
	auto_run checkpoint = OCI(&bundle, "checkpoint", "--image-path", images_of(&bundle, "images", images), "ID");
	ASSERT_STATUS(checkpoint, 0);
	for (size_t i = 0; i < sizeof(restore_ms) / sizeof(*restore_ms); i++) {
		killed_after(&bundle, (const char *const[]){"restore", "--image-path", images, "ID", NULL},
			SLOWLY(restore_ms[i]));
		assert_flags(flags);
		auto_run gone = OCI(&bundle, "delete", "--force", "ID");
		ASSERT_STATUS(gone, 0);
		assert_gone(&bundle);
	}
	int before = count_now(&bundle);
	auto_run restore = OCI(&bundle, "restore", "-d", "--image-path", images, "ID");
	ASSERT_STATUS(restore, 0);
	count_await(&bundle, before);
}

/* --- what is refused ---------------------------------------------------------------------------------------------- */

TEST(oci_checkpoint, says_what_is_wrong_in_one_line_and_leaves_it_running)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	char images[192];

	counter_write(&bundle, NULL);
	counter_run(&bundle);
	images_of(&bundle, "images", images);
	auto_run directory = OCI(&bundle, "checkpoint", "--image-path", "/nonesuch/images", "ID");
	ASSERT_REFUSED(directory, "--image-path: make directory /nonesuch/images: No such file or directory");
	auto_run parent = OCI(&bundle, "checkpoint", "--image-path", images, "--parent-path", "../nonesuch", "ID");
	ASSERT_REFUSED(parent, "--parent-path ../nonesuch: No such file or directory");
	auto_run absolute = OCI(&bundle, "checkpoint", "--image-path", images, "--parent-path", "/tmp", "ID");
	ASSERT_REFUSED(absolute, "--parent-path /tmp: must be relative to the image path");
	auto_run program = OCI(&bundle, "--criu", "/nonesuch", "checkpoint", "--image-path", images, "ID");
	ASSERT_REFUSED(program, "--criu /nonesuch: No such file or directory");
	auto_run relative = OCI(&bundle, "--criu", "criu", "checkpoint", "--image-path", images, "ID");
	ASSERT_REFUSED(relative, "--criu criu: must be an absolute path");
	auto_run mode = OCI(&bundle, "checkpoint", "--manage-cgroups-mode", "hard", "ID");
	ASSERT_REFUSED(mode, "--manage-cgroups-mode hard: must be soft");
	auto_run lock = OCI(&bundle, "checkpoint", "--network-lock", "ebtables", "ID");
	ASSERT_REFUSED(lock, "--network-lock ebtables: must be iptables, nftables or skip");
	auto_run pages = OCI(&bundle, "checkpoint", "--image-path", images, "--lazy-pages", "ID");
	ASSERT_REFUSED(pages, "--lazy-pages needs --page-server");
	auto_run port = OCI(&bundle, "checkpoint", "--image-path", images, "--page-server", "here:x", "ID");
	ASSERT_REFUSED(port, "--page-server here:x: must be ADDRESS:PORT");
	auto_run other = OCI(&bundle, "checkpoint", "--image-path", images, "nonesuch");
	ASSERT_REFUSED(other, "container \"nonesuch\" does not exist");
	count_await(&bundle, count_now(&bundle));
}

TEST(oci_checkpoint, of_a_container_that_does_not_run_is_refused)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	counter_write(&bundle, NULL);
	auto_run create = OCI(&bundle, "create", "ID");
	ASSERT_STATUS(create, 0);
	auto_run checkpoint = OCI(&bundle, "checkpoint", "ID");
	ASSERT_REFUSED(checkpoint, "it is created, not running");
}

TEST(oci_checkpoint, says_that_criu_is_missing_or_why_it_does_not_work)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	char images[192];

	counter_write(&bundle, NULL);
	counter_run(&bundle);
	images_of(&bundle, "images", images);
	auto_run other = OCI(&bundle, "--criu", "/bin/false", "checkpoint", "--image-path", images, "ID");
	ASSERT_REFUSED(other, "criu does not work here: it ended without a word");
	if (!criu_is_there() || !criu_works()) {
		auto_run run = OCI(&bundle, "checkpoint", "--image-path", images, "ID");
		ASSERT_REFUSED(run, criu_is_there() ? "Error (criu/" : "apt-get install criu");
	}
	count_await(&bundle, count_now(&bundle));
}

TEST(oci_restore, of_nothing_leaves_nothing)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	char images[192];

	counter_write(&bundle, NULL);
	images_of(&bundle, "images", images);
	auto_run absent = OCI(&bundle, "restore", "--image-path", images, "ID");
	ASSERT_REFUSED(absent, "--image-path: open directory");
	assert_gone(&bundle);
	cr_assert(mkdir(images, 0700) == 0);
	auto_run empty = OCI(&bundle, "restore", "--image-path", images, "ID");
	ASSERT_REFUSED(empty, "criu");
	assert_gone(&bundle);
}
