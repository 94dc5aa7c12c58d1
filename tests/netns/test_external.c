/* Network namespaces by path: what is taken, what is refused. */
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tests/netns/support_world.h"

TEST(external, namespaces_are_opened_by_path)
{
	NEEDS_ROOT();
	auto_fd made = netns_new();
	auto_free char *path = text_format("/proc/%d/fd/%d", getpid(), made);
	struct stat expected, found;
	struct error err;

	auto_fd netns = netns_open(path, &err);
	cr_assert(netns >= 0, "%s", err.text);
	cr_assert(fstat(made, &expected) == 0 && fstat(netns, &found) == 0 && found.st_ino == expected.st_ino);
}

TEST(external, what_is_none_is_refused)
{
	NEEDS_ROOT();
	static const struct {
		const char *path;
		enum error_kind kind;
		const char *message;
	} rows[] = {
		{"run/netns/blue", ERROR_USAGE, "ns:run/netns/blue: network namespace"},
		{"/proc/self/ns/net", ERROR_USAGE,
			"ns:/proc/self/ns/net: is the host's own network; say \"host\" if that is meant"},
		{"/proc/self/ns/mnt", ERROR_USAGE, "ns:/proc/self/ns/mnt: is no network namespace"},
		{"/etc/passwd", ERROR_USAGE, "ns:/etc/passwd: is no network namespace"},
		{"/run/warren-no-such-namespace", ERROR_MISSING, "ns:/run/warren-no-such-namespace: no such file"},
	};
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ASSERT_FAILS(netns_open(rows[i].path, &err), rows[i].kind, rows[i].message);
}

/* A place where somebody else could put another namespace. */
TEST(external, a_way_that_is_not_roots_alone_is_refused)
{
	NEEDS_ROOT();
	char directory[] = "/run/warren-test-XXXXXX";
	struct error err;

	cr_assert(mkdtemp(directory));
	auto_free char *path = text_format("%s/ns", directory);
	auto_free char *target = text_format("/proc/%d/ns/uts", getpid());
	cr_assert(symlink(target, path) == 0);
	cr_assert(chmod(directory, 0777) == 0);
	ASSERT_FAILS(netns_open(path, &err), ERROR_USAGE, "may be written by others than root");
	cr_assert(chmod(directory, 0755) == 0 && chown(directory, 65534, 0) == 0);
	ASSERT_FAILS(netns_open(path, &err), ERROR_USAGE, "belongs to user 65534");
	cr_assert(chown(directory, 0, 0) == 0);
	ASSERT_FAILS(netns_open(path, &err), ERROR_USAGE, "is no network namespace");
	cr_assert(unlink(path) == 0 && rmdir(directory) == 0);
}
