/* The instance's part of the fleet file: one row per key, with the short forms that Compose has too.
 *
 * A key of the language whose feature is not there yet has a row as well: it is refused by its name, and so can never
 * be ignored by mistake. docs/fleet-file.md is the description of these tables for people. */
#include "fleet/spec_fields.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/resource.h>

#include "fleet/words.h"
#include "runtime/runtime.h"

const char *const desired_state_names[] = {"running", "stopped", "paused", NULL};
const char *const restart_policy_names[] = {"no", "on-failure", "always", "unless-stopped", NULL};

/* Every decode_x() of a row has a decode_x_shape beside it: what it takes, as the schema tells it. */

#define SIZE_PATTERN "^[0-9]+(\\.[0-9]+)?[KMGTkmgt]?([Ii]?[Bb])?$"
#define DURATION_PATTERN "^[0-9]+(\\.[0-9]+)?$|^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d))+$"
#define MODE_PATTERN "^[0-7]{1,5}$"

/* --- rows whose C type the macros of base/decode.h do not know ---------------------------------------------------- */

#define ROW_AS(c_type, key_, type, member_, decode_)                                                                   \
	{                                                                                                              \
		.key = key_, .kind = FIELD_CUSTOM, .offset = CHECKED_OFFSET(type, member_, c_type), .decode = decode_, \
		.shape = &decode_##_shape                                                                              \
	}
#define SIZE(key_, type, member_) ROW_AS(struct optional, key_, type, member_, decode_size)
#define SIZE_OF(key_, type, member_) ROW_AS(int64_t, key_, type, member_, decode_plain_size)
#define DURATION(key_, type, member_) ROW_AS(int64_t, key_, type, member_, decode_duration)
#define MODE(key_, type, member_) ROW_AS(struct optional, key_, type, member_, decode_mode)
#define WORDS(key_, type, member_) ROW_AS(struct strings, key_, type, member_, decode_words)
#define NAMED_VALUES(key_, type, member_) ROW_AS(struct pairs, key_, type, member_, decode_named_values)
/* The whole struct is the member: the row adds to a list of it. */
#define INTO_SPEC(key_, decode_)                                                                                       \
	{                                                                                                              \
		.key = key_, .kind = FIELD_CUSTOM, .offset = 0, .decode = decode_, .shape = &decode_##_shape           \
	}

/* --- single values ------------------------------------------------------------------------------------------------ */

/* A value that may be written with or without quotes, because ${index} needs them. */
static int decode_scalar(const struct decoder *decoder, const struct json *node, const char *expected, const char **out,
	struct error *err)
{
	if (node->kind != JSON_STRING && node->kind != JSON_NUMBER) {
		decode_fail(decoder, node, err, "expected %s, found %s", expected, json_kind_name(node->kind));
		return -1;
	}
	*out = arena_string(decoder->arena, node->text);
	return 0;
}

static const struct value_shape decode_plain_size_shape = {
	.forms = FORM_STRING | FORM_NUMBER, .words = "a size such as \"64M\"", .pattern = SIZE_PATTERN};

static int decode_plain_size(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	const char *text;

	if (decode_scalar(decoder, node, "a size such as \"64M\"", &text, err) < 0)
		return -1;
	return size_parse(text, member, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

static const struct value_shape decode_size_shape = {
	.forms = FORM_STRING | FORM_NUMBER, .words = "a size such as \"64M\"", .pattern = SIZE_PATTERN};

static int decode_size(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct optional *size = member;

	if (decode_plain_size(decoder, node, &size->value, err) < 0)
		return -1;
	size->set = true;
	return 0;
}

const struct value_shape decode_duration_shape = {.forms = FORM_STRING | FORM_NUMBER,
	.words = "a duration such as \"1m30s\"; a plain number is seconds",
	.pattern = DURATION_PATTERN};

int decode_duration(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	const char *text;

	if (decode_scalar(decoder, node, "a duration such as \"1m30s\"", &text, err) < 0)
		return -1;
	return duration_parse(text, member, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

static const struct value_shape decode_bitrate_shape = {.forms = FORM_STRING | FORM_NUMBER,
	.words = "bits per second, such as \"100M\"",
	.pattern = "^[0-9]+(\\.[0-9]{1,3})?([KkMmGgTt]?([Bb][Ii][Tt])?)$"};

static int decode_bitrate(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct optional *rate = member;
	const char *text;

	if (decode_scalar(decoder, node, "a rate such as \"100M\"", &text, err) < 0)
		return -1;
	if (bitrate_parse(text, &rate->value, err) < 0)
		return decode_blame(decoder, node, err);
	rate->set = true;
	return 0;
}

static const struct value_shape decode_cpus_shape = {
	.forms = FORM_STRING | FORM_NUMBER, .words = "processors, such as 0.5"};

static int decode_cpus(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct optional *cpus = member;
	const char *text;

	if (decode_scalar(decoder, node, "a number", &text, err) < 0)
		return -1;
	if (cpus_parse(text, &cpus->value, err) < 0)
		return decode_blame(decoder, node, err);
	cpus->set = true;
	return 0;
}

static const struct value_shape decode_pids_shape = {
	.forms = FORM_STRING | FORM_NUMBER, .words = "a number or \"unlimited\"", .pattern = "^unlimited$"};

/* "unlimited" takes away the default. */
static int decode_pids(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct optional *pids = member;

	pids->set = true;
	pids->value = -1;
	if (node->kind == JSON_STRING && !strcmp(node->text, "unlimited"))
		return 0;
	if (node->kind != JSON_NUMBER)
		return decode_fail(decoder, node, err, "expected a number or \"unlimited\", found %s",
			node->kind == JSON_STRING ? node->text : json_kind_name(node->kind));
	return decode_integer(decoder, node, 1, 4194304, &pids->value, err);
}

static int decode_mode_bits(const struct decoder *decoder, const struct json *node, unsigned *mode, struct error *err)
{
	if (node->kind != JSON_STRING)
		return decode_fail(
			decoder, node, err, "expected a string such as \"0440\", found %s", json_kind_name(node->kind));
	return octal_parse(node->text, 07777, mode, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

static const struct value_shape decode_mode_shape = {
	.forms = FORM_STRING, .words = "a file mode such as \"0440\"", .pattern = MODE_PATTERN};

static int decode_mode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct optional *mode = member;
	unsigned bits = 0;

	if (decode_mode_bits(decoder, node, &bits, err) < 0)
		return -1;
	*mode = (struct optional){true, bits};
	return 0;
}

static const struct value_shape decode_text_shape = {.forms = FORM_STRING | FORM_NUMBER};

static int decode_text(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_scalar(decoder, node, "a string", member, err);
}

static const struct value_shape decode_gateway_shape = {.forms = FORM_STRING, .words = "an IPv4 address"};

static int decode_gateway(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	const char *text;

	if (decode_string(decoder, node, &text, err) < 0)
		return -1;
	if (inet_pton(AF_INET, text, member) != 1)
		return decode_fail(decoder, node, err, "\"%s\" is not an IPv4 address", text);
	return 0;
}

static const struct value_shape decode_address6_shape = {.forms = FORM_STRING, .words = "an IPv6 address"};

static int decode_address6(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct ip_address address;
	const char *text;

	if (decode_string(decoder, node, &text, err) < 0)
		return -1;
	if (ip_parse(text, &address, err) < 0 || address.family != AF_INET6 || ip_is_any(&address) ||
		ip_is_loopback(&address))
		return decode_fail(decoder, node, err, "\"%s\" is not an IPv6 address", text);
	*(struct in6_addr *)member = address.v6;
	return 0;
}

static const struct value_shape decode_own_address_shape = {
	.forms = FORM_STRING, .words = "an IPv4 address, with macvlan and bridge \"ADDRESS/PREFIX\""};

static int decode_own_address(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct instance_spec *spec = member;
	const char *text;

	if (decode_string(decoder, node, &text, err) < 0)
		return -1;
	if (address_prefix_parse(text, &spec->address, &spec->address_prefix, err) < 0)
		return decode_blame(decoder, node, err);
	return 0;
}

/* --- several values ----------------------------------------------------------------------------------------------- */

static const struct value_shape decode_words_shape = {
	.forms = FORM_STRING | FORM_LIST, .words = "a list of words, or a string"};

static int decode_words(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	if (node->kind == JSON_ARRAY)
		return decode_strings(decoder, node, member, err);
	if (node->kind != JSON_STRING)
		return decode_fail(
			decoder, node, err, "expected an array or a string, found %s", json_kind_name(node->kind));
	*(struct strings *)member = (struct strings){0};
	return words_split(decoder->arena, node->text, member, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

static int decode_name_and_value(
	const struct decoder *decoder, const struct json *item, struct pairs *pairs, struct error *err)
{
	const char *text = NULL, *equals, *name;

	if (decode_string(decoder, item, &text, err) < 0)
		return -1;
	equals = strchr(text, '=');
	if (!equals)
		return decode_fail(decoder, item, err, "\"%s\": expected NAME=VALUE", text);
	name = arena_bytes(decoder->arena, text, (size_t)(equals - text));
	if (pairs_get(pairs, name))
		return decode_fail(decoder, item, err, "repeated name \"%s\"", name);
	pairs->items[pairs->count++] = (struct pair){name, equals + 1};
	return 0;
}

static int decode_named_value(
	const struct decoder *decoder, const struct json *item, struct pairs *pairs, struct error *err)
{
	struct pair *pair = &pairs->items[pairs->count];

	if (decode_scalar(decoder, item, "a string", &pair->value, err) < 0)
		return -1;
	pair->name = arena_string(decoder->arena, item->key);
	pairs->count++;
	return 0;
}

static const struct value_shape decode_named_values_shape = {.forms = FORM_OBJECT | FORM_LIST,
	.words = "{\"NAME\": \"value\"} or [\"NAME=value\"]",
	.items = &decode_text_shape};

/* {"NAME": "value"} or ["NAME=value"]. */
static int decode_named_values(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct pairs *pairs = member;

	if (node->kind != JSON_OBJECT && node->kind != JSON_ARRAY)
		return decode_fail(
			decoder, node, err, "expected an object or an array, found %s", json_kind_name(node->kind));
	if (node->kind == JSON_OBJECT && decode_keys_check(decoder, node, err) < 0)
		return -1;
	*pairs = (struct pairs){.items = arena_new_array(decoder->arena, node->count, struct pair)};
	for (const struct json *item = node->first; item; item = item->next)
		if ((node->kind == JSON_OBJECT ? decode_named_value : decode_name_and_value)(
			    decoder, item, pairs, err) < 0)
			return -1;
	return 0;
}

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

/* --- ports -------------------------------------------------------------------------------------------------------- */

struct port_numbers {
	uint16_t first, following;
};

static const struct value_shape decode_port_numbers_shape = {
	.forms = FORM_STRING | FORM_NUMBER, .words = "a port number or \"FIRST-LAST\""};

static int decode_port_numbers(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct port_numbers *numbers = member;
	const char *text;

	if (decode_scalar(decoder, node, "a port number or \"FIRST-LAST\"", &text, err) < 0)
		return -1;
	return port_range_parse(text, &numbers->first, &numbers->following, err) < 0 ? decode_blame(decoder, node, err)
										     : 0;
}

static const struct value_shape decode_ip_shape = {.forms = FORM_STRING, .words = "an IP address"};

static int decode_ip(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	const char *text;

	if (decode_string(decoder, node, &text, err) < 0)
		return -1;
	return ip_parse(text, member, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

/* The object's form; "target" and "published" are numbers or ranges. */
struct port_words {
	struct port port;
	struct port_numbers target, published;
};

static const struct field port_fields[] = {
	{.key = "target",
		.kind = FIELD_CUSTOM,
		.flags = REQUIRED,
		.offset = CHECKED_OFFSET(struct port_words, target, struct port_numbers),
		.decode = decode_port_numbers,
		.shape = &decode_port_numbers_shape},
	ROW_AS(struct port_numbers, "published", struct port_words, published, decode_port_numbers),
	ROW_AS(struct ip_address, "host_ip", struct port_words, port.host_ip, decode_ip),
	ENUM("protocol", struct port_words, port.protocol, port_protocol_names, 0),
	ENUM("mode", struct port_words, port.mode, port_mode_names, 0),
	ENUM("balance", struct port_words, port.balance, port_balance_names, 0),
	END_OF_FIELDS,
};

static int decode_port_object(
	const struct decoder *decoder, const struct json *node, struct port *out, struct error *err)
{
	struct port_words words = {.port = *out};

	if (decode_object(decoder, node, port_fields, &words, err) < 0)
		return -1;
	*out = words.port;
	out->target = words.target.first;
	out->published = words.published.first;
	out->following = words.target.following;
	if (out->published && words.published.following != out->following)
		return decode_fail(decoder, node, err, "%u published ports for %u of the instance",
			words.published.following + 1u, out->following + 1u);
	return port_check(out, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

static int decode_port(const struct decoder *decoder, const struct json *node, struct port *out, struct error *err)
{
	const char *text;

	*out = (struct port){.host_ip = ip_from_v4((struct in_addr){htonl(INADDR_LOOPBACK)})};
	if (node->kind == JSON_OBJECT)
		return decode_port_object(decoder, node, out, err);
	if (decode_scalar(decoder, node, "\"PUBLISHED:TARGET\" or an object", &text, err) < 0)
		return -1;
	return port_parse(text, out, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

static int list_expected(const struct decoder *decoder, const struct json *node, struct error *err)
{
	if (node->kind == JSON_ARRAY)
		return 0;
	return decode_fail(decoder, node, err, "expected an array, found %s", json_kind_name(node->kind));
}

static const struct value_shape port_shape = {.forms = FORM_STRING | FORM_NUMBER | FORM_OBJECT,
	.words = "\"PUBLISHED:TARGET\" or an object",
	.fields = port_fields};
static const struct value_shape decode_ports_shape = {.forms = FORM_LIST, .items = &port_shape};

static int decode_ports(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct instance_spec *spec = member;

	if (list_expected(decoder, node, err) < 0)
		return -1;
	spec->ports.items = arena_new_array(decoder->arena, node->count, struct port);
	spec->ports.count = 0;
	for (const struct json *item = node->first; item; item = item->next)
		if (decode_port(decoder, item, &spec->ports.items[spec->ports.count++], err) < 0)
			return -1;
	return 0;
}

/* --- volumes and tmpfs -------------------------------------------------------------------------------------------- */

static const char *const volume_type_names[] = {"bind", "volume", "tmpfs", NULL};

static const struct value_shape decode_volume_mode_shape = {
	.forms = FORM_STRING, .words = "a file mode such as \"0755\"", .pattern = MODE_PATTERN};

static int decode_volume_mode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_mode_bits(decoder, node, member, err);
}

static const struct field volume_fields[] = {
	ENUM("type", struct volume, type, volume_type_names, REQUIRED),
	STRING("source", struct volume, source, 0),
	STRING("target", struct volume, target, REQUIRED),
	BOOL("read_only", struct volume, read_only, 0),
	BOOL("idmap", struct volume, idmap, 0),
	SIZE_OF("size", struct volume, size_bytes),
	ROW_AS(unsigned, "mode", struct volume, mode, decode_volume_mode),
	END_OF_FIELDS,
};

static const struct field tmpfs_fields[] = {
	STRING("target", struct volume, target, REQUIRED),
	SIZE_OF("size", struct volume, size_bytes),
	ROW_AS(unsigned, "mode", struct volume, mode, decode_volume_mode),
	BOOL("read_only", struct volume, read_only, 0),
	END_OF_FIELDS,
};

static int decode_volume(const struct decoder *decoder, const struct json *node, struct volume *out, struct error *err)
{
	const char *text;

	*out = (struct volume){.idmap = true};
	if (node->kind == JSON_OBJECT)
		return decode_object(decoder, node, volume_fields, out, err);
	if (decode_scalar(decoder, node, "\"SOURCE:TARGET\" or an object", &text, err) < 0)
		return -1;
	return volume_parse(decoder->arena, text, out, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

/* "size=64M" or "mode=0755" */
static int tmpfs_option_apply(const char *option, struct volume *out, struct error *err)
{
	if (text_starts_with(option, "size="))
		return size_parse(option + strlen("size="), &out->size_bytes, err);
	if (text_starts_with(option, "mode="))
		return octal_parse(option + strlen("mode="), 07777, &out->mode, err);
	return fail(err, ERROR_USAGE, "\"%s\": expected size=SIZE or mode=MODE", option);
}

static int decode_tmpfs_text(
	const struct decoder *decoder, const struct json *node, struct volume *out, struct error *err)
{
	const char *text, *colon;
	struct strings options;

	if (decode_scalar(decoder, node, "a path or an object", &text, err) < 0)
		return -1;
	colon = strchr(text, ':');
	out->target = colon ? arena_bytes(decoder->arena, text, (size_t)(colon - text)) : text;
	if (!colon)
		return 0;
	options = strings_split(decoder->arena, colon + 1, ',');
	for (size_t i = 0; i < options.count; i++)
		if (tmpfs_option_apply(options.items[i], out, err) < 0)
			return decode_blame(decoder, node, err);
	return 0;
}

static int decode_tmpfs(const struct decoder *decoder, const struct json *node, struct volume *out, struct error *err)
{
	*out = (struct volume){.type = VOLUME_TMPFS, .idmap = true};
	if (node->kind == JSON_OBJECT)
		return decode_object(decoder, node, tmpfs_fields, out, err);
	return decode_tmpfs_text(decoder, node, out, err);
}

/* Both keys fill one list: room for further items behind those that are there. */
static struct volume *volumes_extend(struct arena *arena, struct instance_spec *spec, size_t more)
{
	struct volume *items = arena_new_array(arena, spec->volumes.count + more, struct volume);

	if (spec->volumes.count)
		memcpy(items, spec->volumes.items, spec->volumes.count * sizeof(*items));
	spec->volumes.items = items;
	return items;
}

static int decode_mounts(const struct decoder *decoder, const struct json *node, struct instance_spec *spec,
	int (*decode_one)(const struct decoder *, const struct json *, struct volume *, struct error *),
	struct error *err)
{
	struct volume *items;

	if (list_expected(decoder, node, err) < 0)
		return -1;
	items = volumes_extend(decoder->arena, spec, node->count);
	for (const struct json *item = node->first; item; item = item->next)
		if (decode_one(decoder, item, &items[spec->volumes.count++], err) < 0)
			return -1;
	return 0;
}

static const struct value_shape volume_shape = {
	.forms = FORM_STRING | FORM_OBJECT, .words = "\"SOURCE:TARGET\" or an object", .fields = volume_fields};
static const struct value_shape decode_volumes_shape = {.forms = FORM_LIST, .items = &volume_shape};

static int decode_volumes(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_mounts(decoder, node, member, decode_volume, err);
}

static const struct value_shape tmpfs_shape = {
	.forms = FORM_STRING | FORM_OBJECT, .words = "a path or an object", .fields = tmpfs_fields};
static const struct value_shape decode_tmpfs_list_shape = {.forms = FORM_LIST, .items = &tmpfs_shape};

static int decode_tmpfs_list(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_mounts(decoder, node, member, decode_tmpfs, err);
}

/* --- configs and secrets ------------------------------------------------------------------------------------------ */

static const struct field config_fields[] = {
	STRING("source", struct config_spec, source, 0),
	STRING("content", struct config_spec, content, 0),
	STRING("target", struct config_spec, target, REQUIRED),
	MODE("mode", struct config_spec, mode),
	END_OF_FIELDS,
};

static const struct field secret_fields[] = {
	STRING("source", struct config_spec, source, REQUIRED),
	STRING("target", struct config_spec, target, REQUIRED),
	MODE("mode", struct config_spec, mode),
	REFUSED("content", "a secret comes from a file (\"source\"): this file and the records keep no secrets"),
	END_OF_FIELDS,
};

static int decode_config_list(const struct decoder *decoder, const struct json *node, struct instance_spec *spec,
	bool secret, struct error *err)
{
	struct config_spec *items, *next;

	if (list_expected(decoder, node, err) < 0)
		return -1;
	items = arena_new_array(decoder->arena, spec->configs.count + node->count, struct config_spec);
	if (spec->configs.count)
		memcpy(items, spec->configs.items, spec->configs.count * sizeof(*items));
	spec->configs.items = items;
	for (const struct json *item = node->first; item; item = item->next) {
		next = &items[spec->configs.count++];
		next->secret = secret;
		if (decode_object(decoder, item, secret ? secret_fields : config_fields, next, err) < 0)
			return -1;
	}
	return 0;
}

static const struct value_shape config_shape = {.forms = FORM_OBJECT, .fields = config_fields};
static const struct value_shape decode_configs_shape = {.forms = FORM_LIST, .items = &config_shape};

static int decode_configs(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_config_list(decoder, node, member, false, err);
}

static const struct value_shape secret_shape = {.forms = FORM_OBJECT, .fields = secret_fields};
static const struct value_shape decode_secrets_shape = {.forms = FORM_LIST, .items = &secret_shape};

static int decode_secrets(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_config_list(decoder, node, member, true, err);
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
	NOT_BUILT("landlock"),
	END_OF_FIELDS,
};

static const struct value_shape decode_security_shape = {.forms = FORM_OBJECT, .fields = security_fields};

static int decode_security(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_object(decoder, node, security_fields, member, err);
}

static const struct value_shape decode_userns_mode_shape = {.forms = FORM_STRING, .pattern = "^auto$"};

/* What there is, one range of 65,536 ids for each instance, may be said; nothing is kept of it. */
static int decode_userns_mode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	const char *mode = NULL;

	(void)member;
	if (decode_string(decoder, node, &mode, err) < 0)
		return -1;
	if (strcmp(mode, "auto"))
		return decode_fail(decoder, node, err, "\"%s\": only \"auto\" is built in this version", mode);
	return 0;
}

static const struct value_shape decode_userns_size_shape = {.forms = FORM_NUMBER};

static int decode_userns_size(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	int64_t size = 0;

	(void)member;
	if (decode_integer(decoder, node, 1, UINT32_MAX, &size, err) < 0)
		return -1;
	if (size != SLOT_ID_COUNT)
		return decode_fail(
			decoder, node, err, "%jd: only %u is built in this version", (intmax_t)size, SLOT_ID_COUNT);
	return 0;
}

static const struct field userns_fields[] = {
	INTO_SPEC("mode", decode_userns_mode),
	INTO_SPEC("size", decode_userns_size),
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

/* --- what runs on the host, and what no key says -------------------------------------------------------------------
 */

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
	NOT_BUILT("idle"),
	OBJECT("update", struct instance_spec, update, update_fields, 0),
	STRING("stop_signal", struct instance_spec, stop_signal, 0),
	DURATION("stop_grace_period", struct instance_spec, stop_grace_ms),
	OBJECT("logging", struct instance_spec, logging, logging_fields, 0),
	INTO_SPEC("userns", decode_userns),
	STRINGS("cap_add", struct instance_spec, cap_add, 0),
	STRINGS("cap_drop", struct instance_spec, cap_drop, 0),
	INTO_SPEC("security", decode_security),
	NAMED_VALUES("sysctls", struct instance_spec, sysctls),
	NOT_BUILT("devices"),
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
