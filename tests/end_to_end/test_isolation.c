/* What an instance sees and can do, asked from inside: as its first process, through exec and through shell. */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/text.h"
#include "tests/end_to_end/support_ways.h"
#include "tests/test.h"

#define CAPABILITIES "00000000000405fb" /* 0 1 3 4 5 6 7 8 10 18, see capabilities(7) */
#define NONE "0000000000000000"

static void assert_values(struct playground *playground, const struct run_result *run, const char *const (*table)[2])
{
	for (; (*table)[0]; table++) {
		const char *got = value_of(playground, run->out, (*table)[0]);

		cr_assert_str_eq(got, (*table)[1], "%s is \"%s\", not \"%s\":\n%s%s", (*table)[0], got, (*table)[1],
			run->out, run->err);
	}
}

/* --- who it is ---------------------------------------------------------------------------------------------------- */

TEST(isolation, rights_are_the_small_set_by_every_way_in, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	static const char *const expected[][2] = {{"ids", "0 0"}, {"CapInh", NONE}, {"CapPrm", CAPABILITIES},
		{"CapEff", CAPABILITIES}, {"CapBnd", CAPABILITIES}, {"CapAmb", NONE}, {"NoNewPrivs", "1"},
		{"Seccomp", "2"}, {"Groups", ""}, {NULL, NULL}};
	auto_playground playground = playground_new();

	instance_start(&playground, "inside");
	FOR_EACH_WAY(way)
	{
		auto_run run = probe_by(&playground, way, "identity");

		cr_assert(run.status == 0, "%s: %s", way_names[way], run.err);
		assert_values(&playground, &run, expected);
	}
}

TEST(isolation, another_user_has_no_rights_at_all, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	static const char *const expected[][2] = {{"ids", "33 33"}, {"CapInh", NONE}, {"CapPrm", NONE},
		{"CapEff", NONE}, {"CapBnd", CAPABILITIES}, {"CapAmb", NONE}, {"NoNewPrivs", "1"}, {"Seccomp", "2"},
		{NULL, NULL}};
	auto_playground playground = playground_new();

	auto_run run = WARREN(&playground, "run", "--rm", "-u", "www-data", "-v", playground_probe_volume(&playground),
		"host", "--", PROBE, "identity");
	assert_values(&playground, &run, expected);
	instance_start(&playground, "inside");
	auto_run exec = WARREN(&playground, "exec", "-u", "www-data", "inside", PROBE, "identity");
	assert_values(&playground, &exec, expected);
}

static const char *const namespaces[] = {"namespace-mnt", "namespace-pid", "namespace-uts", "namespace-ipc",
	"namespace-net", "namespace-cgroup", "namespace-user"};

static const char *own_namespace(struct playground *playground, const char *name)
{
	const char *path = arena_format(&playground->arena, "/proc/self/ns/%s", strchr(name, '-') + 1);
	char target[64] = "";

	cr_assert(readlink(path, target, sizeof(target) - 1) > 0);
	return arena_string(&playground->arena, target);
}

TEST(isolation, namespaces_are_its_own_and_the_same_by_exec_and_shell, .fini = playground_rescue,
	.timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	instance_start(&playground, "inside");
	auto_run first = probe_by(&playground, BY_RUN, "identity");
	auto_run exec = probe_by(&playground, BY_EXEC, "identity");
	auto_run shell = probe_by(&playground, BY_SHELL, "identity");
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		const char *of_first = value_of(&playground, first.out, namespaces[i]);
		const char *of_exec = value_of(&playground, exec.out, namespaces[i]);

		cr_assert(*of_first && *of_exec, "%s: %s%s%s", namespaces[i], first.out, first.err, exec.err);
		cr_assert_str_eq(of_exec, value_of(&playground, shell.out, namespaces[i]));
		cr_assert_str_neq(of_exec, of_first, "two instances share %s", namespaces[i]);
		cr_assert_str_neq(of_exec, own_namespace(&playground, namespaces[i]));
		cr_assert_str_neq(of_first, own_namespace(&playground, namespaces[i]));
	}
}

TEST(isolation, processes_name_and_address_are_its_own, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	instance_start(&playground, "inside");
	FOR_EACH_WAY(way)
	{
		auto_run run = probe_by(&playground, way, "identity");
		const char *name = way == BY_RUN ? "first" : "inside";

		cr_assert_str_eq(value_of(&playground, run.out, "hostname"), name);
		cr_assert(count_of(run.out, "process ") == (way == BY_RUN ? 1 : 2), "%s: %s", way_names[way], run.out);
		cr_assert_str_eq(value_of(&playground, run.out, "process"), "1");
		/* 127.0.0.1 and ::1, and of eth0 its own ones: none that its link would give itself. */
		cr_assert(count_of(run.out, "address ") == 4 && count_of(run.out, "address lo ::1\n") == 1 &&
				  !strstr(run.out, "fe80:"),
			"%s: %s", way_names[way], run.out);
		cr_assert_str_eq(value_of(&playground, run.out, "address lo"), "127.0.0.1");
		if (way != BY_RUN)
			cr_assert_str_eq(value_of(&playground, run.out, "address eth0"),
				instance_fact(&playground, "inside", "address"));
	}
}

/* Every line of /proc/self/cgroup ends in ":/". */
TEST(isolation, control_groups_begin_at_its_own, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	instance_start(&playground, "inside");
	FOR_EACH_WAY(way)
	{
		auto_run run = probe_by(&playground, way, "identity");

		cr_assert(count_of(run.out, "cgroup ") > 0);
		cr_assert(!strstr(run.out, playground.parent) && !strstr(run.out, ":/.."), "%s: %s", way_names[way],
			run.out);
	}
}

/* --- ids ---------------------------------------------------------------------------------------------------------- */

struct range {
	unsigned inside, outside, count;
};

static struct range range_of(struct playground *playground, const char *lines, const char *key)
{
	struct range range = {0};

	cr_assert(count_of(lines, key) == 1, "%s", lines);
	cr_assert(
		sscanf(value_of(playground, lines, key), "%u %u %u", &range.inside, &range.outside, &range.count) == 3);
	return range;
}

static bool ranges_overlap(struct range a, struct range b)
{
	return a.outside < b.outside + b.count && b.outside < a.outside + a.count;
}

TEST(isolation, ids_are_a_range_that_nobody_else_has, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	instance_start(&playground, "inside");
	auto_run first = probe_by(&playground, BY_RUN, "identity");
	auto_run exec = probe_by(&playground, BY_EXEC, "identity");
	auto_run shell = probe_by(&playground, BY_SHELL, "identity");
	struct range a = range_of(&playground, first.out, "uid_map"), b = range_of(&playground, exec.out, "uid_map");

	cr_assert(a.inside == 0 && a.count == 65536 && b.inside == 0 && b.count == 65536);
	cr_assert(!ranges_overlap(a, b), "%u and %u", a.outside, b.outside);
	/* Above 2^18: no user of the host, nor one of its subordinate ranges by Debian's defaults. */
	cr_assert(a.outside > 1u << 20 && b.outside > 1u << 20);
	cr_assert_str_eq(value_of(&playground, exec.out, "uid_map"), value_of(&playground, exec.out, "gid_map"));
	cr_assert_str_eq(value_of(&playground, exec.out, "uid_map"), value_of(&playground, shell.out, "uid_map"));
}

/* --- what it cannot do -------------------------------------------------------------------------------------------- */

static void assert_nothing_wrong(const char *probe, int at_least)
{
	auto_playground playground = playground_new();

	instance_start(&playground, "inside");
	FOR_EACH_WAY(way)
	{
		auto_run run = probe_by(&playground, way, probe);
		int tried = 0, wrong = -1;

		cr_assert(sscanf(run.out, "%d tried, %d wrong", &tried, &wrong) == 2 && wrong == 0 && tried >= at_least,
			"%s:\n%s%s", way_names[way], run.out, run.err);
		cr_assert(run.status == 0);
	}
}

TEST(isolation, system_calls_are_refused_each_with_its_errno, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	assert_nothing_wrong("calls", 140);
}

TEST(isolation, kernel_files_are_hidden_or_read_only, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	assert_nothing_wrong("files", 80);
}

static void file_exists(const char *directory, const char *name, bool expected)
{
	auto_free char *path = text_format("%s/%s", directory, name);

	cr_assert((access(path, F_OK) == 0) == expected, "%s", path);
}

TEST(isolation, with_cap_sys_admin_and_no_filter_it_still_cannot_write_the_hosts_files, .fini = playground_rescue,
	.timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	auto_directory shared = run_directory_new();
	const char *volume = arena_format(&playground.arena, "%s:/volume:ro", shared.path);

	cr_assert(chmod(shared.path, 0777) == 0);
	run_write_file(shared.path, "bin/env", 0777, "original");
	run_write_file(shared.path, "share/file", 0777, "original");
	auto_run run =
		WARREN(&playground, "run", "--rm", "--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined",
			"-v", playground_probe_volume(&playground), "-v", volume, "host", "--", PROBE, "admin");
	cr_expect_str_eq(run.out, "13 tried, 0 wrong\n", "%s%s", run.out, run.err);
	file_exists(shared.path, "made", false);
	file_exists(shared.path, "bin/made", false);
	file_exists(shared.path, "bin/env", true);
	file_exists("/usr", "made", false);
	file_exists("/usr/bin", "made", false);
}

/* --- what it does not see ----------------------------------------------------------------------------------------- */

TEST(isolation, descriptors_of_the_caller_do_not_get_in, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	auto_fd root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		secret = open("/etc/shadow", O_RDONLY | O_CLOEXEC);
	struct run_options options = {.keep = (const int[]){root, secret, root, -1}};
	const char *start[] = {"run", "-d", "--name", "inside", "-v", playground_probe_volume(&playground), "host",
		"--", "sleep", "1000", NULL};

	auto_run started = playground_warren(&playground, start, &options);
	cr_assert(started.status == 0, "%s", started.err);
	FOR_EACH_WAY(way)
	{
		auto_run got = probe_in(&playground, way, "inside", "descriptors", &options);

		for (int fd = 0; fd < 250; fd++) {
			auto_free char *number = text_format("%d ", fd);
			cr_assert(count_of(got.out, number) == (fd < 3), "%s:\n%s%s", way_names[way], got.out, got.err);
		}
		cr_assert(!strstr(got.out, "/etc/shadow"), "%s:\n%s", way_names[way], got.out);
	}
	/* The first process of the one in the background, seen from outside. */
	auto_free char *listing = text_format("/proc/%s/fd", instance_fact(&playground, "inside", "pid"));
	auto_run open_files = RUN("ls", listing);
	cr_assert_str_eq(open_files.out, "0\n1\n2\n");
}

#define MARK "warren-test-mark-7c1f"

/* A mount namespace in which the host is full of secrets, and people have accounts. fakes: an empty directory. */
static void host_fill_with_secrets(const char *fakes)
{
	static const char *const secrets[] = {"hostname", "hosts", "motd", "machine-id", "ssh/ssh_host_ed25519_key",
		"ssl/private/site.key", ("nginx/sites-enabled/" MARK), "nginx/nginx.conf", "nginx/conf.d/secret.conf",
		"environment", "profile.d/secret.sh", "cron.d/job", "sudoers.d/people", "mysql/debian.cnf", "fstab",
		"crypttab", "network/interfaces", "default/secret", "issue"};
	static const char *const places[] = {"/root", "/home", "/srv", "/opt", "/mnt", "/media", "/boot"};
	auto_free char *upper = text_format("%s/etc", fakes), *work = text_format("%s/work", fakes),
		       *options = text_format("lowerdir=/etc,upperdir=%s,workdir=%s", upper, work);

	cr_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	cr_assert(mount("none", fakes, "tmpfs", 0, NULL) == 0 && mkdir(upper, 0755) == 0 && mkdir(work, 0755) == 0);
	cr_assert(mount("none", "/etc", "overlay", 0, options) == 0);
	run_write_file("/etc", "passwd", 0644,
		"root:x:0:0:" MARK ":/root:/bin/bash\n" MARK ":x:1000:1000::/home/" MARK ":/bin/bash\n"
		"www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n");
	run_write_file("/etc", "shadow", 0600, MARK ":$6$" MARK ":19000:0:99999:7:::\n");
	run_write_file("/etc", "group", 0644, "root:x:0:\n" MARK ":x:1000:\n");
	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
		run_write_file("/etc", secrets[i], 0644, "# " MARK "\n");
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		cr_assert(mount("none", places[i], "tmpfs", 0, NULL) == 0);
		run_write_file(places[i], MARK "/.ssh/id_ed25519", 0644, MARK "\n");
	}
}

/* Seen by content, by name, in what mounts and the environment tell, or as anything at all in those places. */
static const char secrets_script[] =
	"grep -rsl " MARK " / --exclude-dir=proc --exclude-dir=sys --exclude-dir=usr;"
	"find / -xdev -name '*" MARK "*'; grep -h " MARK " /proc/mounts /proc/self/environ;"
	"find /home /srv /opt /mnt /media /boot /usr/local -mindepth 1; getent passwd " MARK " 1000;"
	"cut -d: -f2 /etc/shadow | grep '[$]'; echo done";

TEST(isolation, no_file_of_the_host_is_seen_beside_usr, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_directory fakes = run_directory_new();
	auto_playground playground = playground_new();

	host_fill_with_secrets(fakes.path);
	auto_run control = RUN("grep", "-rsl", MARK, "/etc", "/root", "/home");
	cr_assert(strstr(control.out, "/etc/shadow") && strstr(control.out, "/root/") && strstr(control.out, "/home/"));
	auto_run run = WARREN(&playground, "run", "--rm", "host", "--", "sh", "-c", secrets_script);
	cr_expect_str_eq(run.out, "done\n", "%s%s", run.out, run.err);
	WARREN_OK(&playground, "run", "-d", "--name", "inside", "host", "--", "sleep", "1000");
	auto_run exec = WARREN(&playground, "exec", "inside", "sh", "-c", secrets_script);
	cr_expect_str_eq(exec.out, "done\n", "%s%s", exec.out, exec.err);
	auto_run shell = playground_warren(&playground, (const char *const[]){"shell", "inside", NULL},
		&(struct run_options){.input = secrets_script});
	cr_expect_str_eq(shell.out, "done\n", "%s%s", shell.out, shell.err);
	umount2("/etc", MNT_DETACH);
	umount2(fakes.path, MNT_DETACH);
}

TEST(isolation, abstract_sockets_of_the_host_are_not_there, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_fd listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	static const char name[] = MARK;

	memcpy(address.sun_path + 1, name, strlen(name));
	cr_assert(bind(listener, (struct sockaddr *)&address,
			  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))) == 0);
	cr_assert(listen(listener, 4) == 0);
	instance_start(&playground, "inside");
	FOR_EACH_WAY(way)
	{
		auto_run run = probe_by(&playground, way, "abstract " MARK);

		cr_assert_str_eq(run.out, "refused\n", "%s: %s%s", way_names[way], run.out, run.err);
	}
	auto_run table = WARREN(&playground, "exec", "inside", "cat", "/proc/net/unix");
	cr_assert(table.status == 0 && !strstr(table.out, MARK), "%s", table.out);
}
