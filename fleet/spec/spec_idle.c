/* The key `idle`: after how long without a visitor an instance is put to sleep, and how. */
#include <string.h>

#include "base/cleanup.h"
#include "fleet/spec/network_mode.h"
#include "fleet/spec/spec_check.h"
#include "fleet/spec/spec_rows.h"

#define IDLE_LEAST_MS 1000
#define TOO_SHORT "less than 1s; leave it out for an instance that never sleeps"

const char *const idle_action_names[] = {"freeze+reclaim", "freeze", "stop", NULL};
const char *const idle_wake_names[] = {"connect", NULL};

static const struct field idle_fields[] = {
	DURATION("after", struct idle_spec, after_ms),
	ENUM("action", struct idle_spec, action, idle_action_names, 0),
	ENUM("wake", struct idle_spec, wake, idle_wake_names, 0),
	END_OF_FIELDS,
};

const struct value_shape decode_idle_shape = {.forms = FORM_STRING | FORM_NUMBER | FORM_OBJECT,
	.words = "a duration such as \"10m\", or an object",
	.fields = idle_fields};

/* "10m" is {"after": "10m"}. */
int decode_idle(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct idle_spec *idle = member;
	const struct json *after = node;

	if (node->kind == JSON_OBJECT) {
		if (decode_object(decoder, node, idle_fields, idle, err) < 0)
			return -1;
		after = json_get(node, "after");
		if (!after && node->count && !idle->after_ms)
			return decode_fail(decoder, node, err, "missing \"after\"");
	} else if (decode_duration(decoder, node, &idle->after_ms, err) < 0) {
		return -1;
	}
	if (after && after->kind != JSON_NULL && !idle->after_ms)
		return decode_fail(decoder, after, err, TOO_SHORT);
	return 0;
}

/* Nothing where it never sleeps, so that records from before the key do not differ. */
void encode_idle(struct encoder *encoder, const struct idle_spec *idle)
{
	if (!idle->after_ms)
		return;
	encode_object_begin(encoder, "idle");
	encode_duration(encoder, "after", idle->after_ms);
	encode_string(encoder, "action", idle_action_names[idle->action]);
	encode_string(encoder, "wake", idle_wake_names[idle->wake]);
	encode_object_end(encoder);
}

/* --- what it must mean -------------------------------------------------------------------------------------------- */

int check_idle(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	if (!spec->idle.after_ms)
		return 0;
	if (!network_is_routed(spec->network))
		return fail(err, ERROR_USAGE,
			"with the network \"%s\" nobody can see who calls it: it takes a network of its own",
			spec->network);
	for (size_t i = 0; i < spec->ports.count; i++)
		if (spec->ports.items[i].mode == PORT_SOCKET)
			return fail(err, ERROR_USAGE,
				"port %u is in socket mode, past the instance's network: nobody can see who calls it",
				spec->ports.items[i].published);
	return 0;
}

int check_idle_after(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	if (spec->idle.after_ms && spec->idle.after_ms < IDLE_LEAST_MS)
		return fail(err, ERROR_USAGE, TOO_SHORT);
	return 0;
}

int check_idle_action(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	if (spec->idle.after_ms && spec->idle.action == IDLE_STOP)
		return fail(err, ERROR_USAGE,
			"\"stop\": what calls a stopped instance is lost, as its network ends with it; "
			"\"freeze+reclaim\" "
			"keeps the connection and gives the memory back");
	return 0;
}
