/* spec.json: the specification in the fleet file's own words, complete, so that it can be read back and compared with
 * another one key by key. Also what a specification is before anybody said anything. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "fleet/spec/spec_fields.h"

#define SPEC_VERSION 1

#define PIDS_DEFAULT 512
#define RESTART_DELAY_MS 100
#define RESTART_MAX_DELAY_MS 60000
#define STOP_GRACE_MS 10000
#define LOG_SIZE_BYTES (INT64_C(10) << 20)
#define LOG_FILES 3

void instance_spec_init(struct arena *arena, struct instance_spec *spec, bool in_fleet)
{
	(void)arena;
	*spec = (struct instance_spec){
		.autostart = true,
		.resources.pids = {true, PIDS_DEFAULT},
		.network = NETWORK_DEFAULT,
		.health.on_failure = HEALTH_UNSAID,
		.restart = {.policy = in_fleet ? RESTART_ALWAYS : RESTART_NO,
			.delay_ms = RESTART_DELAY_MS,
			.max_delay_ms = RESTART_MAX_DELAY_MS},
		.update = update_default,
		.stop_grace_ms = STOP_GRACE_MS,
		.weight = 1,
		.logging = {.driver = "file", .max_size_bytes = LOG_SIZE_BYTES, .max_files = LOG_FILES},
		.no_new_privileges = true,
		.id_count = SLOT_ID_COUNT,
		.seccomp = "default",
	};
}

/* --- order -------------------------------------------------------------------------------------------------------- */

static void volumes_order(struct arena *arena, struct instance_spec *spec)
{
	struct volume *ordered = arena_new_array(arena, spec->volumes.count, struct volume);
	size_t count = 0;

	for (int tmpfs = 0; tmpfs < 2; tmpfs++)
		for (size_t i = 0; i < spec->volumes.count; i++)
			if ((spec->volumes.items[i].type == VOLUME_TMPFS) == tmpfs)
				ordered[count++] = spec->volumes.items[i];
	spec->volumes.items = ordered;
}

static void configs_order(struct arena *arena, struct instance_spec *spec)
{
	struct config_spec *ordered = arena_new_array(arena, spec->configs.count, struct config_spec);
	size_t count = 0;

	for (int secret = 0; secret < 2; secret++)
		for (size_t i = 0; i < spec->configs.count; i++)
			if (spec->configs.items[i].secret == secret)
				ordered[count++] = spec->configs.items[i];
	spec->configs.items = ordered;
}

void instance_spec_order(struct arena *arena, struct instance_spec *spec)
{
	volumes_order(arena, spec);
	configs_order(arena, spec);
}

/* --- values that JSON has no kind for ----------------------------------------------------------------------------- */

void encode_duration(struct encoder *encoder, const char *key, int64_t ms)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64 "ms", ms);
	encode_string(encoder, key, text);
}

static void encode_optional(struct encoder *encoder, const char *key, const struct optional *value)
{
	if (value->set)
		encode_integer(encoder, key, value->value);
}

static void encode_octal(struct encoder *encoder, const char *key, unsigned mode)
{
	char text[16];

	snprintf(text, sizeof(text), "%04o", mode);
	encode_string(encoder, key, text);
}

static void encode_address(struct encoder *encoder, const char *key, struct in_addr address)
{
	char text[INET_ADDRSTRLEN];

	encode_string(encoder, key, inet_ntop(AF_INET, &address, text, sizeof(text)));
}

static void encode_own_address(struct encoder *encoder, const struct instance_spec *spec)
{
	char text[INET_ADDRSTRLEN], whole[INET_ADDRSTRLEN + 4];

	if (!spec->address.s_addr)
		return;
	inet_ntop(AF_INET, &spec->address, text, sizeof(text));
	if (spec->address_prefix)
		snprintf(whole, sizeof(whole), "%s/%u", text, spec->address_prefix);
	encode_string(encoder, "address", spec->address_prefix ? whole : text);
}

static void encode_cpus(struct encoder *encoder, const struct optional *milli)
{
	char text[32];

	if (!milli->set)
		return;
	snprintf(text, sizeof(text), "%" PRId64 ".%03" PRId64, milli->value / 1000, milli->value % 1000);
	encode_number(encoder, "cpus", text);
}

/* --- the parts ---------------------------------------------------------------------------------------------------- */

static void encode_io_max(struct encoder *encoder, const struct resources_spec *resources)
{
	char device[32];

	if (!resources->io_max.count)
		return;
	encode_array_begin(encoder, "io_max");
	for (size_t i = 0; i < resources->io_max.count; i++) {
		const struct cgroup_io_max *limit = &resources->io_max.items[i];

		encode_object_begin(encoder, NULL);
		snprintf(device, sizeof(device), "%u:%u", limit->major, limit->minor);
		encode_string(encoder, "device", device);
		encode_optional(encoder, "rbps", &limit->rbps);
		encode_optional(encoder, "wbps", &limit->wbps);
		encode_optional(encoder, "riops", &limit->riops);
		encode_optional(encoder, "wiops", &limit->wiops);
		encode_object_end(encoder);
	}
	encode_array_end(encoder);
}

static void encode_resources(struct encoder *encoder, const struct resources_spec *resources)
{
	encode_object_begin(encoder, "resources");
	encode_cpus(encoder, &resources->cpus_milli);
	encode_optional(encoder, "cpu_weight", &resources->cpu_weight);
	encode_string(encoder, "cpuset", resources->cpuset);
	encode_optional(encoder, "memory", &resources->memory_bytes);
	encode_optional(encoder, "memory_high", &resources->memory_high_bytes);
	encode_optional(encoder, "memory_low", &resources->memory_low_bytes);
	encode_optional(encoder, "swap", &resources->swap_bytes);
	if (resources->pids.set && resources->pids.value < 0)
		encode_string(encoder, "pids", "unlimited");
	else
		encode_optional(encoder, "pids", &resources->pids);
	encode_optional(encoder, "io_weight", &resources->io_weight);
	encode_io_max(encoder, resources);
	encode_optional(encoder, "disk", &resources->disk_bytes);
	encode_optional(encoder, "egress", &resources->egress_bits);
	encode_optional(encoder, "ingress", &resources->ingress_bits);
	encode_object_end(encoder);
}

static void encode_limit(struct encoder *encoder, const char *key, rlim_t limit)
{
	if (limit == RLIM_INFINITY)
		encode_string(encoder, key, "unlimited");
	else
		encode_uint64(encoder, key, limit);
}

static void encode_ulimits(struct encoder *encoder, const struct instance_spec *spec)
{
	if (!spec->ulimits.count)
		return;
	encode_object_begin(encoder, "ulimits");
	for (size_t i = 0; i < spec->ulimits.count; i++) {
		const struct ulimit_spec *limit = &spec->ulimits.items[i];

		encode_object_begin(encoder, limit->name);
		encode_limit(encoder, "soft", limit->limit.rlim_cur);
		encode_limit(encoder, "hard", limit->limit.rlim_max);
		encode_object_end(encoder);
	}
	encode_object_end(encoder);
}

static void encode_port_numbers(struct encoder *encoder, const char *key, uint16_t first, uint16_t following)
{
	char text[16];

	if (!following) {
		encode_integer(encoder, key, first);
		return;
	}
	snprintf(text, sizeof(text), "%u-%u", first, first + following);
	encode_string(encoder, key, text);
}

static void encode_ports(struct encoder *encoder, const struct instance_spec *spec)
{
	char address[INET6_ADDRSTRLEN];

	if (!spec->ports.count)
		return;
	encode_array_begin(encoder, "ports");
	for (size_t i = 0; i < spec->ports.count; i++) {
		const struct port *port = &spec->ports.items[i];

		encode_object_begin(encoder, NULL);
		encode_port_numbers(encoder, "target", port->target, port->following);
		if (port->published)
			encode_port_numbers(encoder, "published", port->published, port->following);
		encode_string(encoder, "host_ip", ip_format(&port->host_ip, address));
		encode_string(encoder, "protocol", port_protocol_names[port->protocol]);
		if (port->mode != PORT_NAT)
			encode_string(encoder, "mode", port_mode_names[port->mode]);
		if (port->balance != PORT_ALONE)
			encode_string(encoder, "balance", port_balance_names[port->balance]);
		encode_object_end(encoder);
	}
	encode_array_end(encoder);
}

static void encode_volume(struct encoder *encoder, const struct volume *volume)
{
	encode_object_begin(encoder, NULL);
	if (volume->type != VOLUME_TMPFS) {
		encode_string(encoder, "type", volume->type == VOLUME_BIND ? "bind" : "volume");
		encode_string(encoder, "source", volume->source);
	}
	encode_string(encoder, "target", volume->target);
	if (volume->read_only)
		encode_bool(encoder, "read_only", true);
	if (!volume->idmap && volume->type != VOLUME_TMPFS)
		encode_bool(encoder, "idmap", false);
	if (volume->size_bytes)
		encode_integer(encoder, "size", volume->size_bytes);
	if (volume->mode)
		encode_octal(encoder, "mode", volume->mode);
	encode_object_end(encoder);
}

static void encode_volumes(struct encoder *encoder, const char *key, const struct instance_spec *spec, bool tmpfs)
{
	bool begun = false;

	for (size_t i = 0; i < spec->volumes.count; i++) {
		if ((spec->volumes.items[i].type == VOLUME_TMPFS) != tmpfs)
			continue;
		if (!begun)
			encode_array_begin(encoder, key);
		begun = true;
		encode_volume(encoder, &spec->volumes.items[i]);
	}
	if (begun)
		encode_array_end(encoder);
}

static void encode_configs(struct encoder *encoder, const char *key, const struct instance_spec *spec, bool secrets)
{
	bool begun = false;

	for (size_t i = 0; i < spec->configs.count; i++) {
		const struct config_spec *config = &spec->configs.items[i];

		if (config->secret != secrets)
			continue;
		if (!begun)
			encode_array_begin(encoder, key);
		begun = true;
		encode_object_begin(encoder, NULL);
		encode_string(encoder, "source", config->source);
		encode_string(encoder, "content", config->content);
		encode_string(encoder, "target", config->target);
		if (config->mode.set)
			encode_octal(encoder, "mode", (unsigned)config->mode.value);
		encode_object_end(encoder);
	}
	if (begun)
		encode_array_end(encoder);
}

static void encode_dependencies(struct encoder *encoder, const struct instance_spec *spec)
{
	if (!spec->depends_on.count)
		return;
	encode_object_begin(encoder, "depends_on");
	for (size_t i = 0; i < spec->depends_on.count; i++) {
		encode_object_begin(encoder, spec->depends_on.items[i].name);
		encode_string(encoder, "condition", spec->depends_on.items[i].condition);
		encode_object_end(encoder);
	}
	encode_object_end(encoder);
}

static void encode_restart(struct encoder *encoder, const struct restart_spec *restart)
{
	encode_object_begin(encoder, "restart");
	encode_string(encoder, "policy", restart_policy_names[restart->policy]);
	encode_duration(encoder, "delay", restart->delay_ms);
	encode_duration(encoder, "max_delay", restart->max_delay_ms);
	encode_optional(encoder, "max_retries", &restart->max_retries);
	encode_object_end(encoder);
}

static void encode_logging(struct encoder *encoder, const struct logging_spec *logging)
{
	encode_object_begin(encoder, "logging");
	encode_string(encoder, "driver", logging->driver);
	encode_integer(encoder, "max_size", logging->max_size_bytes);
	encode_integer(encoder, "max_files", logging->max_files);
	encode_object_end(encoder);
}

/* Nothing where it is the default, so that records from before the key do not differ. */
static void encode_userns(struct encoder *encoder, const struct instance_spec *spec)
{
	if (spec->id_count == SLOT_ID_COUNT)
		return;
	encode_object_begin(encoder, "userns");
	encode_integer(encoder, "size", spec->id_count);
	encode_object_end(encoder);
}

static void encode_security(struct encoder *encoder, const struct instance_spec *spec)
{
	encode_object_begin(encoder, "security");
	encode_string(encoder, "seccomp", spec->seccomp);
	encode_bool(encoder, "no_new_privileges", spec->no_new_privileges);
	encode_string(encoder, "apparmor", spec->apparmor);
	encode_string(encoder, "selinux", spec->selinux);
	encode_object_end(encoder);
}

static void encode_flag(struct encoder *encoder, const char *key, bool value)
{
	if (value)
		encode_bool(encoder, key, true);
}

static void encode_hooks(struct encoder *encoder, const struct spec_hooks *hooks)
{
	for (size_t i = 0; i < HOOK_KINDS; i++)
		if (hooks->of[i].count) {
			encode_object(encoder, "hooks", spec_hooks_fields, hooks);
			return;
		}
}

static void encode_identity(struct encoder *encoder, const struct instance_spec *spec)
{
	encode_integer(encoder, "version", SPEC_VERSION);
	encode_string(encoder, "name", spec->name);
	encode_string(encoder, "fleet", spec->fleet);
	encode_string(encoder, "base_name", spec->base_name ? spec->base_name : spec->name);
	if (spec->index)
		encode_integer(encoder, "index", spec->index);
	encode_string(encoder, "stands_in_for", spec->stands_in_for);
	encode_flag(encoder, "terminal", spec->terminal);
	encode_flag(encoder, "interactive", spec->interactive);
	encode_flag(encoder, "remove", spec->remove);
}

static void encode_program(struct encoder *encoder, const struct instance_spec *spec)
{
	encode_string(encoder, "image", spec->image);
	encode_string(encoder, "rootfs", spec->rootfs);
	encode_strings(encoder, "etc_from_host", &spec->etc_from_host);
	encode_string(encoder, "state", desired_state_names[spec->state]);
	encode_bool(encoder, "autostart", spec->autostart);
	encode_integer(encoder, "priority", spec->priority);
	encode_dependencies(encoder, spec);
	encode_strings(encoder, "command", &spec->command);
	encode_strings(encoder, "entrypoint", &spec->entrypoint);
	encode_pairs(encoder, "environment", &spec->environment);
	encode_strings(encoder, "env_file", &spec->env_file);
	encode_string(encoder, "user", spec->user);
	encode_string(encoder, "working_dir", spec->working_dir);
	encode_string(encoder, "hostname", spec->hostname);
	encode_flag(encoder, "boot", spec->boot);
}

static void encode_surroundings(struct encoder *encoder, const struct instance_spec *spec)
{
	encode_resources(encoder, &spec->resources);
	encode_ulimits(encoder, spec);
	encode_string(encoder, "network", spec->network);
	encode_own_address(encoder, spec);
	if (!IN6_IS_ADDR_UNSPECIFIED(&spec->address6)) {
		const struct ip_address address6 = ip_from_v6(&spec->address6);
		char text[INET6_ADDRSTRLEN];

		encode_string(encoder, "address6", ip_format(&address6, text));
	}
	if (spec->gateway.s_addr)
		encode_address(encoder, "gateway", spec->gateway);
	encode_strings(encoder, "aliases", &spec->aliases);
	encode_ports(encoder, spec);
	if (spec->weight != 1)
		encode_integer(encoder, "weight", spec->weight);
	encode_volumes(encoder, "volumes", spec, false);
	encode_volumes(encoder, "tmpfs", spec, true);
	encode_bool(encoder, "read_only", spec->read_only);
	encode_flag(encoder, "ephemeral", spec->ephemeral);
	encode_configs(encoder, "configs", spec, false);
	encode_configs(encoder, "secrets", spec, true);
	encode_devices(encoder, spec);
}

static void encode_front(struct encoder *encoder, const struct instance_spec *spec)
{
	if (spec->hosts.count)
		encode_strings(encoder, "hosts", &spec->hosts);
	encode_flag(encoder, "front", spec->front);
	encode_optional(encoder, "front_port", &spec->front_port);
}

static void encode_life_and_rights(struct encoder *encoder, const struct instance_spec *spec)
{
	update_encode(encoder, &spec->update);
	encode_health(encoder, &spec->health);
	encode_restart(encoder, &spec->restart);
	encode_idle(encoder, &spec->idle);
	encode_string(encoder, "stop_signal", spec->stop_signal);
	encode_duration(encoder, "stop_grace_period", spec->stop_grace_ms);
	encode_logging(encoder, &spec->logging);
	encode_userns(encoder, spec);
	encode_strings(encoder, "cap_add", &spec->cap_add);
	encode_strings(encoder, "cap_drop", &spec->cap_drop);
	encode_security(encoder, spec);
	encode_pairs(encoder, "sysctls", &spec->sysctls);
	encode_pairs(encoder, "labels", &spec->labels);
	encode_string(encoder, "description", spec->description);
	encode_bool(encoder, "protect", spec->protect);
	encode_hooks(encoder, &spec->hooks);
	if (spec->oci)
		encode_json(encoder, "oci", spec->oci);
}

void instance_spec_encode(struct encoder *encoder, const char *key, const struct instance_spec *spec)
{
	encode_object_begin(encoder, key);
	encode_identity(encoder, spec);
	encode_program(encoder, spec);
	encode_surroundings(encoder, spec);
	encode_front(encoder, spec);
	encode_life_and_rights(encoder, spec);
	encode_object_end(encoder);
}

/* --- and back ----------------------------------------------------------------------------------------------------- */

/* A record of a newer version may hold more keys, but says so by its number when they must not be passed over. */
static int version_check(const struct decoder *decoder, const struct json *node, struct error *err)
{
	const struct json *member = json_get(node, "version");
	int64_t version;

	if (!member)
		return json_fail(decoder->doc, node, err, "missing key \"version\"");
	if (decode_integer(decoder, member, 1, INT64_MAX, &version, err) < 0)
		return -1;
	if (version != SPEC_VERSION)
		return decode_fail(
			decoder, member, err, "%" PRId64 ": written by a newer version of this program", version);
	return 0;
}

int instance_spec_decode(struct arena *arena, const struct json_doc *doc, const struct json *node,
	struct instance_spec *out, struct error *err)
{
	const struct decoder decoder = {.arena = arena, .doc = doc, .mode = DECODE_LENIENT};

	instance_spec_init(arena, out, false);
	if (decode_object(&decoder, node, instance_identity_fields, out, err) < 0 ||
		version_check(&decoder, node, err) < 0 || decode_object(&decoder, node, instance_fields, out, err) < 0)
		return -1;
	if (instance_spec_check(out, err) < 0)
		return blame(err, "%s", doc->name);
	return 0;
}

const struct json *instance_spec_tree(struct arena *arena, const struct instance_spec *spec, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);

	instance_spec_encode(encoder, NULL, spec);
	return encoder_tree(encoder, arena, err);
}
