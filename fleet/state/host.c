/* The host's directories, and what has to be put right after a reboot.
 *
 * <run> lies on tmpfs and goes with the kernel's own state; <lib> stays. <run>/boot holds the boot id under which <run>
 * was made: absent or another one means that slots and addresses are marked again from the instances' records before
 * anybody is given one, and that whatever was running has ended with the host. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "fleet/state/host_cgroups.h"
#include "fleet/state/instance.h"

#define ENTRIES_MAX 65536
#define BOOT_LOCK_TIMEOUT_MS 60000

static void host_clear(struct host *host)
{
	*host = (struct host){
		.run = -1,
		.lib = -1,
		.log = -1,
		.instances = -1,
		.live = -1,
		.fleets = -1,
		.net = {.run = -1, .records = -1},
		.cgroups = {.unified = -1},
	};
	for (int i = 0; i < CGROUP_CONTROLLERS; i++)
		host->cgroups.hierarchy[i] = -1;
}

static void paths_set(struct host *host, const struct host_options *options)
{
	const char *root = options ? options->root : NULL;

	host->run_path = root ? text_format("%s/run", root) : text_format("/run/warren");
	host->lib_path = root ? text_format("%s/lib", root) : text_format("/var/lib/warren");
	host->log_path = root ? text_format("%s/log", root) : text_format("/var/log/warren");
}

/* --- directories -------------------------------------------------------------------------------------------------- */

/* One that is not there stays -1, which every look into it finds empty. */
static int directory_look(int parent, const char *path, struct error *err)
{
	int fd = dir_open(parent, path, err);

	return fd < 0 && (err->errnum == ENOENT || err->errnum == EBADF) ? forgive(err) - 1 : fd;
}

static int directory_take(int parent, const char *path, bool read_only, struct error *err)
{
	if (read_only)
		return directory_look(parent, path, err);
	return parent == AT_FDCWD ? dir_create_all(path, 0700, err) : dir_create(parent, path, 0700, err);
}

static int directories_open(struct host *host, bool read_only, struct error *err)
{
	const struct {
		int *fd;
		const int *parent; /* NULL: path is absolute */
		const char *path;
	} rows[] = {
		{&host->run, NULL, host->run_path},
		{&host->lib, NULL, host->lib_path},
		{&host->log, NULL, host->log_path},
		{&host->instances, &host->lib, "instances"},
		{&host->live, &host->run, "instances"},
		{&host->fleets, &host->lib, "fleets"},
		{&host->net.run, &host->run, "net"},
		{&host->net.records, &host->lib, "networks"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		*rows[i].fd = directory_take(rows[i].parent ? *rows[i].parent : AT_FDCWD, rows[i].path, read_only, err);
		if (*rows[i].fd < 0 && err->kind != ERROR_NONE)
			return -1;
	}
	return 0;
}

/* --- after a reboot ----------------------------------------------------------------------------------------------- */

static bool is_current_boot(const struct host *host)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error ignored;
	const char *text;

	return file_read(&arena, host->run, "boot", 64, &text, NULL, &ignored) == 0 && text_equal(text, boot_id());
}

static int instance_mark(struct host *host, int dir, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct record record;

	if (record_read(&arena, dir, &record, err) < 0)
		return err->kind == ERROR_MISSING ? forgive(err) : -1;
	if (slot_mark(&host->net, record.slot, err) < 0)
		return -1;
	if (record_has_ipv6(&record) && address6_mark(&host->net, record.network, &record.address6, err) < 0)
		return -1;
	return record.network ? address_mark(&host->net, record.network, record.address, err) : 0;
}

/* It was meant to run and nothing says that it had ended: it ended with the host. */
static void end_mark(int dir)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct exit_record exit, ended = {.reason = END_HOST, .status = 128 + 9, .at_ms = clock_real_ms()};
	struct error err;
	bool over;

	exit_read(&arena, dir, &exit, &over);
	if (!over && desired_read(dir) != DESIRED_STOPPED && exit_write(dir, &ended, &err) < 0)
		log_warn("%s", err.text);
}

static int boot_rebuild(struct host *host, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings entries = {0};

	if (dir_list(&arena, host->instances, ENTRIES_MAX, &entries, err) < 0)
		return -1;
	for (size_t i = 0; i < entries.count; i++) {
		auto_fd dir =
			openat(host->instances, entries.items[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (dir < 0)
			continue;
		if (instance_mark(host, dir, err) < 0) {
			log_warn("instances/%s: %s", entries.items[i], err->text);
			forgive(err);
		}
		if (*entries.items[i] != '.')
			end_mark(dir);
	}
	unlinkat(host->run, "cgroup", 0); /* which holds for one boot */
	return file_replace(host->run, "boot", 0600, FILE_VOLATILE, boot_id(), strlen(boot_id()), err);
}

static int boot_check(struct host *host, struct error *err)
{
	if (is_current_boot(host))
		return 0;
	auto_fd lock = lock_file(host->run, "boot.lock", BOOT_LOCK_TIMEOUT_MS, err);

	if (lock < 0)
		return blame(err, "wait for the first command after the boot");
	return is_current_boot(host) ? 0 : boot_rebuild(host, err);
}

static int cgroups_open(struct host *host, const struct host_options *options, struct error *err)
{
	const char *wanted = options ? options->cgroup_parent : NULL, *parent;
	AUTO(arena_drop) struct arena arena = {0};

	if (!options || !options->read_only)
		return host_cgroups_open(host, wanted, err);
	if (host_cgroups_look(&arena, host->run, wanted, &host->cgroups, &parent, err) < 0)
		return -1;
	host->cgroup_parent = text_format("%s", parent);
	return 0;
}

/* --- public ------------------------------------------------------------------------------------------------------- */

int host_open(const struct host_options *options, struct host *out, struct error *err)
{
	bool read_only = options && options->read_only;

	*err = (struct error){0};
	host_clear(out);
	if (geteuid() != 0)
		return fail(err, ERROR_SYSTEM, "warren needs root; try again with sudo");
	if (options && options->root && path_check_absolute("--root", options->root, err) < 0)
		return -1;
	if (options && options->cgroup_parent && cgroup_parent_check(options->cgroup_parent, err) < 0)
		return -1;
	paths_set(out, options);
	if (directories_open(out, read_only, err) == 0 && (read_only || boot_check(out, err) == 0) &&
		cgroups_open(out, options, err) == 0)
		return 0;
	host_close(out);
	return -1;
}

void host_network_lend(struct host *host)
{
	struct error err;

	/* Without it each opens its own, and says why it cannot. */
	host->lent = net_session_open(&err);
}

void host_network_return(struct host *host)
{
	net_session_drop(&host->lent);
}

struct net_session *host_network(struct host *host, struct net_session **own, struct error *err)
{
	if (host->lent)
		return host->lent;
	return *own = net_session_open(err);
}

void host_close(struct host *host)
{
	int *const fds[] = {&host->run, &host->lib, &host->log, &host->instances, &host->live, &host->fleets,
		&host->net.run, &host->net.records};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fd_drop(fds[i]);
	cgroup_host_drop(&host->cgroups);
	free(host->run_path);
	free(host->lib_path);
	free(host->log_path);
	free(host->cgroup_parent);
	host_clear(host);
}
