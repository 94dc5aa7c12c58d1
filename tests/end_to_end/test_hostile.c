/* An instance whose root user works against the host: with files that commands of the host read, with links where the
 * next start will mount. */
#include <dirent.h>
#include <sys/stat.h>

#include "base/process.h"
#include "base/text.h"
#include "tests/end_to_end/support_ways.h"
#include "tests/test.h"

#define PATIENCE_MS SLOWLY(10000)

/* --- whom a command runs as --------------------------------------------------------------------------------------- */

static const struct {
	const char *user;
	int status;
	const char *uid; /* NULL: refused */
} users[] = {
	{"0", 0, "0\n"},
	{"1", 0, "1\n"},
	{"65535", 0, "65535\n"},
	{"65536", 2, NULL}, /* beyond the instance's range */
	{"-1", 2, NULL},
	{"4294967295", 2, NULL},
	{"4294967296", 2, NULL},
	{"18446744073709551616", 2, NULL},
	{"0x0", 2, NULL},
	{"00", 2, NULL},
	{" 0", 2, NULL},
	{"1e3", 2, NULL},
	{"0:-1", 2, NULL},
	{"0:4294967296", 2, NULL},
	{"nobodyknows", 3, NULL},
	/* of the instance's own passwd */
	{"1000", 0, "1000\n"}, /* a number is never looked up as a name */
	{"large", 2, NULL},
	{"negative", 2, NULL},
};

TEST(hostile, users_are_who_they_are_said_to_be, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();

	instance_start(&playground, "inside");
	WARREN_OK(&playground, "exec", "inside", "sh", "-c",
		"printf '1000:x:0:0::/:/bin/sh\\nlarge:x:4294967296:0::/:/bin/sh\\nnegative:x:-1:0::/:/bin/sh\\n'"
		" >> /etc/passwd");
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		auto_run run = WARREN(&playground, "exec", "-u", users[i].user, "inside", "id", "-u");

		cr_expect_str_eq(run.out, users[i].uid ? users[i].uid : "", "-u \"%s\": %s", users[i].user, run.out);
		cr_expect((run.status == 0) == (users[i].status == 0), "-u \"%s\": status %d: %s", users[i].user,
			run.status, run.err);
	}
}

/* --- what commands of the host read ------------------------------------------------------------------------------- */

static const char *const passwd_tricks[] = {"mkfifo /etc/passwd", "ln -s /dev/zero /etc/passwd",
	"ln -s /proc/self/fd/0 /etc/passwd", "ln -s /etc/passwd /etc/passwd",
	"ln -s ../../../../../../../../../../etc/passwd /etc/passwd", "truncate -s 3G /etc/passwd", "mkdir /etc/passwd",
	"yes : | head -c 4M > /etc/passwd"};

/* Runs to its end in time, whatever comes out of it. */
static int status_in_time(struct playground *playground, const char *trick, const char *const *words)
{
	struct run_options options = {.timeout_ms = PATIENCE_MS};
	auto_run run = playground_warren(playground, words, &options);

	cr_expect(!run.timed_out, "%s after %s does not end", words[0], trick);
	return run.status;
}

TEST(hostile, passwd_holds_up_no_command, .fini = playground_rescue, .timeout = SLOWLY(300))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground playground = playground_new();
	const char *by_name[] = {"exec", "-u", "www-data", "inside", "id", NULL};
	const char *plain[] = {"exec", "inside", "true", NULL}, *restart[] = {"restart", "inside", NULL};

	WARREN_OK(&playground, "run", "-d", "--stop-signal", "KILL", "--name", "inside", "host", "--", "sleep", "1000");
	for (size_t i = 0; i < ARRAY_SIZE(passwd_tricks); i++) {
		auto_free char *script = text_format("rm -rf /etc/passwd; %s", passwd_tricks[i]);

		WARREN_OK(&playground, "exec", "inside", "sh", "-c", script);
		cr_expect(status_in_time(&playground, passwd_tricks[i], by_name) != 0, "%s", passwd_tricks[i]);
		cr_expect(status_in_time(&playground, passwd_tricks[i], plain) == 0, "%s", passwd_tricks[i]);
		cr_expect(status_in_time(&playground, passwd_tricks[i], restart) == 0, "%s", passwd_tricks[i]);
	}
}

/* --- where the next start mounts ---------------------------------------------------------------------------------- */

static int entries_of(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int count = 0;

	cr_assert(dir, "%s", path);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

/* The directories above a volume are the instance's own: it may move them away and put links there. The next start
 * follows a link inside only, or is refused. rename(2) by perl: mv(1) would copy and delete where it fails. */
TEST(hostile, links_lead_no_mount_out_of_the_instance, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	auto_playground playground = playground_new();
	auto_directory shared = run_directory_new(), target = run_directory_new();
	static const char *const places[] = {"/srv/one", "/srv/one/two", "/data"};
	const char *one = arena_format(&playground.arena, "%s:/srv/one/two/three", shared.path);
	const char *two = arena_format(&playground.arena, "%s:/data/deep", shared.path);

	cr_assert(chmod(target.path, 0777) == 0);
	run_write_file(shared.path, "here", 0644, "volume\n");
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		auto_free char *script = text_format("rename '%s', '%s.moved' and "
						     "symlink '../../../../../../../../../..%s', '%s' or die $!",
			places[i], places[i], target.path, places[i]);

		WARREN_OK(&playground, "run", "-d", "--stop-signal", "KILL", "--name", "inside", "-v", one, "-v", two,
			"host", "--", "sleep", "1000");
		WARREN_OK(&playground, "exec", "inside", "perl", "-e", script);
		WARREN_OK(&playground, "stop", "inside");
		auto_run start = WARREN(&playground, "start", "inside");
		cr_expect(start.status == 0 || start.err_length > 0);
		cr_expect(entries_of(target.path) == 0, "something was made in %s by %s", target.path, places[i]);
		cr_expect(entries_of(shared.path) == 1, "the volume changed by %s", places[i]);
		WARREN_OK(&playground, "rm", "-f", "inside");
	}
}
