/* Roots as an instance sees them: in a user namespace of its own, with all capabilities there. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/path.h"
#include "support_inside.h"

struct instance {
	struct place place;
	struct inside inside;
	struct root_parts parts;
	struct root_request request;
	int dir;
};

static void instance_open(struct instance *instance, const char *image, const char *rootfs)
{
	struct error err;

	*instance = (struct instance){.dir = -1};
	place_open_with_host(&instance->place);
	inside_open(&instance->inside);
	instance->dir = place_instance(&instance->place, "one");
	instance->request = (struct root_request){.image = image,
		.rootfs = rootfs,
		.instance = instance->dir,
		.userns = instance->inside.userns,
		.id_base = ID_BASE};
	ASSERT_OK(root_create(&instance->place.session, &instance->request, &err));
}

static void instance_probe(struct instance *instance, void (*probe)(const void *), const void *argument)
{
	struct error err;

	ASSERT_OK(root_mount(&instance->place.session, &instance->request, &instance->parts, &err));
	inside_run(&instance->inside, &instance->parts, probe, argument);
	root_parts_drop(&instance->parts);
}

/* A second start of the same instance. */
static void instance_again(struct instance *instance)
{
	inside_drop(&instance->inside);
	inside_open(&instance->inside);
	instance->request.userns = instance->inside.userns;
}

static void instance_drop(struct instance *instance)
{
	inside_drop(&instance->inside);
	fd_drop(&instance->dir);
	place_drop(&instance->place);
}

/* --- nginx -------------------------------------------------------------------------------------------------------- */

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	auto_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	INSIDE(ioctl(fd, SIOCSIFFLAGS, &request) == 0);
}

/* As a daemon: the command returns once it listens. */
static void nginx_start(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execl("/usr/sbin/nginx", "nginx", NULL);
		_exit(127);
	}
	INSIDE(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void page_fetch(char page[4096])
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	auto_fd fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t used = 0;
	ssize_t got;

	INSIDE(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	INSIDE(write_all(fd, request, strlen(request)) == 0);
	while (used < 4095 && (got = read(fd, page + used, 4095 - used)) > 0)
		used += (size_t)got;
	page[used] = '\0';
}

static void probe_nginx(const void *nothing)
{
	char page[4096];

	(void)nothing;
	loopback_up();
	nginx_start();
	page_fetch(page);
	INSIDE(strstr(page, "200 OK") && strstr(page, "Welcome to nginx"));
}

TEST(root, nginx_of_the_host_serves_its_page)
{
	struct instance instance;

	NEEDS_ROOT();
	SKIP_UNLESS(access("/usr/sbin/nginx", X_OK) == 0, "nginx is not installed");
	instance_open(&instance, IMAGE_HOST, NULL);
	instance_probe(&instance, probe_nginx, NULL);
	instance_drop(&instance);
}

/* --- what the host image shows ------------------------------------------------------------------------------------ */

static bool is_empty(const char *path)
{
	struct arena arena = {0};
	struct strings names = {0};
	struct error err;
	auto_fd dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool empty = dir >= 0 && dir_list(&arena, dir, 1000, &names, &err) == 0 && names.count == 0;

	arena_drop(&arena);
	return empty;
}

static void probe_whitelist(const void *nothing)
{
	static const char *const empty[] = {"/usr/local", "/usr/src", "/usr/lib/modules", "/usr/lib/debug", "/home",
		"/srv", "/opt", "/mnt", "/boot", "/proc", "/sys"};
	static const char *const absent[] = {"/etc/gshadow", "/etc/machine-id", "/etc/ssh", "/etc/ssl/private",
		"/etc/sudoers", "/etc/shadow-", "/etc/passwd-", "/etc/fstab", "/etc/subuid", "/vmlinuz"};
	struct stat about;

	(void)nothing;
	for (size_t i = 0; i < ARRAY_SIZE(empty); i++)
		if (!is_empty(empty[i])) {
			fprintf(stderr, "%s is not empty\n", empty[i]);
			_exit(1);
		}
	for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
		if (access(absent[i], F_OK) == 0) {
			fprintf(stderr, "%s is there\n", absent[i]);
			_exit(1);
		}
	INSIDE(strstr(content_of("/etc/passwd"), "www-data:x:33:33:"));
	INSIDE(strstr(content_of("/etc/hosts"), "localhost"));
	INSIDE(strstr(content_of("/etc/os-release"), "ID="));
	INSIDE(access("/root/.bashrc", R_OK) == 0);
	INSIDE(stat("/", &about) == 0 && about.st_uid == 0 && (about.st_mode & 07777) == 0755);
	INSIDE(stat("/tmp", &about) == 0 && (about.st_mode & 07777) == 01777);
	INSIDE(stat("/etc/shadow", &about) == 0 && about.st_uid == 0 && about.st_gid == 42);
	/* Not idmapped: the host's root is nobody here. */
	INSIDE(stat("/usr/bin/env", &about) == 0 && about.st_uid == 65534);
	INSIDE(access("/bin/sh", X_OK) == 0 && access("/lib64", X_OK) == 0);
}

TEST(root, host_image_shows_the_white_list_and_nothing_else)
{
	struct instance instance;

	NEEDS_ROOT();
	instance_open(&instance, IMAGE_HOST, NULL);
	instance_probe(&instance, probe_whitelist, NULL);
	instance_drop(&instance);
}

/* Every account is locked; none but Debian's and the packages' own is there. */
static void probe_accounts(const void *nothing)
{
	auto_free char *shadow = text_format("%s", content_of("/etc/shadow"));

	(void)nothing;
	INSIDE(*shadow);
	for (char *save, *line = strtok_r(shadow, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		INSIDE(strncmp(strchr(line, ':'), ":*:", 3) == 0);
}

TEST(root, host_image_has_only_locked_accounts)
{
	struct instance instance;

	NEEDS_ROOT();
	instance_open(&instance, IMAGE_HOST, NULL);
	instance_probe(&instance, probe_accounts, NULL);
	instance_drop(&instance);
}

/* --- /usr cannot be written --------------------------------------------------------------------------------------- */

/* The four calls of an instance that keeps CAP_SYS_ADMIN: clear the flag, write, unmount, look below. */
static void probe_usr(const void *nothing)
{
	struct mount_attr writable = {.attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};

	(void)nothing;
	INSIDE(mount_setattr(AT_FDCWD, "/usr", 0, &writable, sizeof(writable)) == 0);
	INSIDE(open("/usr/trap", O_WRONLY | O_CREAT, 0644) < 0 && errno == EROFS);
	INSIDE(open("/usr/bin/env", O_WRONLY) < 0 && errno == EROFS);
	INSIDE(unlink("/usr/bin/env") < 0 && errno == EROFS);
	INSIDE(mkdir("/usr/local/trap", 0755) < 0 && errno == EROFS);
	INSIDE(mount("none", "/usr", NULL, MS_REMOUNT, NULL) < 0);
	INSIDE(umount2("/usr/local", MNT_DETACH) < 0 && errno == EINVAL);
	INSIDE(umount2("/usr", MNT_DETACH) == 0);
	INSIDE(is_empty("/usr"));
}

TEST(root, usr_is_not_writable_even_when_the_flag_is_cleared)
{
	struct instance instance;

	NEEDS_ROOT();
	instance_open(&instance, IMAGE_HOST, NULL);
	instance_probe(&instance, probe_usr, NULL);
	cr_assert(access("/usr/trap", F_OK) < 0, "a file appeared in the host's /usr");
	instance_drop(&instance);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void probe_write(const void *nothing)
{
	auto_fd fd = open("/srv/page", O_WRONLY | O_CREAT | O_CLOEXEC, 0640);

	(void)nothing;
	INSIDE(fd >= 0 && fchown(fd, 33, 33) == 0);
	INSIDE(mkdir("/etc/mine", 0750) == 0);
	INSIDE(chmod("/etc/passwd", 0600) == 0);
	INSIDE(unlink("/etc/services") == 0);
}

static void probe_written(const void *nothing)
{
	struct stat about;

	(void)nothing;
	INSIDE(stat("/srv/page", &about) == 0 && about.st_uid == 33 && about.st_gid == 33);
	INSIDE(stat("/etc/mine", &about) == 0 && about.st_uid == 0);
	INSIDE(stat("/etc/passwd", &about) == 0 && (about.st_mode & 07777) == 0600);
	INSIDE(access("/etc/services", F_OK) < 0);
}

TEST(root, writes_stay_in_the_upper_layer_with_the_ids_inside)
{
	struct instance instance;
	struct stat about;

	NEEDS_ROOT();
	instance_open(&instance, IMAGE_HOST, NULL);
	auto_free char *before = host_mounts(&instance.place);
	instance_probe(&instance, probe_write, NULL);
	cr_assert(fstatat(instance.dir, "u/srv/page", &about, 0) == 0);
	cr_assert(about.st_uid == 33 && about.st_gid == 33, "uid %u on disk", about.st_uid);
	cr_assert(fstatat(instance.dir, "u/etc/mine", &about, 0) == 0 && about.st_uid == 0);
	instance_again(&instance);
	instance_probe(&instance, probe_written, NULL);
	auto_free char *after = host_mounts(&instance.place);
	cr_assert_str_eq(before, after);
	instance_drop(&instance);
}

static void probe_read_only(const void *nothing)
{
	struct mount_attr writable = {.attr_clr = MOUNT_ATTR_RDONLY};

	(void)nothing;
	INSIDE(strcmp(content_of("/etc/hostname"), "web-1\n") == 0);
	INSIDE(access("/var/lib/fresh", F_OK) == 0 && access("/etc/app.conf", F_OK) == 0);
	INSIDE(mount_setattr(AT_FDCWD, "/", 0, &writable, sizeof(writable)) == 0);
	INSIDE(open("/srv/page", O_WRONLY | O_CREAT, 0644) < 0 && errno == EROFS);
}

TEST(root, read_only_root_shows_generated_files_and_mount_points)
{
	struct instance instance;
	struct error err;

	NEEDS_ROOT();
	instance_open(&instance, IMAGE_HOST, NULL);
	instance.request.read_only = true;
	ASSERT_OK(root_file_write(instance.dir, "/etc/hostname", 0644, 0, 0, "web-1\n", 6, &err));
	ASSERT_OK(root_mount_point_make(&instance.place.session, &instance.request, "/var/lib/fresh", false, &err));
	ASSERT_OK(root_mount_point_make(&instance.place.session, &instance.request, "/etc/app.conf", true, &err));
	ASSERT_OK(root_mount_point_make(&instance.place.session, &instance.request, "/var/run/x", false, &err));
	cr_assert(faccessat(instance.dir, "u/var/run", F_OK, AT_SYMLINK_NOFOLLOW) < 0, "the link /var/run is hidden");
	instance_probe(&instance, probe_read_only, NULL);
	instance_drop(&instance);
}

/* --- plain directories -------------------------------------------------------------------------------------------- */

static void probe_rootfs(const void *nothing)
{
	struct stat about;

	(void)nothing;
	INSIDE(strcmp(content_of("/page"), "hello") == 0);
	INSIDE(stat("/page", &about) == 0 && about.st_uid == 0);
	INSIDE(unlink("/page") == 0);
	INSIDE(access("/proc", F_OK) == 0 && access("/etc/hosts.d/hosts", R_OK) == 0);
	INSIDE(access("/etc/secret", F_OK) < 0);
	INSIDE(mkdir("/etc/new", 0755) == 0);
}

TEST(root, plain_directory_is_a_lower_layer_and_its_links_lead_nowhere)
{
	struct place outside;
	struct instance instance;

	NEEDS_ROOT();
	place_open(&outside);
	auto_free char *page = place_file(&outside, "rootfs/page", 0644, "hello");
	place_put(&outside, "secrets/secret", 0644, "secret");
	auto_free char *rootfs = text_format("%s/rootfs", outside.path);
	auto_free char *link = text_format("%s/rootfs/etc", outside.path);
	auto_free char *secrets = text_format("%s/secrets", outside.path);
	cr_assert(symlink(secrets, link) == 0);
	instance_open(&instance, NULL, rootfs);
	instance_probe(&instance, probe_rootfs, NULL);
	cr_assert(access(page, F_OK) == 0, "the directory itself was changed");
	auto_free char *escaped = text_format("%s/new", secrets);
	auto_free char *hosts = text_format("%s/hosts", secrets);
	cr_assert(access(escaped, F_OK) < 0 && access(hosts, F_OK) < 0, "something was written through the link");
	instance_drop(&instance);
	place_drop(&outside);
}

TEST(root, refuses_a_rootfs_that_is_the_host_itself_or_no_directory)
{
	struct place place;
	struct error err;

	NEEDS_ROOT();
	place_open(&place);
	auto_fd dir = place_instance(&place, "one");
	auto_free char *file = place_file(&place, "file", 0644, "");
	auto_free char *link = text_format("%s/link", place.path);
	struct root_request request = {.rootfs = "/", .instance = dir, .userns = -1};
	ASSERT_FAILS(root_create(&place.session, &request, &err), ERROR_USAGE,
		"rootfs: \"/\" is refused: it is the host's /");
	cr_assert(symlink("/", link) == 0);
	request.rootfs = link;
	ASSERT_FAILS(root_create(&place.session, &request, &err), ERROR_USAGE, "is refused: it is the host's /");
	request.rootfs = file;
	ASSERT_FAILS(root_create(&place.session, &request, &err), ERROR_USAGE, "is not a directory");
	request.rootfs = "/nonesuch/rootfs";
	ASSERT_FAILS(root_create(&place.session, &request, &err), ERROR_MISSING,
		"rootfs: \"/nonesuch/rootfs\" does not exist on the host");
	request.rootfs = place.path;
	ASSERT_FAILS(root_create(&place.session, &request, &err), ERROR_USAGE, "it holds the state of warren itself");
	cr_assert(faccessat(dir, "u", F_OK, 0) < 0, "a refused request left an upper layer");
	place_drop(&place);
}

TEST(root, removal_leaves_the_instance_directory_empty)
{
	struct instance instance;
	struct arena arena = {0};
	struct strings names;
	struct error err;

	NEEDS_ROOT();
	instance_open(&instance, IMAGE_HOST, NULL);
	instance_probe(&instance, probe_write, NULL);
	ASSERT_OK(root_remove(instance.dir, &err));
	ASSERT_OK(dir_list(&arena, instance.dir, 100, &names, &err));
	cr_assert_eq(names.count, 0, "%s is left", names.items[0]);
	ASSERT_OK(root_remove(instance.dir, &err));
	arena_drop(&arena);
	instance_drop(&instance);
}
