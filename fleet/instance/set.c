/* Changing an instance that is there: layers of the fleet file's own language over what it is, checked as a file is,
 * brought into it while it runs. All or nothing for each instance. */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "fleet/file/merge.h"
#include "fleet/instance/live.h"
#include "fleet/instance/repair.h"
#include "fleet/instance/start.h"
#include "fleet/instance/stop.h"
#include "fleet/monitor/monitor.h"
#include "fleet/network/attachment.h"
#include "fleet/spec/spec_fields.h"

/* What has another command, or belongs to a file of many. */
static const struct {
	const char *key, *why;
} refused[] = {
	{"image", "its own files come from it: make the instance anew"},
	{"rootfs", "its own files come from it: make the instance anew"},
	{"etc_from_host", "its own files come from there: make the instance anew"},
	{"state", "use start, stop, pause or resume"},
	{"profiles", "profiles belong to a fleet file"},
	{"replicas", "replicas belong to a fleet file"},
	{"name", "use rename"},
	{"fleet", "it follows from the file that made the instance"},
};

/* Positions in what was put together from a command line help nobody. */
static int fail_plain(const struct json_doc *doc, struct error *err)
{
	size_t length = strlen(doc->name);
	struct error whole = *err;
	const char *text = whole.text;

	if (strncmp(text, doc->name, length) || text[length] != ':')
		return -1;
	text += length + 1;
	for (int i = 0; i < 2; i++)
		text += strspn(text, "0123456789") + (text[strspn(text, "0123456789")] == ':');
	return fail(err, whole.kind, "%s", text + (*text == ' '));
}

static int layer_check(struct arena *arena, const struct json_doc *doc, const struct json *layer, struct error *err)
{
	const struct decoder decoder = {.arena = arena, .doc = doc, .mode = DECODE_STRICT};
	const struct json *alone = layers_merge(arena, doc, &layer, 1, err);
	struct instance_spec scratch;

	if (!alone)
		return fail_plain(doc, err);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (json_get(layer, refused[i].key))
			return fail(err, ERROR_USAGE, "\"%s\" cannot be set: %s", refused[i].key, refused[i].why);
	instance_spec_init(arena, &scratch, true);
	if (decode_nulls_check(&decoder, layer, instance_fields, err) < 0 ||
		decode_object(&decoder, alone, instance_fields, &scratch, err) < 0)
		return fail_plain(doc, err);
	return 0;
}

static int layers_check(struct arena *arena, const struct json_doc *doc, struct error *err)
{
	for (const struct json *layer = doc->root->first; layer; layer = layer->next)
		if (layer_check(arena, doc, layer, err) < 0)
			return -1;
	return 0;
}

int set_request_make(struct arena *arena, const char *layers, struct set_request *out, struct error *err)
{
	struct json_doc *doc = arena_new(arena, struct json_doc);

	if (json_parse(arena, "value", layers, strlen(layers), JSON_PLAIN, doc, err) < 0)
		return fail_plain(doc, err);
	*out = (struct set_request){.layers = doc};
	return layers_check(arena, doc, err);
}

/* --- one instance ------------------------------------------------------------------------------------------------- */

/* "8080", "8080/udp", or all that `list` shows of it. */
static bool port_is_named(const struct port *port, const char *name)
{
	char whole[PORT_TEXT_SIZE];
	auto_free char *number = text_format("%u", port->published);
	auto_free char *with_protocol = text_format("%u/%s", port->published, port_protocol_names[port->protocol]);

	return !strcmp(name, number) || !strcmp(name, with_protocol) || !strcmp(name, port_format(port, whole));
}

static int port_remove(struct instance_spec *spec, const char *name, struct error *err)
{
	size_t left = 0, before = spec->ports.count;

	for (size_t i = 0; i < before; i++)
		if (!port_is_named(&spec->ports.items[i], name))
			spec->ports.items[left++] = spec->ports.items[i];
	spec->ports.count = left;
	return left < before ? 0 : fail(err, ERROR_MISSING, "port \"%s\" is not published", name);
}

/* Relative to what? A fleet file is not at hand here. */
static int sources_check(const struct instance_spec *spec, struct error *err)
{
	for (size_t i = 0; i < spec->env_file.count; i++)
		if (*spec->env_file.items[i] != '/')
			return fail(
				err, ERROR_USAGE, "env_file: \"%s\" is not an absolute path", spec->env_file.items[i]);
	for (size_t i = 0; i < spec->configs.count; i++)
		if (spec->configs.items[i].source && *spec->configs.items[i].source != '/')
			return fail(err, ERROR_USAGE, "%s: \"%s\" is not an absolute path",
				spec->configs.items[i].secret ? "secrets" : "configs", spec->configs.items[i].source);
	return 0;
}

static int spec_change(struct arena *arena, const struct instance_spec *old, const struct set_request *request,
	struct instance_spec *out, struct error *err)
{
	const struct json *layers[SET_LAYERS_MAX + 1] = {instance_spec_tree(arena, old, err)}, *merged;
	size_t count = 1;

	if (!layers[0])
		return -1;
	for (const struct json *layer = request->layers->root->first; layer; layer = layer->next) {
		if (count > SET_LAYERS_MAX)
			return fail(err, ERROR_USAGE, "more than %d changes at once", SET_LAYERS_MAX);
		layers[count++] = layer;
	}
	merged = layers_merge(arena, request->layers, layers, count, err);
	if (!merged || instance_spec_decode(arena, request->layers, merged, out, err) < 0)
		return fail_plain(request->layers, err);
	for (size_t i = 0; i < request->unpublish.count; i++)
		if (port_remove(out, request->unpublish.items[i], err) < 0)
			return -1;
	instance_spec_order(arena, out);
	return sources_check(out, err);
}

static const char *dearest_key(const struct comparison *comparison)
{
	for (size_t i = 0; i < comparison->changes.count; i++)
		if (comparison->changes.items[i].cost != COST_LIVE)
			return comparison->changes.items[i].key;
	return "";
}

/* What this host cannot do is refused before anything is changed. A network that stays may be away for now. */
static int host_admit(
	const struct host *host, const struct instance_spec *old, const struct instance_spec *spec, struct error *err)
{
	struct cgroup_limits limits;

	resources_limits(&spec->resources, &limits);
	if (cgroup_limits_check(&host->cgroups, &limits, err) < 0)
		return -1;
	return text_equal(old->network, spec->network) ? 0 : attachment_admit(spec, err);
}

struct setting {
	struct arena *arena;
	struct instance *instance;
	struct instance_spec old, wanted;
	struct comparison comparison;
	bool up; /* before */
};

static int setting_prepare(struct setting *setting, const struct set_request *request, struct error *err)
{
	struct instance *instance = setting->instance;

	if (instance_spec_load(setting->arena, instance->dir, instance->name, &setting->old, err) < 0 ||
		spec_change(setting->arena, &setting->old, request, &setting->wanted, err) < 0 ||
		host_admit(instance->host, &setting->old, &setting->wanted, err) < 0)
		return -1;
	specs_compare(setting->arena, &setting->old, &setting->wanted, &setting->comparison);
	setting->up = instance_is_up(instance);
	if (setting->up && setting->comparison.change >= CHANGE_RESTART && !request->may_restart)
		return fail(err, ERROR_BUSY, "\"%s\" counts from the next start: stop it first, or add --allow-restart",
			dearest_key(&setting->comparison));
	return 0;
}

static int start_again(struct instance *instance, struct error *err)
{
	static const struct start_options no_options;

	return instance_start_held(instance, &no_options, err);
}

/* As it was, running again; err says already why. */
static int setting_take_back(const struct setting *setting, bool changed, struct error *err)
{
	struct instance *instance = setting->instance;
	struct error later;

	if ((changed && instance_change_held(instance, &setting->old, 0, &later) < 0) ||
		start_again(instance, &later) < 0)
		return blame(err, "and it is stopped now (%s)", later.text);
	return -1;
}

/* One whose network changes has to be down meanwhile. */
static int setting_with_restart(const struct setting *setting, struct error *err)
{
	struct instance *instance = setting->instance;

	if (instance_stop_held(instance, (struct optional){0}, STOP_TO_START, err) < 0)
		return -1;
	if (instance_change_held(instance, &setting->wanted, 0, err) < 0)
		return setting_take_back(setting, false, err);
	return start_again(instance, err) < 0 ? setting_take_back(setting, true, err) : 0;
}

static int setting_do(struct setting *setting, struct error *err)
{
	if (!setting->comparison.changes.count)
		return 0;
	if (setting->up && setting->comparison.change >= CHANGE_RESTART)
		return setting_with_restart(setting, err);
	return instance_change_held(setting->instance, &setting->wanted, setting->comparison.parts, err);
}

int instance_set(struct arena *arena, struct host *host, const char *name, const struct set_request *request,
	struct plan_changes *out, struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;
	struct setting setting = {.arena = arena, .instance = &instance};

	*out = (struct plan_changes){0};
	if (instance_take(host, name, &instance, err) < 0 || setting_prepare(&setting, request, err) < 0 ||
		setting_do(&setting, err) < 0)
		return blame(err, "set %s", name);
	*out = setting.comparison.changes;
	return 0;
}
