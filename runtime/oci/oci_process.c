/* The object `process`, of config.json and of exec --process, → struct spec_process.
 *
 * Capabilities that this kernel or this caller does not have are left out with a warning, because the specification
 * says so; all else that cannot be honoured is refused. */
#include <assert.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "runtime/oci/oci.h"
#include "runtime/runtime.h"

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

const struct field oci_process_fields[] = {
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

int oci_decode_process(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	/* What the object `linux` may have said about it before. */
	struct oci_process from = {.direct = *(const struct spec_process *)member};

	if (decode_object(decoder, node, oci_process_fields, &from, err) < 0)
		return -1;
	if (process_convert(decoder->arena, &from, member, err) < 0)
		return decode_blame(decoder, node, err);
	return 0;
}

/* --- capabilities that cannot be had ------------------------------------------------------------------------------ */

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

/* --- over a process that is described ---------------------------------------------------------------------------- */

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

int oci_merge_process(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct field fields[MERGED_FIELDS_MAX];
	struct oci_process process;

	fields_relax(oci_process_fields, fields);
	process_unconvert(decoder->arena, member, &process);
	if (decode_object(decoder, node, fields, &process, err) < 0)
		return -1;
	return process_convert(decoder->arena, &process, member, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

/* --- a file of its own ------------------------------------------------------------------------------------------- */

int oci_process_decode(struct arena *arena, const struct json_doc *doc, struct spec_process *process, struct error *err)
{
	struct decoder decoder = {.arena = arena, .doc = doc, .mode = DECODE_LENIENT};

	*process = (struct spec_process){0};
	return oci_decode_process(&decoder, doc->root, process, err);
}

int oci_process_read(struct arena *arena, const char *path, struct spec_process *process, struct error *err)
{
	struct json_doc doc;

	if (json_read(arena, AT_FDCWD, path, JSON_PLAIN, &doc, err) < 0)
		return -1;
	return oci_process_decode(arena, &doc, process, err);
}
