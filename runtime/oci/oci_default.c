/* The config.json that `warren-oci spec` writes: something to start from, close to what people know from others. */
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "runtime/runtime.h"

#define OPTIONS_MAX 8

static const struct default_mount {
	const char *destination, *type, *source;
	const char *options[OPTIONS_MAX];
} mounts[] = {
	{"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
	{"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
	{"/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
	{"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
	{"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
	{"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
	{"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}},
};

/* With one id mapped there is no group 5, and without a network namespace of its own no sysfs. */
static const struct default_mount mounts_rootless[] = {
	{"/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}},
	{"/sys", "none", "/sys", {"rbind", "nosuid", "noexec", "nodev", "ro"}},
};

static const char *const masked_paths[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/sys/devices/virtual/powercap",
	"/sys/firmware",
};
static const char *const read_only_paths[] = {
	"/proc/bus",
	"/proc/fs",
	"/proc/irq",
	"/proc/sys",
	"/proc/sysrq-trigger",
};
static const char *const capabilities[] = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
static const enum spec_namespace namespaces[] = {NS_PID, NS_NET, NS_IPC, NS_UTS, NS_MOUNT, NS_CGROUP};

static void encode_words(struct encoder *encoder, const char *key, const char *const *words, size_t count)
{
	encode_array_begin(encoder, key);
	for (size_t i = 0; i < count && words[i]; i++)
		encode_string(encoder, NULL, words[i]);
	encode_array_end(encoder);
}

#define ENCODE_WORDS(encoder, key, ...)                                                                                \
	encode_words(encoder, key, (const char *const[]){__VA_ARGS__}, ARRAY_SIZE(((const char *const[]){__VA_ARGS__})))

static void process_encode(struct encoder *encoder)
{
	static const char *const sets[] = {"bounding", "effective", "permitted"};

	encode_object_begin(encoder, "process");
	encode_bool(encoder, "terminal", true);
	encode_object_begin(encoder, "user");
	encode_integer(encoder, "uid", 0);
	encode_integer(encoder, "gid", 0);
	encode_object_end(encoder);
	ENCODE_WORDS(encoder, "args", "sh");
	ENCODE_WORDS(encoder, "env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm");
	encode_string(encoder, "cwd", "/");
	encode_object_begin(encoder, "capabilities");
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		encode_words(encoder, sets[i], capabilities, ARRAY_SIZE(capabilities));
	encode_object_end(encoder);
	encode_array_begin(encoder, "rlimits");
	encode_object_begin(encoder, NULL);
	encode_string(encoder, "type", "RLIMIT_NOFILE");
	encode_integer(encoder, "hard", 1024);
	encode_integer(encoder, "soft", 1024);
	encode_object_end(encoder);
	encode_array_end(encoder);
	encode_bool(encoder, "noNewPrivileges", true);
	encode_object_end(encoder);
}

static const struct default_mount *mount_for(const struct default_mount *mount, bool rootless)
{
	for (size_t i = 0; rootless && i < ARRAY_SIZE(mounts_rootless); i++) {
		if (text_equal(mounts_rootless[i].destination, mount->destination))
			return &mounts_rootless[i];
	}
	return mount;
}

static void mounts_encode(struct encoder *encoder, bool rootless)
{
	encode_array_begin(encoder, "mounts");
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		const struct default_mount *mount = mount_for(&mounts[i], rootless);

		encode_object_begin(encoder, NULL);
		encode_string(encoder, "destination", mount->destination);
		encode_string(encoder, "type", mount->type);
		encode_string(encoder, "source", mount->source);
		encode_words(encoder, "options", mount->options, OPTIONS_MAX);
		encode_object_end(encoder);
	}
	encode_array_end(encoder);
}

static void map_encode(struct encoder *encoder, const char *key, uint32_t host)
{
	encode_array_begin(encoder, key);
	encode_object_begin(encoder, NULL);
	encode_integer(encoder, "containerID", 0);
	encode_integer(encoder, "hostID", host);
	encode_integer(encoder, "size", 1);
	encode_object_end(encoder);
	encode_array_end(encoder);
}

static void namespace_encode(struct encoder *encoder, enum spec_namespace ns)
{
	encode_object_begin(encoder, NULL);
	encode_string(encoder, "type", namespace_names[ns]);
	encode_object_end(encoder);
}

static void namespaces_encode(struct encoder *encoder, bool rootless)
{
	encode_array_begin(encoder, "namespaces");
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		if (!rootless || namespaces[i] != NS_NET)
			namespace_encode(encoder, namespaces[i]);
	}
	if (rootless)
		namespace_encode(encoder, NS_USER);
	encode_array_end(encoder);
}

static void resources_encode(struct encoder *encoder)
{
	encode_object_begin(encoder, "resources");
	encode_array_begin(encoder, "devices");
	encode_object_begin(encoder, NULL);
	encode_bool(encoder, "allow", false);
	encode_string(encoder, "access", "rwm");
	encode_object_end(encoder);
	encode_array_end(encoder);
	encode_object_end(encoder);
}

static void linux_encode(struct encoder *encoder, bool rootless)
{
	encode_object_begin(encoder, "linux");
	if (rootless) {
		map_encode(encoder, "uidMappings", geteuid());
		map_encode(encoder, "gidMappings", getegid());
	} else {
		resources_encode(encoder);
	}
	namespaces_encode(encoder, rootless);
	encode_words(encoder, "maskedPaths", masked_paths, ARRAY_SIZE(masked_paths));
	encode_words(encoder, "readonlyPaths", read_only_paths, ARRAY_SIZE(read_only_paths));
	encode_object_end(encoder);
}

void oci_default_config(struct encoder *encoder, bool rootless)
{
	encode_object_begin(encoder, NULL);
	encode_string(encoder, "ociVersion", "1.0.2");
	process_encode(encoder);
	encode_object_begin(encoder, "root");
	encode_string(encoder, "path", "rootfs");
	encode_bool(encoder, "readonly", true);
	encode_object_end(encoder);
	encode_string(encoder, "hostname", "warren");
	mounts_encode(encoder, rootless);
	linux_encode(encoder, rootless);
	encode_object_end(encoder);
}
