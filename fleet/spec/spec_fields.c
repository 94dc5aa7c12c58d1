/* The instance's part of the fleet file: one row per key, with the short forms that Compose has too.
 *
 * A key of the language that is not there has a row as well: it is refused by its name, and so can never be ignored by
 * mistake. docs/fleet-file.md is the description of these tables for people. */
#include "fleet/spec/spec_rows.h"

#include <string.h>
#include <sys/resource.h>

#include "runtime/runtime.h"

const char *const desired_state_names[] = {"running", "stopped", "paused", NULL};
const char *const restart_policy_names[] = {"no", "on-failure", "always", "unless-stopped", NULL};

/* Every decode_x() of a row has a decode_x_shape beside it: what it takes, as the schema tells it. */

/* --- resources ---------------------------------------------------------------------------------------------------- */

static const struct value_shape decode_device_number_shape = {
	.forms = FORM_STRING, .words = "a device number such as \"8:0\"", .pattern = "^[0-9]+:[0-9]+$"};

static int decode_device_number(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct cgroup_io_max *limit = member;
	const char *text, *colon;
	int64_t major, minor;

	if (decode_string(decoder, node, &text, err) < 0)
		return -1;
	colon = strchr(text, ':');
	if (!colon)
		return decode_fail(decoder, node, err, "\"%s\" is not a device number such as \"8:0\"", text);
	if (number_parse(arena_bytes(decoder->arena, text, (size_t)(colon - text)), 0, 4095, &major, err) < 0 ||
		number_parse(colon + 1, 0, 1048575, &minor, err) < 0)
		return decode_blame(decoder, node, err);
	limit->major = (uint32_t)major;
	limit->minor = (uint32_t)minor;
	return 0;
}

static const struct field io_max_fields[] = {
	{.key = "device",
		.kind = FIELD_CUSTOM,
		.flags = REQUIRED,
		.decode = decode_device_number,
		.shape = &decode_device_number_shape},
	SIZE("rbps", struct cgroup_io_max, rbps),
	SIZE("wbps", struct cgroup_io_max, wbps),
	OPTIONAL("riops", struct cgroup_io_max, riops, 1, UINT32_MAX, 0),
	OPTIONAL("wiops", struct cgroup_io_max, wiops, 1, UINT32_MAX, 0),
	END_OF_FIELDS,
};

static const struct field resources_fields[] = {
	ROW_AS(struct optional, "cpus", struct resources_spec, cpus_milli, decode_cpus),
	OPTIONAL("cpu_weight", struct resources_spec, cpu_weight, 1, 10000, 0),
	STRING("cpuset", struct resources_spec, cpuset, 0),
	SIZE("memory", struct resources_spec, memory_bytes),
	SIZE("memory_high", struct resources_spec, memory_high_bytes),
	SIZE("memory_low", struct resources_spec, memory_low_bytes),
	SIZE("swap", struct resources_spec, swap_bytes),
	ROW_AS(struct optional, "pids", struct resources_spec, pids, decode_pids),
	OPTIONAL("io_weight", struct resources_spec, io_weight, 1, 10000, 0),
	LIST("io_max", struct resources_spec, io_max, io_max_fields, 0),
	SIZE("disk", struct resources_spec, disk_bytes),
	ROW_AS(struct optional, "egress", struct resources_spec, egress_bits, decode_bitrate),
	ROW_AS(struct optional, "ingress", struct resources_spec, ingress_bits, decode_bitrate),
	END_OF_FIELDS,
};

/* --- ulimits ------------------------------------------------------------------------------------------------------ */

static const struct value_shape decode_limit_shape = {
	.forms = FORM_STRING | FORM_NUMBER, .words = "a number or \"unlimited\"", .pattern = "^([0-9]+|unlimited)$"};

static int decode_limit(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	rlim_t *limit = member;
	const char *text;
	uint64_t value;

	if (decode_scalar(decoder, node, "a number or \"unlimited\"", &text, err) < 0)
		return -1;
	*limit = RLIM_INFINITY;
	if (!strcmp(text, "unlimited"))
		return 0;
	if (number_parse_u64(text, INT64_MAX, &value, err) < 0)
		return decode_blame(decoder, node, err);
	*limit = value;
	return 0;
}

static const struct field rlimit_fields[] = {
	{.key = "soft",
		.kind = FIELD_CUSTOM,
		.flags = REQUIRED,
		.offset = CHECKED_OFFSET(struct rlimit, rlim_cur, rlim_t),
		.decode = decode_limit,
		.shape = &decode_limit_shape},
	{.key = "hard",
		.kind = FIELD_CUSTOM,
		.flags = REQUIRED,
		.offset = CHECKED_OFFSET(struct rlimit, rlim_max, rlim_t),
		.decode = decode_limit,
		.shape = &decode_limit_shape},
	END_OF_FIELDS,
};

/* 1024, "1024", "1024:65536" or {"soft": …, "hard": …}. */
static int decode_soft_and_hard(
	const struct decoder *decoder, const struct json *node, struct rlimit *out, struct error *err)
{
	struct json part = *node;
	const char *text, *colon;

	if (node->kind == JSON_OBJECT)
		return decode_object(decoder, node, rlimit_fields, out, err);
	if (decode_scalar(decoder, node, "a number, \"SOFT:HARD\" or an object", &text, err) < 0)
		return -1;
	colon = strchr(text, ':');
	part.text = colon ? arena_bytes(decoder->arena, text, (size_t)(colon - text)) : text;
	if (decode_limit(decoder, &part, &out->rlim_cur, err) < 0)
		return -1;
	part.text = colon ? colon + 1 : text;
	return decode_limit(decoder, &part, &out->rlim_max, err);
}

static const struct value_shape ulimit_shape = {.forms = FORM_STRING | FORM_NUMBER | FORM_OBJECT,
	.words = "SOFT, \"SOFT:HARD\" or an object",
	.fields = rlimit_fields};
static const struct value_shape decode_ulimits_shape = {.forms = FORM_OBJECT, .items = &ulimit_shape};

static int decode_ulimits(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct instance_spec *spec = member;
	struct ulimit_spec *next;

	if (node->kind != JSON_OBJECT)
		return decode_fail(decoder, node, err, "expected an object, found %s", json_kind_name(node->kind));
	if (decode_keys_check(decoder, node, err) < 0)
		return -1;
	spec->ulimits.items = next = arena_new_array(decoder->arena, node->count, struct ulimit_spec);
	spec->ulimits.count = node->count;
	for (const struct json *item = node->first; item; item = item->next, next++) {
		next->name = arena_string(decoder->arena, item->key);
		if (decode_soft_and_hard(decoder, item, &next->limit, err) < 0)
			return -1;
	}
	return 0;
}

/* --- dependencies, restart, logging, security, user namespace ----------------------------------------------------- */

static const struct field dependency_fields[] = {
	STRING("condition", struct dependency, condition, 0),
	END_OF_FIELDS,
};

static int decode_dependency(
	const struct decoder *decoder, const struct json *item, struct dependency *out, struct error *err)
{
	out->condition = "started";
	if (!item->key)
		return decode_string(decoder, item, &out->name, err);
	out->name = arena_string(decoder->arena, item->key);
	return decode_object(decoder, item, dependency_fields, out, err);
}

static const struct value_shape dependency_shape = {.forms = FORM_OBJECT, .fields = dependency_fields};
static const struct value_shape decode_dependencies_shape = {.forms = FORM_OBJECT | FORM_LIST,
	.words = "{\"db\": {\"condition\": \"started\"}} or [\"db\"]",
	.items = &dependency_shape};

/* {"db": {"condition": "started"}} or ["db"]. */
static int decode_dependencies(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct instance_spec *spec = member;

	if (node->kind != JSON_OBJECT && node->kind != JSON_ARRAY)
		return decode_fail(
			decoder, node, err, "expected an object or an array, found %s", json_kind_name(node->kind));
	if (node->kind == JSON_OBJECT && decode_keys_check(decoder, node, err) < 0)
		return -1;
	spec->depends_on.items = arena_new_array(decoder->arena, node->count, struct dependency);
	spec->depends_on.count = 0;
	for (const struct json *item = node->first; item; item = item->next)
		if (decode_dependency(decoder, item, &spec->depends_on.items[spec->depends_on.count++], err) < 0)
			return -1;
	return 0;
}

static const struct field restart_fields[] = {
	ENUM("policy", struct restart_spec, policy, restart_policy_names, 0),
	DURATION("delay", struct restart_spec, delay_ms),
	DURATION("max_delay", struct restart_spec, max_delay_ms),
	OPTIONAL("max_retries", struct restart_spec, max_retries, 1, 1000000, 0),
	END_OF_FIELDS,
};

static const struct value_shape decode_restart_shape = {
	.forms = FORM_STRING | FORM_OBJECT, .words = "a policy or an object", .fields = restart_fields};

/* "always" is {"policy": "always"}. */
static int decode_restart(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct json policy = *node, object = *node;

	if (node->kind == JSON_OBJECT)
		return decode_object(decoder, node, restart_fields, member, err);
	if (node->kind != JSON_STRING)
		return decode_fail(
			decoder, node, err, "expected a string or an object, found %s", json_kind_name(node->kind));
	policy.key = "policy";
	policy.next = NULL;
	object.kind = JSON_OBJECT;
	object.first = object.last = &policy;
	object.count = 1;
	return decode_object(decoder, &object, restart_fields, member, err);
}

static const struct field logging_fields[] = {
	STRING("driver", struct logging_spec, driver, 0),
	SIZE_OF("max_size", struct logging_spec, max_size_bytes),
	INTEGER("max_files", struct logging_spec, max_files, 1, 100, 0),
	END_OF_FIELDS,
};

static const struct field security_fields[] = {
	STRING("seccomp", struct instance_spec, seccomp, 0),
	BOOL("no_new_privileges", struct instance_spec, no_new_privileges, 0),
	STRING("apparmor", struct instance_spec, apparmor, 0),
	STRING("selinux", struct instance_spec, selinux, 0),
	REFUSED("landlock",
		"no instance is put under Landlock: its rules could say nothing that the mounts do not, and exec "
		"could not join them; remove it"),
	END_OF_FIELDS,
};

static const struct value_shape decode_security_shape = {.forms = FORM_OBJECT, .fields = security_fields};

static int decode_security(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_object(decoder, node, security_fields, member, err);
}

static const struct value_shape decode_userns_mode_shape = {.forms = FORM_STRING, .pattern = "^auto$"};

/* There is one; what others call so is refused for what it would mean. */
static int decode_userns_mode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	const char *mode = NULL;

	(void)member;
	if (decode_string(decoder, node, &mode, err) < 0)
		return -1;
	if (!strcmp(mode, "host"))
		return decode_fail(decoder, node, err,
			"\"host\": root inside would be the host's root, and no instance here is; for a container like "
			"that use warren-oci");
	if (strcmp(mode, "auto"))
		return decode_fail(
			decoder, node, err, "\"%s\" is not \"auto\": the range of ids is chosen, and kept", mode);
	return 0;
}

static const struct field userns_fields[] = {
	INTO_SPEC("mode", decode_userns_mode),
	INTEGER("size", struct instance_spec, id_count, ID_COUNT_LEAST, SLOT_ID_COUNT, 0),
	END_OF_FIELDS,
};

static const struct value_shape decode_userns_shape = {.forms = FORM_OBJECT, .fields = userns_fields};

static int decode_userns(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_object(decoder, node, userns_fields, member, err);
}

/* Used up by the merge and the expansion of replicas; the rows are here so that the keys are known. */
static int decode_nothing(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	(void)decoder;
	(void)node;
	(void)member;
	(void)err;
	return 0;
}
static const struct value_shape profiles_shape = {.forms = FORM_LIST}, replicas_shape = {.forms = FORM_NUMBER};

/* --- what runs on the host, and what no key says ------------------------------------------------------------------ */

static const struct field hook_fields[] = {
	STRING("path", struct spec_hook, path, REQUIRED),
	STRINGS("args", struct spec_hook, args, 0),
	STRINGS("env", struct spec_hook, env, 0),
	OPTIONAL("timeout", struct spec_hook, timeout_s, 1, 3600, 0),
	END_OF_FIELDS,
};

const struct field spec_hooks_fields[] = {
	LIST("create_runtime", struct spec_hooks, of[HOOK_CREATE_RUNTIME], hook_fields, 0),
	LIST("create_container", struct spec_hooks, of[HOOK_CREATE_CONTAINER], hook_fields, 0),
	LIST("start_container", struct spec_hooks, of[HOOK_START_CONTAINER], hook_fields, 0),
	LIST("poststart", struct spec_hooks, of[HOOK_POSTSTART], hook_fields, 0),
	LIST("poststop", struct spec_hooks, of[HOOK_POSTSTOP], hook_fields, 0),
	END_OF_FIELDS,
};

static const struct value_shape anything;
static const struct value_shape decode_oci_shape = {.forms = FORM_OBJECT, .items = &anything};

/* Kept as it is written; tried here on a specification of defaults, so that a mistake is found where it stands. */
static int decode_oci(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct spec *scratch = arena_new(decoder->arena, struct spec);

	if (node->kind != JSON_OBJECT)
		return decode_fail(decoder, node, err, "expected an object, found %s", json_kind_name(node->kind));
	spec_init(scratch);
	spec_set_defaults(decoder->arena, scratch, 0);
	if (oci_spec_merge(decoder->arena, decoder->doc, node, scratch, err) < 0)
		return -1;
	*(const struct json **)member = node->count ? node : NULL;
	return 0;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

const struct field instance_fields[] = {
	STRING("image", struct instance_spec, image, 0),
	STRING("rootfs", struct instance_spec, rootfs, 0),
	STRINGS("etc_from_host", struct instance_spec, etc_from_host, 0),
	{.key = "profiles", .kind = FIELD_CUSTOM, .decode = decode_nothing, .shape = &profiles_shape},
	{.key = "replicas", .kind = FIELD_CUSTOM, .decode = decode_nothing, .shape = &replicas_shape},
	ENUM("state", struct instance_spec, state, desired_state_names, 0),
	BOOL("autostart", struct instance_spec, autostart, 0),
	INTEGER("priority", struct instance_spec, priority, -1000, 1000, 0),
	INTO_SPEC("depends_on", decode_dependencies),
	WORDS("command", struct instance_spec, command),
	WORDS("entrypoint", struct instance_spec, entrypoint),
	NAMED_VALUES("environment", struct instance_spec, environment),
	STRINGS("env_file", struct instance_spec, env_file, 0),
	ROW_AS(const char *, "user", struct instance_spec, user, decode_text),
	STRING("working_dir", struct instance_spec, working_dir, 0),
	STRING("hostname", struct instance_spec, hostname, 0),
	BOOL("boot", struct instance_spec, boot, 0),
	OBJECT("resources", struct instance_spec, resources, resources_fields, 0),
	INTO_SPEC("ulimits", decode_ulimits),
	STRING("network", struct instance_spec, network, 0),
	INTO_SPEC("address", decode_own_address),
	ROW_AS(struct in_addr, "gateway", struct instance_spec, gateway, decode_gateway),
	STRINGS("aliases", struct instance_spec, aliases, 0),
	ROW_AS(struct in6_addr, "address6", struct instance_spec, address6, decode_address6),
	INTO_SPEC("ports", decode_ports),
	INTEGER("weight", struct instance_spec, weight, 1, BALANCE_WEIGHT_MAX, 0),
	INTO_SPEC("volumes", decode_volumes),
	INTO_SPEC("tmpfs", decode_tmpfs_list),
	BOOL("read_only", struct instance_spec, read_only, 0),
	BOOL("ephemeral", struct instance_spec, ephemeral, 0),
	INTO_SPEC("configs", decode_configs),
	INTO_SPEC("secrets", decode_secrets),
	STRINGS("hosts", struct instance_spec, hosts, 0),
	BOOL("front", struct instance_spec, front, 0),
	OPTIONAL("front_port", struct instance_spec, front_port, 1, UINT16_MAX, 0),
	ROW_AS(struct health_spec, "healthcheck", struct instance_spec, health, decode_health),
	ROW_AS(struct restart_spec, "restart", struct instance_spec, restart, decode_restart),
	ROW_AS(struct idle_spec, "idle", struct instance_spec, idle, decode_idle),
	OBJECT("update", struct instance_spec, update, update_fields, 0),
	STRING("stop_signal", struct instance_spec, stop_signal, 0),
	DURATION("stop_grace_period", struct instance_spec, stop_grace_ms),
	OBJECT("logging", struct instance_spec, logging, logging_fields, 0),
	INTO_SPEC("userns", decode_userns),
	STRINGS("cap_add", struct instance_spec, cap_add, 0),
	STRINGS("cap_drop", struct instance_spec, cap_drop, 0),
	INTO_SPEC("security", decode_security),
	NAMED_VALUES("sysctls", struct instance_spec, sysctls),
	INTO_SPEC("devices", decode_devices),
	OBJECT("hooks", struct instance_spec, hooks, spec_hooks_fields, 0),
	NAMED_VALUES("labels", struct instance_spec, labels),
	STRING("description", struct instance_spec, description, 0),
	BOOL("protect", struct instance_spec, protect, 0),
	ROW_AS(const struct json *, "oci", struct instance_spec, oci, decode_oci),
	END_OF_FIELDS,
};

const struct field instance_identity_fields[] = {
	STRING("name", struct instance_spec, name, REQUIRED),
	STRING("fleet", struct instance_spec, fleet, 0),
	STRING("base_name", struct instance_spec, base_name, REQUIRED),
	INTEGER("index", struct instance_spec, index, 0, SLOT_MAX, 0),
	STRING("stands_in_for", struct instance_spec, stands_in_for, 0),
	BOOL("terminal", struct instance_spec, terminal, 0),
	BOOL("interactive", struct instance_spec, interactive, 0),
	BOOL("remove", struct instance_spec, remove, 0),
	END_OF_FIELDS,
};
