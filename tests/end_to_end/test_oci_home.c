/* warren-oci from the outside: HOME of a process whose specification names none. tests/runtime/test_home.c has the
 * shapes of the file that it is taken from. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/end_to_end/support_bundle.h"
#include "tests/test.h"

#define ASSERT_PRINTS(run, expected)                                                                                   \
	cr_assert((run).status == 0 && strcmp((run).out, expected) == 0, "status %d: %s%s", (run).status, (run).out,   \
		(run).err)

static void users_write(const struct bundle *bundle, const char *words)
{
	auto_free char *root = text_format("%s/rootfs", bundle->path);

	run_write_file(root, "etc/passwd", 0644, words);
}

TEST(oci_home, is_what_the_image_says_of_the_user)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	users_write(&bundle, "root:x:0:0::/elsewhere:/bin/sh\nweb:x:1000:1000::/srv/web:/bin/sh\n");
	BUNDLE_WRITE(&bundle, .script = "echo $HOME", .process = "\"user\": {\"uid\": 1000, \"gid\": 1000}");
	auto_run user = OCI(&bundle, "run", "ID");
	ASSERT_PRINTS(user, "/srv/web\n");
	BUNDLE_WRITE(&bundle, .script = "echo $HOME");
	auto_run root = OCI(&bundle, "run", "ID");
	ASSERT_PRINTS(root, "/root\n");
}

TEST(oci_home, is_found_by_exec_too)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();

	users_write(&bundle, "web:x:1000:1000::/srv/web:/bin/sh\n");
	BUNDLE_WRITE(&bundle, .script = "exec sleep 1000");
	auto_run run = OCI(&bundle, "run", "-d", "ID");
	cr_assert(run.status == 0, "%s", run.err);
	auto_run user = OCI(&bundle, "exec", "--user", "1000", "ID", "/bin/sh", "-c", "echo $HOME");
	ASSERT_PRINTS(user, "/srv/web\n");
	auto_run other = OCI(&bundle, "exec", "--user", "1001", "ID", "/bin/sh", "-c", "echo $HOME");
	ASSERT_PRINTS(other, "/\n");
	auto_run given =
		OCI(&bundle, "exec", "--user", "1000", "--env", "HOME=/given", "ID", "/bin/sh", "-c", "echo $HOME");
	ASSERT_PRINTS(given, "/given\n");
}

TEST(oci_home, of_a_file_that_is_none_is_the_root)
{
	NEEDS_ROOT();
	auto_bundle bundle = bundle_new();
	auto_free char *path = text_format("%s/rootfs/etc/passwd", bundle.path);

	users_write(&bundle, "");
	BUNDLE_WRITE(&bundle, .script = "echo $HOME", .process = "\"user\": {\"uid\": 1000, \"gid\": 1000}");
	cr_assert(unlink(path) == 0 && mkfifo(path, 0644) == 0);
	auto_run fifo = OCI(&bundle, "run", "ID");
	ASSERT_PRINTS(fifo, "/\n");
	cr_assert(unlink(path) == 0 && symlink("/dev/zero", path) == 0);
	auto_run device = OCI(&bundle, "run", "ID");
	ASSERT_PRINTS(device, "/\n");
	cr_assert(unlink(path) == 0 && symlink("../../../../../../proc/self/environ", path) == 0);
	auto_run itself = OCI(&bundle, "run", "ID");
	ASSERT_PRINTS(itself, "/\n");
}
