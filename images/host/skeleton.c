/* The host image's own tree: everything but /usr, from a white list.
 *
 * It is never a copy of the host's /etc with some files left out: each file is generated here, or comes from /usr, or
 * is one of the few named public files, or is a package's configuration file that is still exactly the package's. */
#include "images/host/skeleton.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "images/files/everybody.h"
#include "images/host/dpkg.h"
#include "images/host/host_image.h"
#include "images/overlay/tree.h"

#define COPY_MAX (4 << 20)
#define LD_CONFIGURATION "/etc/ld.so.conf.d"
#define SHADOW_GROUP 42

/* --- top directories ---------------------------------------------------------------------------------------------- */

static const struct {
	const char *path;
	mode_t mode;
	gid_t gid;
} directories[] = {
	{"/dev", 0755, 0},
	{"/proc", 0555, 0},
	{"/sys", 0555, 0},
	{"/run", 0755, 0},
	{"/tmp", 01777, 0},
	{"/usr", 0755, 0},
	{"/etc", 0755, 0},
	{IMAGE_HOSTS_DIRECTORY, 0755, 0},
	{"/root", 0700, 0},
	{"/home", 0755, 0},
	{"/mnt", 0755, 0},
	{"/media", 0755, 0},
	{"/opt", 0755, 0},
	{"/srv", 0755, 0},
	{"/boot", 0755, 0},
	{"/var", 0755, 0},
	{"/var/backups", 0755, 0},
	{"/var/cache", 0755, 0},
	{"/var/lib", 0755, 0},
	{"/var/local", 02775, 50},
	{"/var/log", 0755, 0},
	{"/var/mail", 02775, 8},
	{"/var/opt", 0755, 0},
	{"/var/spool", 0755, 0},
	{"/var/tmp", 01777, 0},
	{"/var/www", 0755, 0},
	{"/var/www/html", 0755, 0},
};

static const struct {
	const char *path, *target;
} links[] = {
	{"/bin", "usr/bin"},
	{"/sbin", "usr/sbin"},
	{"/lib", "usr/lib"},
	{"/var/run", "/run"},
	{"/var/lock", "/run/lock"},
	{"/etc/mtab", "../proc/self/mounts"},
	{"/etc/hosts", IMAGE_HOSTS_LINK},
};

/* Made only where the host has them: which ones depends on the machine. */
static const char *const host_links[] = {"/lib64", "/lib32", "/libx32"};

/* The host's /bin and so on must be links into /usr, for ours are. */
static int merged_usr_check(int host, struct error *err)
{
	static const char *const paths[] = {"/bin", "/sbin", "/lib"};
	struct stat about;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		auto_fd fd = path_try_open(host, paths[i], O_PATH | O_NOFOLLOW, 0);

		if (fd < 0 || fstat(fd, &about) < 0)
			return fail_errno(err, "look at the host's %s", paths[i]);
		if (!S_ISLNK(about.st_mode))
			return fail(err, ERROR_SYSTEM,
				"image \"%s\": the host's %s is not a link into /usr; install the package usrmerge",
				IMAGE_HOST, paths[i]);
	}
	return 0;
}

static int host_link_make(struct skeleton *skeleton, const char *path, struct error *err)
{
	auto_fd fd = path_try_open(skeleton->host, path, O_PATH | O_NOFOLLOW, 0);
	auto_free char *target = text_format("usr%s", path);
	struct stat about;

	if (fd < 0 || fstat(fd, &about) < 0 || !S_ISLNK(about.st_mode))
		return 0;
	return tree_link(skeleton->root, path, target, err);
}

int skeleton_layout(struct skeleton *skeleton, struct error *err)
{
	if (merged_usr_check(skeleton->host, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		if (tree_directory(
			    skeleton->root, directories[i].path, directories[i].mode, 0, directories[i].gid, err) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (tree_link(skeleton->root, links[i].path, links[i].target, err) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(host_links); i++)
		if (host_link_make(skeleton, host_links[i], err) < 0)
			return -1;
	return 0;
}

/* --- generated files ---------------------------------------------------------------------------------------------- */

static const struct {
	const char *path, *content;
} texts[] = {
	{"/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n"
			       "protocols: files\nservices: files\nethers: files\nrpc: files\n"},
	{IMAGE_HOSTS_DIRECTORY "/hosts", IMAGE_HOSTS_TEXT},
	{"/etc/hostname", "localhost\n"},
	{"/etc/shells", "/bin/sh\n/usr/bin/sh\n/bin/bash\n/usr/bin/bash\n"},
	{"/etc/host.conf", "multi on\n"},
	{"/etc/environment", ""},
};

/* Where the host has neither the package's file nor the one in /usr. */
static const struct {
	const char *path, *content;
} fallback_texts[] = {
	{"/etc/profile", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nexport PATH\n"
			 "if [ -n \"$BASH\" ] && [ -r /etc/bash.bashrc ]; then . /etc/bash.bashrc; fi\n"},
	{"/etc/bash.bashrc", "[ -z \"$PS1\" ] && return\nshopt -s checkwinsize\nPS1='\\u@\\h:\\w\\$ '\n"},
	{"/etc/services", "http\t80/tcp\nhttps\t443/tcp\ndomain\t53/tcp\ndomain\t53/udp\n"},
	{"/etc/protocols", "ip\t0\tIP\nicmp\t1\tICMP\ntcp\t6\tTCP\nudp\t17\tUDP\nipv6-icmp\t58\tIPv6-ICMP\n"},
};

/* What packages' set-up scripts copy out of /usr. */
static const struct {
	const char *from, *to;
} usr_copies[] = {
	{"/usr/share/base-files/profile", "/etc/profile"},
	{"/usr/share/base-files/dot.bashrc", "/root/.bashrc"},
	{"/usr/share/base-files/dot.profile", "/root/.profile"},
	{"/usr/share/nginx/html/index.html", "/var/www/html/index.nginx-debian.html"},
	{"/usr/share/apache2/default-site/index.html", "/var/www/html/index.html"},
};

/* Public files of the host that no package owns, or that differ from host to host for a good reason. */
static const char *const host_copies[] = {
	"/etc/ld.so.cache",
	"/etc/ld.so.conf",
	"/etc/localtime",
	"/etc/timezone",
	"/etc/default/locale",
	"/etc/debian_version",
	"/etc/os-release",
	"/etc/services",
	"/etc/protocols",
	"/etc/mime.types",
	"/etc/ssl/certs/ca-certificates.crt",
};

static int text_make(struct skeleton *skeleton, const char *path, mode_t mode, const char *content, struct error *err)
{
	path_set_add(skeleton->arena, &skeleton->taken, path);
	return tree_file(skeleton->root, path, mode, content, strlen(content), err);
}

static int copy_make(struct skeleton *skeleton, const char *from, const char *to, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *content;
	size_t length;
	mode_t mode;

	if (!everybody_read(&arena, skeleton->host, from, COPY_MAX, &content, &length, &mode))
		return 0;
	path_set_add(skeleton->arena, &skeleton->taken, to);
	return tree_file(skeleton->root, to, mode, content, length, err);
}

/* The loader's directories beyond the packages' own, in step with the copied cache. */
static int loader_directories_copy(struct skeleton *skeleton, struct error *err)
{
	struct strings names = {0};
	auto_fd dir = everybody_open(skeleton->host, LD_CONFIGURATION, O_RDONLY | O_DIRECTORY);

	if (dir < 0)
		return 0;
	if (dir_list(skeleton->arena, dir, 1024, &names, err) < 0)
		return blame(err, "list %s", LD_CONFIGURATION);
	for (size_t i = 0; i < names.count; i++) {
		const char *path = arena_format(skeleton->arena, "%s/%s", LD_CONFIGURATION, names.items[i]);

		if (text_ends_with(path, ".conf") && copy_make(skeleton, path, path, err) < 0)
			return -1;
	}
	return 0;
}

static int shadow_file_make(struct skeleton *skeleton, struct error *err)
{
	static const char path[] = "/etc/shadow";

	if (text_make(skeleton, path, 0640, text_string(&skeleton->accounts.shadow), err) < 0)
		return -1;
	if (fchownat(skeleton->root, path + 1, 0, SHADOW_GROUP, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, "give %s to its group", path);
	return 0;
}

static int account_files_make(struct skeleton *skeleton, struct error *err)
{
	if (text_make(skeleton, "/etc/passwd", 0644, text_string(&skeleton->accounts.passwd), err) < 0 ||
		text_make(skeleton, "/etc/group", 0644, text_string(&skeleton->accounts.group), err) < 0)
		return -1;
	return shadow_file_make(skeleton, err);
}

static int resolver_make(struct skeleton *skeleton, struct error *err)
{
	AUTO(text_drop) struct text text = {0};

	resolver_text(skeleton->arena, skeleton->host, &text);
	return text_make(skeleton, "/etc/resolv.conf", 0644, text_string(&text), err);
}

int skeleton_files(struct skeleton *skeleton, struct error *err)
{
	if (account_files_make(skeleton, err) < 0 || resolver_make(skeleton, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (text_make(skeleton, texts[i].path, 0644, texts[i].content, err) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(usr_copies); i++)
		if (copy_make(skeleton, usr_copies[i].from, usr_copies[i].to, err) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(host_copies); i++)
		if (copy_make(skeleton, host_copies[i], host_copies[i], err) < 0)
			return -1;
	return loader_directories_copy(skeleton, err);
}

static int fallbacks_make(struct skeleton *skeleton, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(fallback_texts); i++)
		if (text_make(skeleton, fallback_texts[i].path, 0644, fallback_texts[i].content, err) < 0)
			return -1;
	return 0;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static void skeleton_drop(struct skeleton *skeleton)
{
	accounts_drop(&skeleton->accounts);
	arena_drop(skeleton->arena);
}

int skeleton_make(int host, int root, struct error *err)
{
	struct arena arena = {0};
	AUTO(skeleton_drop) struct skeleton skeleton = {.host = host, .root = root, .arena = &arena};

	if (accounts_make(&arena, host, &skeleton.accounts, err) < 0 ||
		dpkg_paths(&arena, host, &skeleton.paths, err) < 0)
		return -1;
	if (skeleton_layout(&skeleton, err) < 0 || skeleton_files(&skeleton, err) < 0 ||
		skeleton_conffiles(&skeleton, err) < 0 || fallbacks_make(&skeleton, err) < 0 ||
		skeleton_etc_tree(&skeleton, err) < 0 || skeleton_var_tree(&skeleton, err) < 0)
		return -1;
	return 0;
}
