/* checkpoint and restore: a container's processes → files → processes. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/oci/oci.h"
#include "runtime/runtime.h"

#define DEFAULT_IMAGES "checkpoint"

struct criu_options {
	const char *image_path, *work_path, *parent_path, *cgroups, *page_server, *lsm_profile, *lsm_mount_context,
		*network_lock;
	struct strings empty_namespaces;
	struct optional status_fd;
	bool leave_running, pre_dump, tcp_established, tcp_close, tcp_skip_in_flight, external_unix_sockets, shell_job,
		file_locks, lazy_pages, auto_dedup, link_remap;
	/* of restore alone */
	const char *bundle, *config, *console_socket, *pid_file;
	bool detach, keep, no_pivot, no_subreaper;
};

#define IMAGE_OPTIONS                                                                                                  \
	OPTION_TEXT("image-path", 0, "DIR", "directory of the images (default: ./" DEFAULT_IMAGES ")",                 \
		struct criu_options, image_path),                                                                      \
		OPTION_TEXT("work-path", 0, "DIR", "directory of CRIU's log (default: that of the images)",            \
			struct criu_options, work_path),                                                               \
		OPTION_FLAG("tcp-established", 0, "with established TCP connections", struct criu_options,             \
			tcp_established),                                                                              \
		OPTION_FLAG("ext-unix-sk", 0, "with unix sockets connected to the outside", struct criu_options,       \
			external_unix_sockets),                                                                        \
		OPTION_FLAG(                                                                                           \
			"shell-job", 0, "with a terminal of the caller's session", struct criu_options, shell_job),    \
		OPTION_FLAG("file-locks", 0, "with locks of files", struct criu_options, file_locks),                  \
		OPTION_FLAG("lazy-pages", 0, "memory is fetched when it is used", struct criu_options, lazy_pages),    \
		OPTION_FLAG("auto-dedup", 0, "each page is in the images once", struct criu_options, auto_dedup),      \
		OPTION_FLAG("link-remap", 0, "with files that have no name any more, by names of their own meanwhile", \
			struct criu_options, link_remap),                                                              \
		OPTION_TEXT("network-lock", 0, "METHOD",                                                               \
			"what holds connections up meanwhile: iptables (default), nftables, or skip, for nothing",     \
			struct criu_options, network_lock),                                                            \
		OPTION_TEXT("manage-cgroups-mode", 0, "MODE",                                                          \
			"cgroups below the container's: soft (default), full, strict, props, none or ignore",          \
			struct criu_options, cgroups),                                                                 \
		OPTION_TEXTS("empty-ns", 0, "NAMESPACE", "leave out what is in it: network", struct criu_options,      \
			empty_namespaces)

static const struct option checkpoint_table[] = {
	IMAGE_OPTIONS,
	OPTION_TEXT("parent-path", 0, "DIR", "images of an earlier --pre-dump, relative to the image path",
		struct criu_options, parent_path),
	OPTION_FLAG("pre-dump", 0, "only the memory, of processes that run on", struct criu_options, pre_dump),
	OPTION_FLAG("leave-running", 0, "the container runs on", struct criu_options, leave_running),
	OPTION_FLAG("tcp-skip-in-flight", 0, "without connections that are being made", struct criu_options,
		tcp_skip_in_flight),
	OPTION_TEXT("page-server", 0, "ADDRESS:PORT", "where the pages of --lazy-pages are served", struct criu_options,
		page_server),
	OPTION_INTEGER("status-fd", 0, "N", "descriptor that gets a byte when pages are served", struct criu_options,
		status_fd, 0, INT_MAX),
	END_OF_OPTIONS,
};

static const struct option restore_table[] = {
	IMAGE_OPTIONS,
	OPTION_TEXT("bundle", 'b', "DIR", "bundle directory (default: the current one)", struct criu_options, bundle),
	OPTION_TEXT(
		"config", 'f', "FILE", "read FILE instead of config.json in the bundle", struct criu_options, config),
	OPTION_TEXT("console-socket", 0, "SOCKET", "send the master of the terminal to this UNIX socket",
		struct criu_options, console_socket),
	OPTION_TEXT("pid-file", 0, "FILE", "write the first process's pid to FILE", struct criu_options, pid_file),
	OPTION_FLAG("detach", 'd', "return when the container runs", struct criu_options, detach),
	OPTION_FLAG("keep", 0, "do not delete the container when it ends", struct criu_options, keep),
	OPTION_FLAG("tcp-close", 0, "established connections come back closed", struct criu_options, tcp_close),
	OPTION_TEXT("lsm-profile", 0, "TYPE:NAME", "another profile of AppArmor or SELinux", struct criu_options,
		lsm_profile),
	OPTION_TEXT("lsm-mount-context", 0, "CONTEXT", "another SELinux context for mounts", struct criu_options,
		lsm_mount_context),
	/* The root is always changed by pivot_root; children left go to the container's own first process. */
	OPTION_FLAG("no-pivot", 0, NULL, struct criu_options, no_pivot),
	OPTION_FLAG("no-subreaper", 0, NULL, struct criu_options, no_subreaper),
	END_OF_OPTIONS,
};

static const struct {
	const char *name;
	enum criu_cgroups mode;
} modes[] = {
	{"soft", CRIU_CGROUPS_SOFT},
	{"full", CRIU_CGROUPS_FULL},
	{"strict", CRIU_CGROUPS_STRICT},
	{"props", CRIU_CGROUPS_PROPS},
	{"none", CRIU_CGROUPS_NONE},
	{"ignore", CRIU_CGROUPS_IGNORE},
};

static int mode_parse(const char *name, int *out, struct error *err)
{
	*out = CRIU_CGROUPS_SOFT;
	if (!name)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (strcmp(modes[i].name, name) == 0) {
			*out = (int)modes[i].mode;
			return 0;
		}
	}
	return fail(
		err, ERROR_USAGE, "--manage-cgroups-mode %s: must be soft, full, strict, props, none or ignore", name);
}

static int empty_parse(const struct strings *names, bool *network, struct error *err)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->items[i], "network") != 0)
			return fail(err, ERROR_USAGE, "--empty-ns %s: only network can be left out", names->items[i]);
		*network = true;
	}
	return 0;
}

static int lock_parse(const char *word, enum network_lock *out, struct error *err)
{
	static const struct {
		const char *name;
		enum network_lock lock;
	} locks[] = {
		{"iptables", NETWORK_LOCK_IPTABLES},
		{"nftables", NETWORK_LOCK_NFTABLES},
		{"skip", NETWORK_LOCK_NOTHING},
	};

	*out = NETWORK_LOCK_IPTABLES;
	if (!word)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(locks); i++) {
		if (strcmp(locks[i].name, word) == 0) {
			*out = locks[i].lock;
			return 0;
		}
	}
	return fail(err, ERROR_USAGE, "--network-lock %s: must be iptables, nftables or skip", word);
}

static int options_translate(const struct oci_cli *cli, const struct criu_options *from,
	struct container_criu_options *out, struct error *err)
{
	*out = (struct container_criu_options){
		.program = cli->criu,
		.image_path = text_is_empty(from->image_path) ? DEFAULT_IMAGES : from->image_path,
		.work_path = from->work_path,
		.parent_path = from->parent_path,
		.leave_running = from->leave_running,
		.pre_dump = from->pre_dump,
		.tcp_established = from->tcp_established,
		.tcp_close = from->tcp_close,
		.tcp_skip_in_flight = from->tcp_skip_in_flight,
		.external_unix_sockets = from->external_unix_sockets,
		.shell_job = from->shell_job,
		.file_locks = from->file_locks,
		.lazy_pages = from->lazy_pages,
		.auto_dedup = from->auto_dedup,
		.link_remap = from->link_remap,
		.page_server = from->page_server,
		.status_fd = from->status_fd.set ? (int)from->status_fd.value : -1,
		.lsm_profile = from->lsm_profile,
		.lsm_mount_context = from->lsm_mount_context,
	};
	if (mode_parse(from->cgroups, &out->cgroups, err) < 0 ||
		lock_parse(from->network_lock, &out->network_lock, err) < 0)
		return -1;
	return empty_parse(&from->empty_namespaces, &out->empty_network, err);
}

static int checkpoint_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct oci_cli *cli = context;
	struct container_criu_options criu;

	(void)count;
	if (id_check(operands[0], err) < 0 || options_translate(cli, options, &criu, err) < 0)
		return -1;
	if (oci_cli_open(cli, err) < 0)
		return -1;
	return container_checkpoint(cli->root_dir, operands[0], &criu, err);
}

static int restore_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	const struct criu_options *from = options;
	struct oci_cli *cli = context;
	struct container_criu_options criu;
	struct container_create_options create = {
		.bundle = from->bundle,
		.config = from->config,
		.console_socket = from->console_socket,
		.pid_file = from->pid_file,
		.keep = from->keep,
		.restore = &criu,
	};
	int status = 0;

	(void)count;
	if (id_check(operands[0], err) < 0 || options_translate(cli, from, &criu, err) < 0 ||
		oci_prepare(cli, &create, err) < 0)
		return -1;
	if (container_run(cli->root_dir, operands[0], &create, from->detach, &status, err) < 0)
		return -1;
	return from->detach ? 0 : oci_exit_status(status);
}

const struct command oci_checkpoint_command = {
	.name = "checkpoint",
	.operands = "[options] ID",
	.summary = "write a running container to files and end it",
	.example = "warren-oci checkpoint --image-path /srv/images/web web",
	.options = checkpoint_table,
	.options_size = sizeof(struct criu_options),
	.operands_min = 1,
	.operands_max = 1,
	.run = checkpoint_run,
};
const struct command oci_restore_command = {
	.name = "restore",
	.operands = "[options] ID",
	.summary = "make a container from such files, running on where it was",
	.example = "warren-oci restore --detach --bundle /srv/web --image-path /srv/images/web web",
	.options = restore_table,
	.options_size = sizeof(struct criu_options),
	.operands_min = 1,
	.operands_max = 1,
	.run = restore_run,
};
