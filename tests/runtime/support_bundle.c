#include "tests/runtime/support_bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/file.h"
#include "base/process.h"

void bundle_make(struct bundle *bundle)
{
	struct error err;
	char path[128];

	*bundle = (struct bundle){0};
	sandbox_make(&bundle->box);
	sandbox_use_own_ids(&bundle->box);
	snprintf(bundle->cgroup, sizeof(bundle->cgroup), "warren/test-%d", getpid());
	snprintf(path, sizeof(path), "%s/state", bundle->box.directory);
	bundle->state = dir_create_all(path, 0700, &err);
	cr_assert(bundle->state >= 0, "%s", err.text);
	bundle->options = (struct container_create_options){.bundle = bundle->box.directory};
}

void bundle_drop(struct bundle *bundle)
{
	struct cgroup_host host;
	struct error err;

	cr_assert(cgroup_host_open(&host, &err) == 0);
	cr_assert(cgroup_remove(&host, bundle->cgroup, 2000, false, &err) == 0, "%s", err.text);
	cgroup_host_drop(&host);
	fd_drop(&bundle->state);
	sandbox_drop(&bundle->box);
}

void bundle_script(struct bundle *bundle, const char *script)
{
	static const char format[] =
		"{\"ociVersion\":\"1.0.2\",\"hostname\":\"box\",\"root\":{\"path\":\"rootfs\"},"
		"\"process\":{\"terminal\":%s,\"cwd\":\"/\",\"env\":[\"PATH=/bin\"],\"args\":[\"/bin/"
		"sh\",\"-c\",\"%s\"],"
		"\"noNewPrivileges\":true,\"user\":{\"uid\":0,\"gid\":0},\"capabilities\":{}},"
		"\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
		"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"mode=755\"]},"
		"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":[\"newinstance\","
		"\"ptmxmode=0666\"]},"
		"{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"ro\"]},"
		"{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\",\"options\":[\"ro\"]}],"
		"\"annotations\":{\"a/b\":\"c\"}%s%s,"
		"\"linux\":{\"cgroupsPath\":\"/%s\",\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"},"
		"{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"cgroup\"},{\"type\":\"user\"}"
		"],"
		"\"uidMappings\":[{\"containerID\":0,\"hostID\":%d,\"size\":65536}],"
		"\"gidMappings\":[{\"containerID\":0,\"hostID\":%d,\"size\":65536}],"
		"\"maskedPaths\":[\"/proc/kallsyms\"],\"readonlyPaths\":[\"/proc/sys\"]}}";
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/config.json", bundle->box.directory);
	file = fopen(path, "we");
	fprintf(file, format, bundle->terminal ? "true" : "false", script, bundle->hooks ? ",\"hooks\":" : "",
		bundle->hooks ? bundle->hooks : "", bundle->cgroup, BASE_ID, BASE_ID);
	fclose(file);
}

int bundle_records(const struct bundle *bundle)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings names;
	struct error err;
	int count = 0;

	cr_assert(dir_list(&arena, bundle->state, 1000, &names, &err) == 0, "%s", err.text);
	for (size_t i = 0; i < names.count; i++)
		count += strcmp(names.items[i], ".seccomp") != 0;
	return count;
}

int bundle_cgroups(const struct bundle *bundle)
{
	static const char *const hierarchies[] = {
		"", "cpu/", "cpuacct/", "cpuset/", "memory/", "pids/", "devices/", "freezer/", "blkio/", "unified/"};
	int count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(hierarchies); i++) {
		char path[160];

		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s%s", hierarchies[i], bundle->cgroup);
		count += access(path, F_OK) == 0;
	}
	return count;
}

static struct container look(const struct bundle *bundle, const char *id, struct arena *arena)
{
	struct container container;
	struct error err;

	cr_assert(container_open(arena, bundle->state, id, &container, &err) == 0, "%s", err.text);
	container_close(&container);
	return container;
}

enum container_status bundle_status(const struct bundle *bundle, const char *id)
{
	AUTO(arena_drop) struct arena arena = {0};

	return look(bundle, id, &arena).status;
}

pid_t bundle_pid(const struct bundle *bundle, const char *id)
{
	AUTO(arena_drop) struct arena arena = {0};

	return look(bundle, id, &arena).facts.init.pid;
}

void reap_all(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		continue;
}
