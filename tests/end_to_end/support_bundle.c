#include "tests/end_to_end/support_bundle.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/test.h"

#define WORDS_MAX 32

static const char *const applets[] = {"sh", "id", "cat", "ls", "echo", "sleep", "true", "env", "pwd", "stat", "test",
	"readlink", "grep", "mount", "touch", "wc", "kill", "hostname", "chroot", "unshare", "printf", "nproc", "ps"};

static void busybox_copy(const char *root)
{
	auto_free char *target = text_format("%s/bin/busybox", root);
	struct stat status;

	run_write_file(root, "bin/busybox", 0755, "");
	auto_fd from = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
	auto_fd to = open(target, O_WRONLY | O_CLOEXEC);
	cr_assert(from >= 0 && to >= 0 && fstat(from, &status) == 0);
	for (off_t left = status.st_size; left > 0;) {
		ssize_t sent = sendfile(to, from, NULL, (size_t)left);

		cr_assert(sent > 0);
		left -= sent;
	}
	for (size_t i = 0; i < ARRAY_SIZE(applets); i++) {
		auto_free char *link = text_format("%s/bin/%s", root, applets[i]);

		cr_assert(symlink("busybox", link) == 0);
	}
}

struct bundle bundle_new(void)
{
	struct bundle bundle = {.directory = run_directory_new()};

	snprintf(bundle.path, sizeof(bundle.path), "%s/bundle", bundle.directory.path);
	snprintf(bundle.state, sizeof(bundle.state), "%s/state", bundle.directory.path);
	snprintf(bundle.id, sizeof(bundle.id), "e2e-%s", strrchr(bundle.directory.path, '-') + 1);
	auto_free char *root = text_format("%s/rootfs", bundle.path);
	cr_assert(mkdir(bundle.path, 0755) == 0 && mkdir(root, 0755) == 0);
	chmod(bundle.directory.path, 0711);
	busybox_copy(root);
	return bundle;
}

void bundle_drop(struct bundle *bundle)
{
	auto_run run = OCI(bundle, "delete", "--force", "ID");

	if (run.status != 0)
		fprintf(stderr, "%s", run.err);
	run_directory_drop(&bundle->directory);
}

static const char * or (const char *text, const char *other)
{
	return text ? text : other;
}

static char *script_args(const char *script)
{
	struct text text = {0};

	text_append(&text, "[\"/bin/sh\", \"-c\", \"");
	for (; *script; script++) {
		if (*script == '"' || *script == '\\')
			text_append(&text, "\\");
		text_append_bytes(&text, script, 1);
	}
	text_append(&text, "\"]");
	return text.data;
}

void bundle_write(struct bundle *bundle, const struct bundle_config *config)
{
	auto_free char *script = config->script ? script_args(config->script) : NULL;
	auto_free char *text = text_format("{\"ociVersion\": \"1.0.2\", \"hostname\": \"inside\","
					   "\"process\": {\"args\": %s, %s \"env\": [\"PATH=/bin\"]%s%s},"
					   "\"root\": {\"path\": \"rootfs\"%s%s}, \"mounts\": ["
					   "{\"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\"},"
					   "{\"destination\": \"/dev\", \"type\": \"tmpfs\", \"source\": \"tmpfs\", "
					   "\"options\": [\"nosuid\", \"mode=755\"]},"
					   "{\"destination\": \"/dev/pts\", \"type\": \"devpts\", \"source\": "
					   "\"devpts\", \"options\": [\"newinstance\", "
					   "\"ptmxmode=0666\", \"mode=0620\"]}"
					   "%s%s],"
					   "\"linux\": {\"namespaces\": %s%s%s}%s%s}\n",
		script ? script : or (config->args, "[\"/bin/true\"]"), config->no_cwd ? "" : "\"cwd\": \"/\",",
		config->process ? ", " : "", or (config->process, ""), config->root ? ", " : "", or (config->root, ""),
		config->mounts ? ", " : "", or (config->mounts, ""),
		or (config->namespaces,
			   "[{\"type\": \"mount\"}, {\"type\": \"pid\"}, {\"type\": \"ipc\"}, {\"type\": \"uts\"}, "
			   "{\"type\": \"network\"}, {\"type\": \"cgroup\"}]"),
		config->system ? ", " : "", or (config->system, ""), config->top ? ", " : "", or (config->top, ""));

	run_write_file(bundle->path, "config.json", 0644, text);
}

struct run_result bundle_oci(struct bundle *bundle, const char *const words[], const struct run_options *options)
{
	const char *argv[WORDS_MAX + 4] = {WARREN_OCI_PROGRAM, "--root", bundle->state};
	struct run_options how = options ? *options : (struct run_options){0};

	for (size_t i = 0; words[i]; i++) {
		cr_assert(i < WORDS_MAX);
		argv[3 + i] = strcmp(words[i], "ID") == 0 ? bundle->id : words[i];
	}
	if (!how.directory)
		how.directory = bundle->path;
	return run_program(argv, &how);
}

/* Directories called `id` at most four levels below a hierarchy's root. */
static int directories_named(const char *path, const char *id, int depth)
{
	DIR *dir = opendir(path);
	int count = 0;

	if (!dir)
		return 0;
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		count += strcmp(entry->d_name, id) == 0;
		if (depth > 0) {
			auto_free char *inner = text_format("%s/%s", path, entry->d_name);

			count += directories_named(inner, id, depth - 1);
		}
	}
	closedir(dir);
	return count;
}

int bundle_cgroups(const struct bundle *bundle)
{
	return directories_named("/sys/fs/cgroup", bundle->id, 4);
}

int host_mount_count(void)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	int count = 0;

	cr_assert(file);
	for (int c; (c = getc(file)) != EOF;)
		count += c == '\n';
	fclose(file);
	return count;
}

bool host_is_v2(void)
{
	struct statfs status;

	return statfs("/sys/fs/cgroup", &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC;
}
