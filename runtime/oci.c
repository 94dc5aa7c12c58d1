/* config.json → struct spec: process, root, hooks, and the whole.
 *
 * Decoding is lenient as the OCI runtime specification demands: unknown keys are passed over. Wrong types, repeated
 * keys and values that cannot be honoured are refused. Two things are mended with a warning instead, because the
 * specification says so: capabilities that this kernel or this caller does not have. */
#include "runtime/oci.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "runtime/runtime.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* --- process
 * ------------------------------------------------------------------------------------------------------------- */

struct oci_capabilities {
	struct strings of[CAPS_SETS];
};
struct oci_rlimit {
	const char *type;
	uint64_t soft, hard;
};
struct oci_process {
	bool terminal;
	struct {
		unsigned height, width;
	} console;
	struct {
		uid_t uid;
		gid_t gid;
		struct optional umask;
		struct {
			gid_t *items;
			size_t count;
		} groups;
	} user;
	struct strings args, env;
	const char *cwd;
	struct oci_capabilities capabilities;
	LIST_OF(struct oci_rlimit) rlimits;
	bool no_new_privileges;
	struct optional oom_score_adj;
	struct spec_process direct; /* rows that need no conversion */
};

#define ID_MAX 4294967294
#define GROUPS_MAX 65536 /* NGROUPS_MAX of the kernel */
#define CONSOLE_MAX 65535

static int groups_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct oci_process *process =
		(struct oci_process *)((char *)member - offsetof(struct oci_process, user.groups));
	int64_t group;

	if (node->kind != JSON_ARRAY)
		return decode_fail(decoder, node, err, "expected an array, found %s", json_kind_name(node->kind));
	if (node->count > GROUPS_MAX)
		return decode_fail(decoder, node, err, "%u groups, at most %d", node->count, GROUPS_MAX);
	process->user.groups.items = arena_new_array(decoder->arena, node->count, gid_t);
	process->user.groups.count = 0;
	for (const struct json *item = node->first; item; item = item->next) {
		if (decode_integer(decoder, item, 0, ID_MAX, &group, err) < 0)
			return -1;
		process->user.groups.items[process->user.groups.count++] = (gid_t)group;
	}
	return 0;
}

static const struct field console_fields[] = {
	INTEGER("height", struct oci_process, console.height, 0, CONSOLE_MAX, 0),
	INTEGER("width", struct oci_process, console.width, 0, CONSOLE_MAX, 0),
	END_OF_FIELDS,
};
static const struct field user_fields[] = {
	INTEGER("uid", struct oci_process, user.uid, 0, ID_MAX, 0),
	INTEGER("gid", struct oci_process, user.gid, 0, ID_MAX, 0),
	OPTIONAL("umask", struct oci_process, user.umask, 0, 0777, 0),
	CUSTOM("additionalGids", struct oci_process, user.groups, groups_decode, 0),
	END_OF_FIELDS,
};
static const struct field capabilities_fields[] = {
	STRINGS("bounding", struct oci_capabilities, of[CAPS_BOUNDING], 0),
	STRINGS("effective", struct oci_capabilities, of[CAPS_EFFECTIVE], 0),
	STRINGS("inheritable", struct oci_capabilities, of[CAPS_INHERITABLE], 0),
	STRINGS("permitted", struct oci_capabilities, of[CAPS_PERMITTED], 0),
	STRINGS("ambient", struct oci_capabilities, of[CAPS_AMBIENT], 0),
	END_OF_FIELDS,
};
static const struct field rlimit_fields[] = {
	STRING("type", struct oci_rlimit, type, REQUIRED),
	UINT64("soft", struct oci_rlimit, soft, REQUIRED),
	UINT64("hard", struct oci_rlimit, hard, REQUIRED),
	END_OF_FIELDS,
};

/* These two objects have no struct of their own: their rows reach into struct oci_process from its beginning. */
static int console_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_object(
		decoder, node, console_fields, (char *)member - offsetof(struct oci_process, console), err);
}

static int user_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_object(decoder, node, user_fields, (char *)member - offsetof(struct oci_process, user), err);
}

static const struct field process_fields[] = {
	BOOL("terminal", struct oci_process, terminal, 0),
	CUSTOM_OBJECT("consoleSize", struct oci_process, console, console_decode, console_fields),
	CUSTOM_OBJECT("user", struct oci_process, user, user_decode, user_fields),
	STRINGS("args", struct oci_process, args, REQUIRED),
	STRINGS("env", struct oci_process, env, 0),
	STRING("cwd", struct oci_process, cwd, REQUIRED),
	OBJECT("capabilities", struct oci_process, capabilities, capabilities_fields, 0),
	LIST("rlimits", struct oci_process, rlimits, rlimit_fields, 0),
	BOOL("noNewPrivileges", struct oci_process, no_new_privileges, 0),
	OPTIONAL("oomScoreAdj", struct oci_process, oom_score_adj, -1000, 1000, 0),
	CUSTOM("apparmorProfile", struct oci_process, direct, oci_decode_apparmor, 0),
	CUSTOM("selinuxLabel", struct oci_process, direct, oci_decode_selinux, 0),
	CUSTOM_OBJECT("scheduler", struct oci_process, direct, oci_decode_scheduler, oci_scheduler_fields),
	CUSTOM_OBJECT("ioPriority", struct oci_process, direct, oci_decode_io_priority, oci_io_priority_fields),
	CUSTOM_OBJECT(
		"execCPUAffinity", struct oci_process, direct, oci_decode_exec_affinity, oci_exec_affinity_fields),
	END_OF_FIELDS,
};

static uint64_t capabilities_convert(const struct strings *names)
{
	uint64_t set = 0;

	for (size_t i = 0; i < names->count; i++) {
		struct error err = {0};
		unsigned capability;

		if (capability_parse(names->items[i], &capability, &err) < 0)
			log_warn("process.capabilities: %s: passed over", err.text);
		else
			set |= UINT64_C(1) << capability;
	}
	return set;
}

static int rlimits_convert(
	struct arena *arena, const struct oci_process *from, struct spec_process *out, struct error *err)
{
	out->rlimits.items = arena_new_array(arena, from->rlimits.count, struct spec_rlimit);
	out->rlimits.count = from->rlimits.count;
	for (size_t i = 0; i < from->rlimits.count; i++) {
		struct spec_rlimit *limit = &out->rlimits.items[i];

		limit->limit.rlim_cur = from->rlimits.items[i].soft;
		limit->limit.rlim_max = from->rlimits.items[i].hard;
		if (rlimit_parse(from->rlimits.items[i].type, &limit->resource, err) < 0)
			return blame(err, "rlimits[%zu]", i);
	}
	return 0;
}

static int process_convert(
	struct arena *arena, const struct oci_process *from, struct spec_process *out, struct error *err)
{
	*out = from->direct;
	out->terminal = from->terminal;
	out->console_height = from->console.height;
	out->console_width = from->console.width;
	out->uid = from->user.uid;
	out->gid = from->user.gid;
	out->umask = from->user.umask;
	out->args = from->args;
	out->env = from->env;
	out->cwd = from->cwd;
	out->no_new_privileges = from->no_new_privileges;
	out->oom_score_adj = from->oom_score_adj;
	out->groups.items = from->user.groups.items;
	out->groups.count = from->user.groups.count;
	for (size_t set = 0; set < CAPS_SETS; set++)
		out->capabilities[set] = capabilities_convert(&from->capabilities.of[set]);
	return rlimits_convert(arena, from, out, err);
}

static int process_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	/* What the object `linux` may have said about it before. */
	struct oci_process from = {.direct = *(const struct spec_process *)member};

	if (decode_object(decoder, node, process_fields, &from, err) < 0)
		return -1;
	if (process_convert(decoder->arena, &from, member, err) < 0)
		return decode_blame(decoder, node, err);
	return 0;
}

/* --- capabilities that cannot be had
 * ------------------------------------------------------------------------------------ */

static uint64_t own_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		return ~UINT64_C(0);
	return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

static void set_reduce(uint64_t *set, uint64_t possible, const char *name, const char *why)
{
	uint64_t beyond = *set & ~possible;
	char buffer[32];

	for (; beyond; beyond &= beyond - 1)
		log_warn("process.capabilities.%s: %s is left out: %s", name,
			capability_name((unsigned)__builtin_ctzll(beyond), buffer), why);
	*set &= possible;
}

/* A new user namespace grants all of them; without one nobody can give what he lacks. */
void oci_process_fit(struct spec_process *process, bool own_user_namespace)
{
	uint64_t *sets = process->capabilities;

	if (!own_user_namespace) {
		uint64_t own = own_capabilities();

		set_reduce(&sets[CAPS_BOUNDING], own, "bounding", "this runtime does not have it itself");
		set_reduce(&sets[CAPS_PERMITTED], own, "permitted", "this runtime does not have it itself");
	}
	set_reduce(&sets[CAPS_EFFECTIVE], sets[CAPS_PERMITTED], "effective", "it is not permitted");
	set_reduce(&sets[CAPS_INHERITABLE], sets[CAPS_BOUNDING], "inheritable", "it is not in the bounding set");
	set_reduce(&sets[CAPS_AMBIENT], sets[CAPS_PERMITTED] & sets[CAPS_INHERITABLE], "ambient",
		"it is not permitted and inheritable");
}

/* --- root, hooks
 * --------------------------------------------------------------------------------------------------------- */

struct oci_root {
	const char *path;
	bool read_only;
};
static const struct field root_fields[] = {
	STRING("path", struct oci_root, path, REQUIRED),
	BOOL("readonly", struct oci_root, read_only, 0),
	END_OF_FIELDS,
};

static const struct field hook_fields[] = {
	STRING("path", struct spec_hook, path, REQUIRED),
	STRINGS("args", struct spec_hook, args, 0),
	STRINGS("env", struct spec_hook, env, 0),
	OPTIONAL("timeout", struct spec_hook, timeout_s, 1, INT32_MAX, 0),
	END_OF_FIELDS,
};
static const struct field hooks_fields[] = {
	LIST("prestart", struct spec_hooks, of[HOOK_PRESTART], hook_fields, 0),
	LIST("createRuntime", struct spec_hooks, of[HOOK_CREATE_RUNTIME], hook_fields, 0),
	LIST("createContainer", struct spec_hooks, of[HOOK_CREATE_CONTAINER], hook_fields, 0),
	LIST("startContainer", struct spec_hooks, of[HOOK_START_CONTAINER], hook_fields, 0),
	LIST("poststart", struct spec_hooks, of[HOOK_POSTSTART], hook_fields, 0),
	LIST("poststop", struct spec_hooks, of[HOOK_POSTSTOP], hook_fields, 0),
	END_OF_FIELDS,
};

/* --- the whole
 * ------------------------------------------------------------------------------------------------------------ */

struct oci_config {
	struct spec *spec;
	struct oci_root root;
};

static int linux_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_object(decoder, node, oci_linux_fields, *(struct spec **)member, err);
}

static int spec_process_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return process_decode(decoder, node, &(*(struct spec **)member)->process, err);
}

/* The version is semantic: what is valid for 1.0 stays so for all of 1. */
static int version_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct spec *spec = *(struct spec **)member;

	if (decode_string(decoder, node, &spec->oci_version, err) < 0)
		return -1;
	if (!text_starts_with(spec->oci_version, "1."))
		return decode_fail(decoder, node, err, "\"%s\" is not a version of 1.x", spec->oci_version);
	return 0;
}

/* Rows whose member lies in struct spec. */
static const struct field spec_fields[] = {
	STRING("hostname", struct spec, hostname, 0),
	STRING("domainname", struct spec, domainname, 0),
	CUSTOM_OBJECT("mounts", struct spec, mounts, oci_decode_mounts, oci_mount_fields),
	OBJECT("hooks", struct spec, hooks, hooks_fields, 0),
	PAIRS("annotations", struct spec, annotations, 0),
	CUSTOM("vm", struct spec, hostname, oci_decode_refused, 0),
	CUSTOM("windows", struct spec, hostname, oci_decode_refused, 0),
	CUSTOM("solaris", struct spec, hostname, oci_decode_refused, 0),
	CUSTOM("zos", struct spec, hostname, oci_decode_refused, 0),
	END_OF_FIELDS,
};
#define REQUIRED_OBJECT(key_, type, member, decode_, fields_)                                                          \
	{                                                                                                              \
		.key = key_, .kind = FIELD_CUSTOM, .flags = REQUIRED, .offset = offsetof(type, member),                \
		.decode = decode_, .fields = fields_                                                                   \
	}
/* Rows that need more than their member. */
static const struct field config_fields[] = {
	CUSTOM("ociVersion", struct oci_config, spec, version_decode, REQUIRED),
	REQUIRED_OBJECT("process", struct oci_config, spec, spec_process_decode, process_fields),
	OBJECT("root", struct oci_config, root, root_fields, REQUIRED),
	REQUIRED_OBJECT("linux", struct oci_config, spec, linux_decode, oci_linux_fields),
	END_OF_FIELDS,
};

const struct field *const oci_config_tables[] = {config_fields, spec_fields, NULL};

/* A path relative to the bundle, as the specification has it for the root and the sources of binds. */
static const char *in_bundle(struct arena *arena, const struct spec *spec, const char *path)
{
	return *path == '/' ? path : arena_format(arena, "%s/%s", spec->bundle, path);
}

static void paths_complete(struct arena *arena, struct spec *spec)
{
	spec->root = in_bundle(arena, spec, spec->root);
	for (size_t i = 0; i < spec->mounts.count; i++) {
		struct spec_mount *mount = &spec->mounts.items[i];

		if (mount->bind && !text_is_empty(mount->source))
			mount->source = in_bundle(arena, spec, mount->source);
	}
}

/* What podman's --group-add keep-groups asks for: a file that is shared with the caller by a group stays so. With users
 * of its own a container's process shows them as the overflow id, and the kernel goes by what they are. An image can
 * bring annotations along, too: the groups of an ordinary user are his to share, those of the host's root are not. */
static bool keeps_groups(const struct spec *spec)
{
	const char *wish = pairs_get(&spec->annotations, "run.oci.keep_original_groups");

	if (!wish || text_equal(wish, "0"))
		return false;
	if (geteuid() != 0 || rootless_is_inside())
		return true;
	log_warn("annotation run.oci.keep_original_groups is passed over: the groups are those of the host's root");
	return false;
}

static bool has_own_users(const struct spec *spec)
{
	return spec->namespaces.create[NS_USER] || spec->namespaces.path[NS_USER];
}

int oci_spec_decode(
	struct arena *arena, const struct json_doc *doc, const char *bundle, struct spec *spec, struct error *err)
{
	struct decoder decoder = {.arena = arena, .doc = doc, .mode = DECODE_LENIENT};
	struct oci_config config = {.spec = spec};

	spec_init(spec);
	spec->bundle = bundle;
	if (decode_object(&decoder, doc->root, config_fields, &config, err) < 0 ||
		decode_object(&decoder, doc->root, spec_fields, spec, err) < 0)
		return -1;
	spec->root = config.root.path;
	spec->root_read_only = config.root.read_only;
	if (text_is_empty(spec->root))
		return fail(err, ERROR_USAGE, "%s: root.path is empty", doc->name);
	if (spec->time_offsets && !spec->namespaces.create[NS_TIME])
		return fail(err, ERROR_USAGE, "%s: linux.timeOffsets: needs a new time namespace", doc->name);
	paths_complete(arena, spec);
	oci_label_mounts(arena, spec);
	spec->process.keep_groups = keeps_groups(spec);
	oci_process_fit(&spec->process, has_own_users(spec));
	device_rules_complete(arena, &spec->limits);
	if (spec_check(spec, err) < 0)
		return blame(err, "%s", doc->name);
	return 0;
}

/* --- over a specification that is there --------------------------------------------------------------------------- */

#define MERGED_FIELDS_MAX 32

/* What is there need not be said again. */
static void fields_relax(const struct field *from, struct field out[MERGED_FIELDS_MAX])
{
	size_t count = 0;

	do {
		assert(count < MERGED_FIELDS_MAX);
		out[count] = from[count];
		out[count].flags &= ~(unsigned)REQUIRED;
	} while (from[count++].kind != FIELD_END);
}

static struct strings capabilities_name(struct arena *arena, uint64_t set)
{
	struct strings names = {0};
	char buffer[32];

	for (; set; set &= set - 1)
		strings_add(
			arena, &names, arena_string(arena, capability_name((unsigned)__builtin_ctzll(set), buffer)));
	return names;
}

/* The inverse of process_convert(). */
static void process_unconvert(struct arena *arena, const struct spec_process *from, struct oci_process *out)
{
	char name[24];

	*out = (struct oci_process){.direct = *from,
		.terminal = from->terminal,
		.console = {from->console_height, from->console_width},
		.user = {.uid = from->uid, .gid = from->gid, .umask = from->umask},
		.args = from->args,
		.env = from->env,
		.cwd = from->cwd,
		.no_new_privileges = from->no_new_privileges,
		.oom_score_adj = from->oom_score_adj};
	out->user.groups.items = from->groups.items;
	out->user.groups.count = from->groups.count;
	for (size_t set = 0; set < CAPS_SETS; set++)
		out->capabilities.of[set] = capabilities_name(arena, from->capabilities[set]);
	out->rlimits.items = arena_new_array(arena, from->rlimits.count, struct oci_rlimit);
	out->rlimits.count = from->rlimits.count;
	for (size_t i = 0; i < from->rlimits.count; i++)
		out->rlimits.items[i] = (struct oci_rlimit){
			.type = arena_string(arena, rlimit_name(from->rlimits.items[i].resource, name)),
			.soft = from->rlimits.items[i].limit.rlim_cur,
			.hard = from->rlimits.items[i].limit.rlim_max};
}

static int process_merge(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct field fields[MERGED_FIELDS_MAX];
	struct oci_process process;

	fields_relax(process_fields, fields);
	process_unconvert(decoder->arena, member, &process);
	if (decode_object(decoder, node, fields, &process, err) < 0)
		return -1;
	return process_convert(decoder->arena, &process, member, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

static bool mounts_have(const struct spec_mount *mounts, size_t count, const char *destination)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(mounts[i].destination, destination))
			return true;
	return false;
}

/* Further ones; one on a place that is taken takes it. */
static int mounts_merge(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct spec *spec = (struct spec *)((char *)member - offsetof(struct spec, mounts));
	size_t old_count = spec->mounts.count, count = 0;

	if (oci_decode_mounts(decoder, node, member, err) < 0)
		return -1;
	for (size_t i = 0; i < spec->mounts.count; i++)
		if (i >= old_count || !mounts_have(spec->mounts.items + old_count, spec->mounts.count - old_count,
					      spec->mounts.items[i].destination))
			spec->mounts.items[count++] = spec->mounts.items[i];
	spec->mounts.count = count;
	return 0;
}

static void pairs_overlay(struct arena *arena, const struct pairs *old, struct pairs *pairs)
{
	struct pairs all = {0};

	for (size_t i = 0; i < old->count; i++)
		pairs_set(arena, &all, old->items[i].name, old->items[i].value);
	for (size_t i = 0; i < pairs->count; i++)
		pairs_set(arena, &all, pairs->items[i].name, pairs->items[i].value);
	*pairs = all;
}

/* What the caller makes himself, and what can be said in one way only. */
static const struct {
	const char *object, *key, *why;
} merge_refused[] = {
	{NULL, "namespaces", "they are the instance's own"},
	{NULL, "uidMappings", "the range of ids is the instance's own"},
	{NULL, "gidMappings", "the range of ids is the instance's own"},
	{NULL, "cgroupsPath", "the control group is the instance's own"},
	{"resources", "memory", "\"resources\" of the instance says it"},
	{"resources", "cpu", "\"resources\" of the instance says it"},
	{"resources", "pids", "\"resources\" of the instance says it"},
	{"resources", "blockIO", "\"resources\" of the instance says it"},
};

static int linux_merge(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct spec *spec = member;
	struct pairs sysctls = spec->sysctls;

	for (size_t i = 0; i < ARRAY_SIZE(merge_refused); i++) {
		const struct json *object = merge_refused[i].object ? json_get(node, merge_refused[i].object) : node;
		const struct json *found = object ? json_get(object, merge_refused[i].key) : NULL;

		if (found)
			return json_fail_key(decoder->doc, found, err, "\"%s\": %s", found->key, merge_refused[i].why);
	}
	/* Lists are read behind what is there. */
	if (json_get(node, "devices"))
		spec->devices.count = 0;
	if (json_get(node, "netDevices"))
		spec->net_devices.count = 0;
	if (decode_object(decoder, node, oci_linux_fields, spec, err) < 0)
		return -1;
	pairs_overlay(decoder->arena, &sysctls, &spec->sysctls);
	return 0;
}

static const struct field merge_fields[] = {
	STRING("hostname", struct spec, hostname, 0),
	STRING("domainname", struct spec, domainname, 0),
	CUSTOM("process", struct spec, process, process_merge, 0),
	CUSTOM("mounts", struct spec, mounts, mounts_merge, 0),
	PAIRS("annotations", struct spec, annotations, 0),
	{.key = "linux", .kind = FIELD_CUSTOM, .decode = linux_merge},
	REFUSED("hooks", "the key \"hooks\" of the instance says it"),
	REFUSED("root", "the root is the instance's own"),
	REFUSED("ociVersion", "this is no whole specification"),
	END_OF_FIELDS,
};

int oci_spec_merge(
	struct arena *arena, const struct json_doc *doc, const struct json *node, struct spec *spec, struct error *err)
{
	const struct decoder decoder = {.arena = arena, .doc = doc, .mode = DECODE_STRICT};

	return decode_object(&decoder, node, merge_fields, spec, err);
}

int oci_spec_read(struct arena *arena, const char *bundle, const char *config, struct spec *spec, struct error *err)
{
	char whole[PATH_MAX], link[32];
	ssize_t length;
	const char *name = config ? config : "config.json";
	struct json_doc doc;

	auto_fd dir = open(bundle ? bundle : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail_errno(err, "bundle %s", bundle);
	/* What realpath(3) asks of every directory on the way the kernel says at once. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
	length = readlink(link, whole, sizeof(whole));
	if (length < 0 || length == (ssize_t)sizeof(whole))
		return fail_errno(err, "bundle %s: find out its path", bundle);
	whole[length] = '\0';
	if (json_read(arena, config ? AT_FDCWD : dir, name, JSON_PLAIN, &doc, err) < 0)
		return -1;
	return oci_spec_decode(arena, &doc, arena_string(arena, whole), spec, err);
}

int oci_process_decode(struct arena *arena, const struct json_doc *doc, struct spec_process *process, struct error *err)
{
	struct decoder decoder = {.arena = arena, .doc = doc, .mode = DECODE_LENIENT};

	*process = (struct spec_process){0};
	return process_decode(&decoder, doc->root, process, err);
}

int oci_process_read(struct arena *arena, const char *path, struct spec_process *process, struct error *err)
{
	struct json_doc doc;

	if (json_read(arena, AT_FDCWD, path, JSON_PLAIN, &doc, err) < 0)
		return -1;
	return oci_process_decode(arena, &doc, process, err);
}
