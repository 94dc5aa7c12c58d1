/* The key `update`: how a changed entry replaces what runs of it. */
#include <stdio.h>
#include <string.h>

#include "fleet/spec/spec_fields.h"

#define PORTION_MAX 4094

const char *const update_order_names[] = {"start-first", "stop-first", NULL};
const char *const failure_action_names[] = {"rollback", "pause", "continue", NULL};

const struct update_spec update_default = {
	.order = UPDATE_START_FIRST,
	.parallel = {10, true},
	.canary = {0, false},
	.monitor_ms = 10000,
	.drain_ms = 30000,
	.failure_action = FAILURE_ROLLBACK,
};

/* --- from the file ------------------------------------------------------------------------------------------------ */

/* "10%". */
static int decode_percent(
	const struct decoder *decoder, const struct json *node, int64_t least, struct portion *out, struct error *err)
{
	size_t length = strlen(node->text);

	if (!length || node->text[length - 1] != '%')
		return decode_fail(decoder, node, err, "\"%s\" is not a number of instances or a part such as \"10%%\"",
			node->text);
	if (number_parse(arena_bytes(decoder->arena, node->text, length - 1), least, 100, &out->value, err) < 0)
		return decode_blame(decoder, node, err);
	out->percent = true;
	return 0;
}

static int decode_portion(
	const struct decoder *decoder, const struct json *node, int64_t least, struct portion *out, struct error *err)
{
	if (node->kind == JSON_STRING)
		return decode_percent(decoder, node, least, out, err);
	if (node->kind != JSON_NUMBER)
		return decode_fail(decoder, node, err, "expected a number or a part such as \"10%%\", found %s",
			json_kind_name(node->kind));
	out->percent = false;
	return decode_integer(decoder, node, least, PORTION_MAX, &out->value, err);
}

#define PORTION_SHAPE                                                                                                  \
	{                                                                                                              \
		.forms = FORM_STRING | FORM_NUMBER, .words = "a number of instances, or a part such as \"10%\"",       \
		.pattern = "^[0-9]{1,3}%$"                                                                             \
	}
static const struct value_shape decode_parallel_shape = PORTION_SHAPE, decode_canary_shape = PORTION_SHAPE;

static int decode_parallel(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_portion(decoder, node, 1, member, err);
}

static int decode_canary(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_portion(decoder, node, 0, member, err);
}

#define ROW(c_type, key_, member_, decode_)                                                                            \
	{                                                                                                              \
		.key = key_, .kind = FIELD_CUSTOM, .offset = CHECKED_OFFSET(struct update_spec, member_, c_type),      \
		.decode = decode_, .shape = &decode_##_shape                                                           \
	}

const struct field update_fields[] = {
	ENUM("order", struct update_spec, order, update_order_names, 0),
	ROW(struct portion, "parallel", parallel, decode_parallel),
	ROW(struct portion, "canary", canary, decode_canary),
	ROW(int64_t, "monitor", monitor_ms, decode_duration),
	ROW(int64_t, "drain", drain_ms, decode_duration),
	ENUM("failure_action", struct update_spec, failure_action, failure_action_names, 0),
	END_OF_FIELDS,
};

/* --- into the record ---------------------------------------------------------------------------------------------- */

static void encode_portion(struct encoder *encoder, const char *key, const struct portion *portion)
{
	char text[32];

	if (!portion->percent) {
		encode_integer(encoder, key, portion->value);
		return;
	}
	snprintf(text, sizeof(text), "%jd%%", (intmax_t)portion->value);
	encode_string(encoder, key, text);
}

static bool portions_equal(const struct portion *a, const struct portion *b)
{
	return a->value == b->value && a->percent == b->percent;
}

bool updates_equal(const struct update_spec *a, const struct update_spec *b)
{
	return a->order == b->order && portions_equal(&a->parallel, &b->parallel) &&
	       portions_equal(&a->canary, &b->canary) && a->monitor_ms == b->monitor_ms && a->drain_ms == b->drain_ms &&
	       a->failure_action == b->failure_action;
}

void update_encode(struct encoder *encoder, const struct update_spec *update)
{
	if (updates_equal(update, &update_default))
		return;
	encode_object_begin(encoder, "update");
	encode_string(encoder, "order", update_order_names[update->order]);
	encode_portion(encoder, "parallel", &update->parallel);
	encode_portion(encoder, "canary", &update->canary);
	encode_duration(encoder, "monitor", update->monitor_ms);
	encode_duration(encoder, "drain", update->drain_ms);
	encode_string(encoder, "failure_action", failure_action_names[update->failure_action]);
	encode_object_end(encoder);
}
