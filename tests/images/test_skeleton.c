/* The skeleton made from a host of the test's own, with traps in it. */
#include "images/host/skeleton.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "images/files/checksum.h"
#include "images/files/everybody.h"
#include "support_inside.h"

struct made {
	struct place place;
	struct text status, list;
	int root;
};

static void host_file(struct made *made, const char *path, mode_t mode, const char *content)
{
	auto_free char *below = text_format("host%s", path);
	place_put(&made->place, below, mode, content);
}

static void host_link(struct made *made, const char *path, const char *target)
{
	auto_free char *whole = text_format("%s/host%s", made->place.path, path);

	cr_assert(symlink(target, whole) == 0, "%s", whole);
}

static void conffile(struct made *made, const char *path, const char *packaged, const char *installed)
{
	char sum[MD5_TEXT_SIZE];

	md5_text(packaged, strlen(packaged), sum);
	text_appendf(&made->status, " %s %s\n", path, sum);
	text_appendf(&made->list, "%s\n", path);
	host_file(made, path, 0644, installed);
}

static void made_open(struct made *made)
{
	*made = (struct made){.root = -1};
	place_open(&made->place);
	cr_assert(chmod(made->place.path, 0755) == 0);
	text_append(&made->status, "Package: x\nStatus: install ok installed\nConffiles:\n");
	host_file(made, "/usr/bin/x", 0755, "");
	host_link(made, "/bin", "usr/bin");
	host_link(made, "/sbin", "usr/sbin");
	host_link(made, "/lib", "usr/lib");
}

static int made_make(struct made *made, struct error *err)
{
	struct everybody rights;
	int result;

	host_file(made, "/var/lib/dpkg/status", 0644, text_string(&made->status));
	host_file(made, "/var/lib/dpkg/info/x.list", 0644, text_string(&made->list));
	auto_fd host = openat(made->place.dir, "host", O_PATH | O_DIRECTORY | O_CLOEXEC);
	made->root = dir_create(made->place.dir, "root", 0755, err);
	cr_assert(host >= 0 && made->root >= 0);
	if (everybody_enter(&rights, err) < 0)
		return -1;
	result = skeleton_make(host, made->root, err);
	everybody_leave(&rights);
	return result;
}

static void made_drop(struct made *made)
{
	text_drop(&made->status);
	text_drop(&made->list);
	fd_drop(&made->root);
	place_drop(&made->place);
}

static bool has(const struct made *made, const char *path)
{
	return faccessat(made->root, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

TEST(skeleton, takes_a_conffile_only_when_it_is_the_package_s_to_the_last_byte)
{
	struct made made;
	struct error err;

	NEEDS_ROOT();
	made_open(&made);
	conffile(&made, "/etc/app/pristine", "original\n", "original\n");
	conffile(&made, "/etc/app/edited", "original\n", "password = secret\n");
	conffile(&made, "/etc/ssh/ssh_host_key", "original\n", "original\n");
	conffile(&made, "/etc/shadow", "original\n", "original\n");
	conffile(&made, "/etc/app/protected", "original\n", "original\n");
	host_file(&made, "/etc/app/protected", 0640, "original\n");
	conffile(&made, "/etc/app/hidden/file", "original\n", "original\n");
	auto_free char *hidden = text_format("%s/host/etc/app/hidden", made.place.path);
	cr_assert(chmod(hidden, 0700) == 0);
	conffile(&made, "/etc/app/key.pem", "-----BEGIN PRIVATE KEY-----\n", "-----BEGIN PRIVATE KEY-----\n");
	host_file(&made, "/etc/app/unknown", 0644, "of nobody\n");
	ASSERT_OK(made_make(&made, &err));
	cr_assert(has(&made, "etc/app/pristine"));
	cr_assert(!has(&made, "etc/app/edited"));
	cr_assert(!has(&made, "etc/ssh"));
	cr_assert(!has(&made, "etc/app/protected"));
	cr_assert(!has(&made, "etc/app/hidden/file"));
	cr_assert(!has(&made, "etc/app/key.pem"));
	cr_assert(!has(&made, "etc/app/unknown"));
	struct stat about;
	cr_assert(fstatat(made.root, "etc/shadow", &about, 0) == 0);
	cr_assert((about.st_mode & 0777) == 0640 && about.st_gid == 42);
	made_drop(&made);
}

TEST(skeleton, takes_links_only_to_what_is_in_the_image)
{
	struct made made;
	struct error err;
	char target[PATH_MAX] = "";

	NEEDS_ROOT();
	made_open(&made);
	conffile(&made, "/etc/app/available/default", "site\n", "site\n");
	conffile(&made, "/etc/app/available/mine", "site\n", "secret\n");
	text_append(&made.list, "/etc/app/enabled\n/etc/alternatives\n/etc/app\n");
	host_file(&made, "/etc/app/enabled/x", 0644, "");
	host_file(&made, "/etc/alternatives/README", 0644, "");
	host_link(&made, "/etc/app/enabled/default", "../available/default");
	host_link(&made, "/etc/app/enabled/absolute", "/etc/app/available/default");
	host_link(&made, "/etc/app/enabled/mine", "../available/mine");
	host_link(&made, "/etc/app/enabled/shadow", "/root/.ssh/id_rsa");
	host_link(&made, "/etc/app/enabled/up", "../../../../../../x");
	host_link(&made, "/etc/app/enabled/second", "default");
	host_link(&made, "/etc/alternatives/editor", "/usr/bin/vim");
	host_link(&made, "/etc/alternatives/local", "/usr/local/bin/tool");
	host_link(&made, "/etc/alternatives/climb", "/usr/../root/x");
	host_link(&made, "/etc/localtime", "/usr/share/zoneinfo/Etc/UTC");
	host_link(&made, "/etc/secret-link", "/srv/secret");
	ASSERT_OK(made_make(&made, &err));
	cr_assert(has(&made, "etc/app/enabled/default") && has(&made, "etc/app/enabled/absolute"));
	cr_assert(has(&made, "etc/app/enabled/second") && has(&made, "etc/alternatives/editor"));
	cr_assert(!has(&made, "etc/app/enabled/mine") && !has(&made, "etc/app/enabled/shadow"));
	cr_assert(!has(&made, "etc/app/enabled/up") && !has(&made, "etc/alternatives/local"));
	cr_assert(!has(&made, "etc/alternatives/climb") && !has(&made, "etc/secret-link"));
	cr_assert(readlinkat(made.root, "etc/localtime", target, sizeof(target) - 1) > 0);
	cr_assert_str_eq(target, "/usr/share/zoneinfo/Etc/UTC");
	made_drop(&made);
}

TEST(skeleton, makes_var_with_the_owners_names_inside_and_without_content)
{
	struct made made;
	struct error err;
	struct stat about;

	NEEDS_ROOT();
	made_open(&made);
	text_append(&made.list, "/var/log/app\n/var/lib/app\n/var/run/app\n/etc/other\n/var/cache/file\n");
	host_file(&made, "/var/log/app/access.log", 0644, "secret\n");
	host_file(&made, "/var/lib/app/db", 0600, "secret\n");
	host_file(&made, "/var/lib/other/data", 0600, "secret\n");
	host_file(&made, "/var/cache/file", 0644, "secret\n");
	host_file(&made, "/etc/other/x", 0644, "");
	host_file(&made, "/etc/passwd", 0644,
		"app:x:950:950::/:/bin/sh\nstranger:x:960:960::/:/bin/sh\nwww-data:x:33:33::/:\n");
	host_file(&made, "/etc/group", 0644, "app:x:950:\n");
	host_file(&made, "/usr/lib/sysusers.d/app.conf", 0644,
		"#comment\nu app 101 \"An app\" /var/lib/app\ng more -\nu bad:name 5\nu 1234 7\n");
	auto_free char *log = text_format("%s/host/var/log/app", made.place.path);
	auto_free char *lib = text_format("%s/host/var/lib/app", made.place.path);
	auto_free char *other = text_format("%s/host/var/lib/other", made.place.path);
	cr_assert(chown(log, 33, 4) == 0 && chmod(log, 02750) == 0);
	cr_assert(chown(lib, 950, 950) == 0 && chmod(lib, 0700) == 0);
	cr_assert(chown(other, 960, 960) == 0);
	ASSERT_OK(made_make(&made, &err));
	cr_assert(fstatat(made.root, "var/log/app", &about, 0) == 0);
	cr_assert(about.st_uid == 33 && about.st_gid == 4 && (about.st_mode & 07777) == 02750);
	cr_assert(!has(&made, "var/log/app/access.log") && !has(&made, "var/lib/app/db"));
	cr_assert(fstatat(made.root, "var/lib/app", &about, 0) == 0);
	cr_assert(about.st_uid == 101 && about.st_gid == 101 && (about.st_mode & 07777) == 0700, "%u", about.st_uid);
	cr_assert(fstatat(made.root, "var/lib/other", &about, 0) == 0 && about.st_uid == 0 && about.st_gid == 0);
	cr_assert(!has(&made, "var/cache/file"));
	cr_assert(readlinkat(made.root, "var/run", (char[9]){0}, 8) == 4);
	auto_free char *passwd = text_format("%s/root/etc/passwd", made.place.path);
	cr_assert(strstr(content_of(passwd), "\napp:x:101:101:An app:/var/lib/app:/usr/sbin/nologin\n"));
	cr_assert(!strstr(content_of(passwd), "stranger") && !strstr(content_of(passwd), "bad") &&
		  !strstr(content_of(passwd), "1234"));
	made_drop(&made);
}

TEST(skeleton, follows_no_link_of_the_host_out_of_its_root)
{
	struct made made;
	struct error err;

	NEEDS_ROOT();
	made_open(&made);
	host_file(&made, "/etc/x", 0644, "");
	host_link(&made, "/etc/services", "/secret");
	host_link(&made, "/etc/ld.so.cache", "../secret");
	host_file(&made, "/secret", 0644, "secret");
	auto_free char *fifo = text_format("%s/host/etc/protocols", made.place.path);
	cr_assert(mkfifo(fifo, 0644) == 0);
	ASSERT_OK(made_make(&made, &err));
	cr_assert(!has(&made, "etc/ld.so.cache"));
	auto_free char *services = text_format("%s/root/etc/services", made.place.path);
	cr_assert(strstr(content_of(services), "http\t80/tcp"));
	made_drop(&made);
}

TEST(skeleton, refuses_a_host_whose_directories_are_not_merged)
{
	struct made made;
	struct error err;

	NEEDS_ROOT();
	made_open(&made);
	auto_free char *lib = text_format("%s/host/lib", made.place.path);
	cr_assert(unlink(lib) == 0 && mkdir(lib, 0755) == 0);
	ASSERT_FAILS(made_make(&made, &err), ERROR_SYSTEM,
		"image \"host\": the host's /lib is not a link into /usr; install the package usrmerge");
	made_drop(&made);
}

TEST(skeleton, never_takes_the_identity_and_the_keys_of_the_host)
{
	static const char *const private[] = {"/etc/shadow", "/etc/gshadow", "/etc/ssh/sshd_config",
		"/etc/ssl/private/x", "/etc/machine-id", "/etc/sudoers.d/x", "/etc/ssh"};
	static const char *const public[] = {"/etc/nginx", "/etc/ssl/certs", "/etc/sshx", "/etc/passwd.d", "/etc"};

	for (size_t i = 0; i < ARRAY_SIZE(private); i++)
		cr_assert(etc_is_private(private[i]), "%s", private[i]);
	for (size_t i = 0; i < ARRAY_SIZE(public); i++)
		cr_assert(!etc_is_private(public[i]), "%s", public[i]);
}
