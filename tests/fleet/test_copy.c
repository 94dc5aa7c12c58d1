/* cp into instances and out of them, running or not, and against those that set traps. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "support_host.h"

struct bench {
	struct test_host test;
	char path[80]; /* of a directory of the host's */
	int dir;
};

static void bench_open(struct bench *bench)
{
	test_host_open(&bench->test);
	snprintf(bench->path, sizeof(bench->path), "/tmp/warren-copy-XXXXXX");
	cr_assert(mkdtemp(bench->path));
	bench->dir = open(bench->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void bench_close(struct bench *bench)
{
	struct error err;

	fd_drop(&bench->dir);
	ASSERT_OK(tree_remove(AT_FDCWD, bench->path, &err));
	test_host_close(&bench->test);
}

static void file_put(int dir, const char *path, const char *content, uid_t owner, mode_t mode)
{
	auto_fd fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert(fd >= 0 && write_all(fd, content, strlen(content)) == 0);
	cr_assert(fchown(fd, owner, owner) == 0 && fchmod(fd, mode) == 0);
}

static int copy(struct bench *bench, bool into, bool archive, const char *inner, const char *outer, struct error *err)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", bench->path, outer);
	return instance_copy(&bench->test.host,
		&(struct copy_request){
			.instance = "one", .inner_path = inner, .host_path = path, .into = into, .archive = archive},
		err);
}

static const char *text_of(struct bench *bench, const char *path)
{
	const char *text;
	struct error err;

	ASSERT_OK(file_read(&bench->test.arena, bench->dir, path, 4096, &text, NULL, &err));
	return text;
}

static struct stat look(struct bench *bench, const char *path)
{
	struct stat about;

	cr_assert(fstatat(bench->dir, path, &about, AT_SYMLINK_NOFOLLOW) == 0, "%s: %m", path);
	return about;
}

/* site/{page (33:33, 0644), tool (0:0, 04755), link → page, deep/file} */
static void site_make(struct bench *bench)
{
	cr_assert(mkdirat(bench->dir, "site", 0755) == 0 && mkdirat(bench->dir, "site/deep", 0700) == 0);
	file_put(bench->dir, "site/page", "page\n", 33, 0644);
	file_put(bench->dir, "site/tool", "tool\n", 0, 04755);
	file_put(bench->dir, "site/deep/file", "deep\n", 0, 0600);
	cr_assert(symlinkat("page", bench->dir, "site/link") == 0);
}

static void assert_round_trip(struct bench *bench)
{
	struct error err;

	/* A name that is not there yet; then one that is a directory. */
	ASSERT_OK(copy(bench, true, false, "/root/web", "site", &err));
	ASSERT_OK(copy(bench, true, true, "/root", "site", &err));
	ASSERT_OK(copy(bench, false, true, "/root/web", "plain", &err));
	ASSERT_OK(copy(bench, false, true, "/root/site", "kept", &err));
	cr_assert_str_eq(text_of(bench, "plain/deep/file"), "deep\n");
	cr_assert_eq(look(bench, "plain/page").st_uid, 0, "the instance's root");
	cr_assert_eq(look(bench, "kept/page").st_uid, 33);
	cr_assert_eq(look(bench, "kept/tool").st_mode, S_IFREG | 0755, "no set-id bit comes out");
	cr_assert(S_ISLNK(look(bench, "kept/link").st_mode));
	cr_assert_eq(look(bench, "kept/deep").st_mode, S_IFDIR | 0700);
	/* The content only, and a single file under another name. */
	cr_assert(mkdirat(bench->dir, "flat", 0755) == 0);
	ASSERT_OK(copy(bench, false, false, "/root/site/.", "flat", &err));
	cr_assert_str_eq(text_of(bench, "flat/page"), "page\n");
	cr_assert_eq(look(bench, "flat/page").st_uid, 0);
	ASSERT_OK(copy(bench, false, false, "root/site/page", "flat/named", &err));
	cr_assert_str_eq(text_of(bench, "flat/named"), "page\n");
}

static void assert_refusals(struct bench *bench)
{
	struct error err;

	ASSERT_FAILS(copy(bench, false, false, "/root/none", "x", &err), ERROR_MISSING, "in the instance: /root/none");
	ASSERT_FAILS(copy(bench, true, false, "/root/no/where", "site/page", &err), ERROR_MISSING, "/root/no/");
	ASSERT_FAILS(copy(bench, true, false, "/root/absent/", "site/page", &err), ERROR_MISSING, "no such directory");
	ASSERT_FAILS(
		copy(bench, true, false, "/root/web/page", "site", &err), ERROR_SYSTEM, "no directory is in its place");
	ASSERT_FAILS(copy(bench, true, false, "/root", "absent", &err), ERROR_MISSING, "absent");
	ASSERT_FAILS(instance_copy(&bench->test.host,
			     &(struct copy_request){.instance = "none", .inner_path = "/", .host_path = "/tmp"}, &err),
		ERROR_MISSING, "no instance \"none\"");
}

TEST(copy, files_go_into_a_stopped_instance_and_come_out_as_they_were, .timeout = SLOWLY(60))
{
	struct bench bench;
	struct error err;

	bench_open(&bench);
	struct instance_spec spec = test_spec(&bench.test, "one", "stat -c '%u %a' /root/site/page /root/site/tool");
	ASSERT_OK(instance_create(&bench.test.host, &spec, &err));
	site_make(&bench);
	assert_round_trip(&bench);
	assert_refusals(&bench);
	ASSERT_OK(instance_start(&bench.test.host, "one", &(struct start_options){0}, &err));
	test_await_log(&bench.test, "one", "33 644\n0 4755\n");
	bench_close(&bench);
}

TEST(copy, files_go_into_a_running_instance_as_its_own_ids, .timeout = SLOWLY(60))
{
	struct bench bench;

	bench_open(&bench);
	struct instance_spec spec = test_spec(&bench.test, "one",
		"echo up; until [ -e /root/go ]; do sleep 0.1; done; stat -c '%u %a' /root/site/page /root/site/tool "
		"/root/web/page; exec sleep 1000");
	struct error err;

	test_run(&bench.test, &spec);
	test_await_log(&bench.test, "one", "up\n");
	site_make(&bench);
	assert_round_trip(&bench);
	assert_refusals(&bench);
	ASSERT_OK(copy(&bench, true, false, "/root/go", "site/page", &err));
	test_await_log(&bench.test, "one", "33 644\n0 4755\n0 644\n");
	bench_close(&bench);
}

/* Everything leads to the host's files, were it followed there. */
static const char traps[] = "mkdir /root/in /root/out; ln -s %s/secret /root/out/file; ln -s %s /root/out/dir; ln -s "
			    "%s/secret /root/in/page;"
			    "ln -s %s /root/in/deep; ln -s /proc/1/root%s /root/magic; ln -s ../../../../../..%s "
			    "/root/up; mknod /root/out/fifo p;"
			    "ln -s /proc/sys/kernel /root/kernel; echo set; exec sleep 1000";

TEST(copy, links_of_an_instance_lead_nowhere_but_into_it, .timeout = SLOWLY(60))
{
	struct bench bench;
	struct error err;

	bench_open(&bench);
	const char *p = bench.path;
	struct instance_spec spec =
		test_spec(&bench.test, "one", arena_format(&bench.test.arena, traps, p, p, p, p, p, p));
	test_run(&bench.test, &spec);
	test_await_log(&bench.test, "one", "set\n");
	file_put(bench.dir, "secret", "secret\n", 0, 0600);
	site_make(&bench);
	/* Out: links come as links, nothing behind them. */
	ASSERT_OK(copy(&bench, false, false, "/root/out", "got", &err));
	cr_assert(S_ISLNK(look(&bench, "got/file").st_mode) && S_ISLNK(look(&bench, "got/dir").st_mode));
	cr_assert(faccessat(bench.dir, "got/fifo", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
	ASSERT_FAILS(copy(&bench, false, false, "/root/up/secret", "x", &err), ERROR_MISSING, "in the instance");
	ASSERT_FAILS(copy(&bench, false, false, "/root/out/dir/secret", "x", &err), ERROR_MISSING, "in the instance");
	cr_assert(copy(&bench, false, false, "/proc/1/root/etc/hosts", "x", &err) < 0, "a magic link is not followed");
	/* In: a link in the place of a file is replaced, one in the place of a directory refused. */
	ASSERT_FAILS(
		copy(&bench, true, false, "/root/in", "site/.", &err), ERROR_SYSTEM, "no directory is in its place");
	cr_assert_str_eq(text_of(&bench, "secret"), "secret\n");
	cr_assert(faccessat(bench.dir, "file", F_OK, 0) < 0, "the content of deep is not here");
	ASSERT_OK(copy(&bench, true, false, "/root/in/page", "site/page", &err));
	cr_assert_str_eq(text_of(&bench, "secret"), "secret\n");
	ASSERT_FAILS(copy(&bench, true, false, "/root/up/x", "site/page", &err), ERROR_MISSING, "in the instance");
	cr_assert(copy(&bench, true, false, "/root/magic/x", "site/page", &err) < 0);
	ASSERT_FAILS(copy(&bench, true, false, "/root/kernel/domainname", "site/page", &err), ERROR_USAGE,
		"the kernel's own");
	bench_close(&bench);
}

TEST(copy, links_of_the_host_s_side_are_not_followed_below_what_was_named, .timeout = SLOWLY(60))
{
	struct bench bench;
	struct error err;

	bench_open(&bench);
	struct instance_spec spec = test_spec(&bench.test, "one", "exec sleep 1000");
	ASSERT_OK(instance_create(&bench.test.host, &spec, &err));
	site_make(&bench);
	ASSERT_OK(copy(&bench, true, false, "/root/site", "site", &err));
	/* Where the copy wants a directory, somebody has put a link to another. */
	cr_assert(mkdirat(bench.dir, "target", 0755) == 0 && mkdirat(bench.dir, "elsewhere", 0755) == 0);
	cr_assert(symlinkat("../elsewhere", bench.dir, "target/site") == 0);
	ASSERT_FAILS(
		copy(&bench, false, false, "/root/site", "target", &err), ERROR_SYSTEM, "no directory is in its place");
	cr_assert(faccessat(bench.dir, "elsewhere/page", F_OK, 0) < 0);
	bench_close(&bench);
}

static int copy_follow(struct bench *bench, bool into, const char *inner, const char *outer, struct error *err)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", bench->path, outer);
	return instance_copy(&bench->test.host,
		&(struct copy_request){
			.instance = "one", .inner_path = inner, .host_path = path, .into = into, .follow = true},
		err);
}

TEST(copy, a_followed_link_gives_what_it_leads_to_under_its_own_name_and_stays_inside, .timeout = SLOWLY(60))
{
	struct bench bench;
	struct error err;

	bench_open(&bench);
	const char *p = bench.path;
	struct instance_spec spec = test_spec(&bench.test, "one",
		arena_format(&bench.test.arena,
			"mkdir -p /root/releases/7; cd /root; echo seven > releases/7/page; ln -s releases/7 current; "
			"ln -s /root/current now; ln -s round round; ln -s %s/secret out; ln -s "
			"../../../../../..%s/secret up; "
			"ln -s page releases/7/index; echo set; exec sleep 1000",
			p, p));
	test_run(&bench.test, &spec);
	test_await_log(&bench.test, "one", "set\n");
	file_put(bench.dir, "secret", "secret\n", 0, 0600);
	cr_assert(mkdirat(bench.dir, "into", 0755) == 0);
	ASSERT_OK(copy_follow(&bench, false, "/root/now", "into", &err));
	cr_assert_str_eq(text_of(&bench, "into/now/page"), "seven\n");
	cr_assert(S_ISLNK(look(&bench, "into/now/index").st_mode), "only what was named is followed");
	ASSERT_OK(copy_follow(&bench, false, "/root/current/index", "into", &err));
	cr_assert(S_ISREG(look(&bench, "into/index").st_mode));
	cr_assert_str_eq(text_of(&bench, "into/index"), "seven\n");
	ASSERT_OK(copy(&bench, false, false, "/root/now", "into/plain", &err));
	cr_assert(S_ISLNK(look(&bench, "into/plain").st_mode));
	ASSERT_FAILS(copy_follow(&bench, false, "/root/round", "into", &err), ERROR_SYSTEM, "/root/round");
	ASSERT_FAILS(copy_follow(&bench, false, "/root/out", "into", &err), ERROR_MISSING, "in the instance");
	ASSERT_FAILS(copy_follow(&bench, false, "/root/up", "into", &err), ERROR_MISSING, "in the instance");
	/* The host's links are the user's own. */
	cr_assert(symlinkat("secret", bench.dir, "link") == 0);
	ASSERT_OK(copy_follow(&bench, true, "/root", "link", &err));
	ASSERT_OK(copy(&bench, false, false, "/root/link", "again", &err));
	cr_assert_str_eq(text_of(&bench, "again"), "secret\n");
	bench_close(&bench);
}

/* A directory that is a link to the host's every other moment. */
static const char exchange[] =
	"mkdir /root/a; echo set; cd /root; while :; do mkdir a/t; echo own > a/t/secret; usleep 1000; rm -rf a/t; "
	"ln -s %s/victim a/t; usleep 1000; rm -rf a/t; done 2>/dev/null";

TEST(copy, an_exchange_of_directories_and_links_meanwhile_reaches_nothing, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	struct bench bench;
	struct error err;
	unsigned went = 0, refused = 0;

	bench_open(&bench);
	struct instance_spec spec =
		test_spec(&bench.test, "one", arena_format(&bench.test.arena, exchange, bench.path));
	test_run(&bench.test, &spec);
	test_await_log(&bench.test, "one", "set\n");
	site_make(&bench);
	cr_assert(mkdirat(bench.dir, "victim", 0755) == 0);
	file_put(bench.dir, "victim/secret", "secret\n", 0, 0600);
	/* Until both were met often enough. */
	for (unsigned i = 0; went < 20 || refused < 20; i++) {
		char got[16];

		snprintf(got, sizeof(got), "got%u", i);
		if (copy(&bench, true, false, "/root/a/t/", "site/.", &err) == 0)
			went++;
		else
			refused++;
		(void)!copy(&bench, true, false, "/root/a/t/page", "site/page", &err);
		if (copy(&bench, false, false, "/root/a", got, &err) < 0)
			continue;
		auto_free char *path = text_format("%s/t/secret", got);
		if (faccessat(bench.dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			cr_assert(S_ISLNK(look(&bench, arena_format(&bench.test.arena, "%s/t", got)).st_mode) ||
				  strcmp(text_of(&bench, path), "secret\n") != 0);
	}
	cr_assert(faccessat(bench.dir, "victim/page", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
	cr_assert_str_eq(text_of(&bench, "victim/secret"), "secret\n");
	bench_close(&bench);
}
