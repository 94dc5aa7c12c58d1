/* See change.h. The table is the one place that knows what a key costs; docs/fleet-file.md is its description for
 * people. */
#include "fleet/spec/change.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/json.h"

const char *const change_cost_names[] = {"live", "restart", "recreate", NULL};

enum unit { UNIT_NONE, UNIT_BYTES, UNIT_BITRATE, UNIT_DURATION, UNIT_DECIMAL };

/* By dotted path; of two rows that fit, the longer one counts. What no row fits counts from the next start. */
static const struct key_row {
	const char *path;
	enum change_class change;
	unsigned parts;
	enum unit unit;
} key_rows[] = {
	{"version", CHANGE_NONE, 0, UNIT_NONE},
	{"name", CHANGE_NONE, 0, UNIT_NONE},
	{"fleet", CHANGE_RECORD, 0, UNIT_NONE},
	{"base_name", CHANGE_RECORD, 0, UNIT_NONE},
	{"index", CHANGE_RECORD, 0, UNIT_NONE},
	{"state", CHANGE_RECORD, 0, UNIT_NONE},
	{"autostart", CHANGE_RECORD, 0, UNIT_NONE},
	{"priority", CHANGE_RECORD, 0, UNIT_NONE},
	{"depends_on", CHANGE_RECORD, 0, UNIT_NONE},
	{"stop_signal", CHANGE_RECORD, 0, UNIT_NONE},
	{"stop_grace_period", CHANGE_RECORD, 0, UNIT_DURATION},
	{"labels", CHANGE_RECORD, 0, UNIT_NONE},
	{"description", CHANGE_RECORD, 0, UNIT_NONE},
	{"protect", CHANGE_RECORD, 0, UNIT_NONE},
	{"update", CHANGE_RECORD, 0, UNIT_NONE},
	{"hosts", CHANGE_RECORD, 0, UNIT_NONE},
	{"front", CHANGE_RECORD, 0, UNIT_NONE},
	{"front_port", CHANGE_RECORD, 0, UNIT_NONE},
	{"restart", CHANGE_LIVE, LIVE_MONITOR, UNIT_NONE},
	{"restart.delay", CHANGE_LIVE, LIVE_MONITOR, UNIT_DURATION},
	{"restart.max_delay", CHANGE_LIVE, LIVE_MONITOR, UNIT_DURATION},
	{"idle", CHANGE_LIVE, LIVE_MONITOR, UNIT_NONE},
	{"idle.after", CHANGE_LIVE, LIVE_MONITOR, UNIT_DURATION},
	{"healthcheck", CHANGE_LIVE, LIVE_MONITOR, UNIT_NONE},
	{"healthcheck.interval", CHANGE_LIVE, LIVE_MONITOR, UNIT_DURATION},
	{"healthcheck.timeout", CHANGE_LIVE, LIVE_MONITOR, UNIT_DURATION},
	{"healthcheck.start_period", CHANGE_LIVE, LIVE_MONITOR, UNIT_DURATION},
	{"healthcheck.start_interval", CHANGE_LIVE, LIVE_MONITOR, UNIT_DURATION},
	{"ports", CHANGE_LIVE, LIVE_PORTS, UNIT_NONE},
	{"weight", CHANGE_LIVE, LIVE_PORTS, UNIT_NONE},
	{"aliases", CHANGE_LIVE, LIVE_NAMES, UNIT_NONE},
	{"resources", CHANGE_LIVE, LIVE_LIMITS, UNIT_NONE},
	{"resources.cpus", CHANGE_LIVE, LIVE_LIMITS, UNIT_DECIMAL},
	{"resources.memory", CHANGE_LIVE, LIVE_LIMITS, UNIT_BYTES},
	{"resources.memory_high", CHANGE_LIVE, LIVE_LIMITS, UNIT_BYTES},
	{"resources.memory_low", CHANGE_LIVE, LIVE_LIMITS, UNIT_BYTES},
	{"resources.swap", CHANGE_LIVE, LIVE_LIMITS, UNIT_BYTES},
	{"resources.disk", CHANGE_RECORD, 0, UNIT_BYTES}, /* which whoever writes the record sets: update.c */
	{"resources.egress", CHANGE_LIVE, LIVE_RATES, UNIT_BITRATE},
	{"resources.ingress", CHANGE_LIVE, LIVE_RATES, UNIT_BITRATE},
	{"logging", CHANGE_LIVE, LIVE_MONITOR, UNIT_NONE},
	{"logging.max_size", CHANGE_LIVE, LIVE_MONITOR, UNIT_BYTES},
	{"image", CHANGE_RECREATE, 0, UNIT_NONE},
	{"rootfs", CHANGE_RECREATE, 0, UNIT_NONE},
	{"etc_from_host", CHANGE_RECREATE, 0, UNIT_NONE},
	{"oci", CHANGE_RECREATE, 0, UNIT_NONE},
	{"userns", CHANGE_RECREATE, 0, UNIT_NONE},
	{"network", CHANGE_MOVE, 0, UNIT_NONE},
	{"networks", CHANGE_RECORD, 0, UNIT_NONE}, /* members of "networks" at the top: see networks_compare() */
	{"networks.subnets", CHANGE_RESTART, 0, UNIT_NONE},
	{"networks.mtu", CHANGE_RESTART, 0, UNIT_NONE},
	{"address", CHANGE_MOVE, 0, UNIT_NONE},
	{"address6", CHANGE_MOVE, 0, UNIT_NONE},
	{"gateway", CHANGE_MOVE, 0, UNIT_NONE},
};
static const struct key_row other_keys = {"", CHANGE_RESTART, 0, UNIT_NONE};

static bool row_fits(const struct key_row *row, const char *path)
{
	size_t length = strlen(row->path);

	return !strncmp(row->path, path, length) && (!path[length] || path[length] == '.');
}

static const struct key_row *key_row(const char *path)
{
	const struct key_row *best = &other_keys;

	for (size_t i = 0; i < ARRAY_SIZE(key_rows); i++)
		if (row_fits(&key_rows[i], path) && strlen(key_rows[i].path) > strlen(best->path))
			best = &key_rows[i];
	return best;
}

enum change_class key_cost(const char *path)
{
	return key_row(path)->change;
}

/* --- values for people -------------------------------------------------------------------------------------------- */

static const char *json_text(struct arena *arena, const struct json *value)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_COMPACT);
	size_t length;

	encode_json(encoder, NULL, value);
	auto_free char *text = encoder_take(encoder, &length);
	return arena_string(arena, text);
}

/* "0.500" → "0.5" */
static const char *decimal_shorten(struct arena *arena, const char *digits)
{
	size_t length = strlen(digits);

	while (strchr(digits, '.') && length && digits[length - 1] == '0')
		length--;
	if (length && digits[length - 1] == '.')
		length--;
	return arena_bytes(arena, digits, length);
}

static const char *member_text(const struct json *object, const char *key, const char *otherwise)
{
	const struct json *member = json_get(object, key);

	return member && member->text ? member->text : otherwise;
}

/* As `list` shows them: "127.0.0.1:8080->80/tcp". */
static const char *ports_show(struct arena *arena, const struct json *list)
{
	AUTO(text_drop) struct text text = {0};

	for (const struct json *port = list->first; port; port = port->next) {
		const char *ip = member_text(port, "host_ip", ""), *mode = member_text(port, "mode", "nat");
		bool is_v6 = strchr(ip, ':');

		text_appendf(&text, "%s%s%s%s:%s->%s/%s", port == list->first ? "" : ", ", is_v6 ? "[" : "", ip,
			is_v6 ? "]" : "", member_text(port, "published", "*"), member_text(port, "target", "?"),
			member_text(port, "protocol", "tcp"));
		if (strcmp(mode, port_mode_names[PORT_NAT]) != 0)
			text_appendf(&text, "+%s", mode);
	}
	return arena_string(arena, text_string(&text));
}

const char *plan_value_show(struct arena *arena, const char *key, const struct json *value)
{
	struct error ignored;
	char buffer[24];
	int64_t number;

	if (value->kind == JSON_ARRAY && !strcmp(key, "ports"))
		return ports_show(arena, value);
	if (value->kind != JSON_STRING && value->kind != JSON_NUMBER)
		return json_text(arena, value);
	switch (key_row(key)->unit) {
	case UNIT_BYTES:
		if (size_parse(value->text, &number, &ignored) == 0)
			return arena_string(arena, size_format(number, buffer));
		break;
	case UNIT_BITRATE:
		if (bitrate_parse(value->text, &number, &ignored) == 0)
			return arena_string(arena, bitrate_format(number, buffer));
		break;
	case UNIT_DURATION:
		if (duration_parse(value->text, &number, &ignored) == 0 && number % 1000 == 0)
			return arena_string(arena, duration_format(number, buffer));
		break;
	case UNIT_DECIMAL:
		return decimal_shorten(arena, value->text);
	case UNIT_NONE:
		break;
	}
	return value->kind == JSON_STRING && !*value->text ? "\"\"" : value->text;
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */

static bool trees_equal(const struct json *a, const struct json *b)
{
	if (a->kind != b->kind || a->count != b->count || a->boolean != b->boolean || !text_equal(a->key, b->key) ||
		!text_equal(a->text, b->text))
		return false;
	for (a = a->first, b = b->first; a && b; a = a->next, b = b->next)
		if (!trees_equal(a, b))
			return false;
	return true;
}

static void change_add(struct arena *arena, struct comparison *comparison, struct plan_change change)
{
	struct plan_changes *changes = &comparison->changes;

	changes->items = arena_grow(arena, changes->items, changes->count, &comparison->room, sizeof(*changes->items));
	changes->items[changes->count++] = change;
}

static enum change_cost change_cost(enum change_class change)
{
	if (change == CHANGE_RECREATE)
		return COST_RECREATE;
	return change >= CHANGE_RESTART ? COST_RESTART : COST_LIVE;
}

static bool has_item(const struct json *list, const struct json *wanted)
{
	for (const struct json *item = list ? list->first : NULL; item; item = item->next)
		if (trees_equal(item, wanted))
			return true;
	return false;
}

/* Ports whose sockets the instance got at its start, and that the other list has not. */
static bool sockets_differ(const struct json *ports, const struct json *other)
{
	for (const struct json *port = ports ? ports->first : NULL; port; port = port->next) {
		const struct json *mode = json_get(port, "mode");

		if (mode && text_equal(mode->text, port_mode_names[PORT_SOCKET]) && !has_item(other, port))
			return true;
	}
	return false;
}

/* A limit on processors cannot be lifted again in a running cgroup: the kernel has no word for "all". And one that
 * keeps no log has no pipes to its monitor. */
static bool needs_restart(const char *path, const struct json *from, const struct json *to)
{
	if (!strcmp(path, "resources.cpuset"))
		return !to;
	if (!strcmp(path, "ports"))
		return sockets_differ(from, to) || sockets_differ(to, from);
	return !strcmp(path, "logging.driver") && from && from->kind == JSON_STRING && !strcmp(from->text, "none");
}

static void difference_note(struct arena *arena, struct comparison *comparison, const char *path,
	const struct json *from, const struct json *to)
{
	const struct key_row *row = key_row(path);
	enum change_class change = row->change;

	if (change == CHANGE_NONE)
		return;
	if (needs_restart(path, from, to))
		change = CHANGE_RESTART;
	if (change > comparison->change)
		comparison->change = change;
	comparison->parts |= row->parts;
	change_add(arena, comparison,
		(struct plan_change){.key = path, .from = from, .to = to, .cost = change_cost(change)});
}

static void objects_compare(struct arena *arena, struct comparison *comparison, const char *path,
	const struct json *from, const struct json *to);

static bool has_members(const struct json *node)
{
	return node->kind == JSON_OBJECT && node->count;
}

/* An object that only one side has is shown member by member, too. */
static void values_compare(struct arena *arena, struct comparison *comparison, const char *path,
	const struct json *from, const struct json *to)
{
	static const struct json nothing = {.kind = JSON_OBJECT};

	if (has_members(from ? from : to) && has_members(to ? to : from))
		objects_compare(arena, comparison, path, from ? from : &nothing, to ? to : &nothing);
	else if (!from || !to || !trees_equal(from, to))
		difference_note(arena, comparison, path, from, to);
}

static const char *path_join(struct arena *arena, const char *path, const char *key)
{
	return *path ? arena_format(arena, "%s.%s", path, key) : key;
}

static void objects_compare(struct arena *arena, struct comparison *comparison, const char *path,
	const struct json *from, const struct json *to)
{
	for (const struct json *member = to->first; member; member = member->next)
		values_compare(
			arena, comparison, path_join(arena, path, member->key), json_get(from, member->key), member);
	for (const struct json *member = from->first; member; member = member->next)
		if (!json_get(to, member->key))
			values_compare(arena, comparison, path_join(arena, path, member->key), member, NULL);
}

void specs_compare(
	struct arena *arena, const struct instance_spec *from, const struct instance_spec *to, struct comparison *out)
{
	struct error ignored;
	const struct json *old = instance_spec_tree(arena, from, &ignored);
	const struct json *new = instance_spec_tree(arena, to, &ignored);

	*out = (struct comparison){0};
	/* What we wrote ourselves parses; if it ever did not, the two differ and everything is done anew. */
	if (!old || !new) {
		out->change = CHANGE_RECREATE;
		return;
	}
	objects_compare(arena, out, "", old, new);
}

void trees_compare(
	struct arena *arena, const char *prefix, const struct json *from, const struct json *to, struct comparison *out)
{
	*out = (struct comparison){0};
	objects_compare(arena, out, prefix, from, to);
	for (size_t i = 0; i < out->changes.count; i++)
		out->changes.items[i].key += strlen(prefix) + 1;
}

static const struct json *text_node(struct arena *arena, const char *text)
{
	struct json *node;

	if (!text)
		return NULL;
	node = arena_new(arena, struct json);
	*node = (struct json){.kind = text[strspn(text, "0123456789.")] ? JSON_STRING : JSON_NUMBER, .text = text};
	return node;
}

void comparison_note(
	struct arena *arena, struct comparison *comparison, const char *key, const char *from, const char *to)
{
	difference_note(arena, comparison, key, text_node(arena, from), text_node(arena, to));
	comparison->changes.items[comparison->changes.count - 1].drift = true;
}
