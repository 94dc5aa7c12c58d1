/* The key `healthcheck`: reading it, writing it, and what it must mean.
 *
 * Compose's words (test, interval, timeout, retries, start_period, start_interval, disable) and, beside its `test`,
 * two ways to ask that need no process inside: `http` and `tcp`. */
#include <string.h>

#include "base/cleanup.h"
#include "fleet/spec/health_url.h"
#include "fleet/spec/spec_fields.h"

#define INTERVAL_LEAST_MS 100
#define RETRIES_MAX 1000000

const char *const health_action_names[] = {"restart", "stop", "none", NULL};

/* --- reading ------------------------------------------------------------------------------------------------------ */

static int decode_time(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct optional *time = member;

	time->set = true;
	return decode_duration(decoder, node, &time->value, err);
}

static const struct value_shape decode_test_shape = {.forms = FORM_STRING | FORM_LIST,
	.words = "a line for the shell, [\"CMD\", …], [\"CMD-SHELL\", \"…\"] or [\"NONE\"]"};

/* A line for the shell, or ["CMD", …], ["CMD-SHELL", "…"], ["NONE"]. */
static int decode_test(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct strings *test = member;

	*test = (struct strings){0};
	if (node->kind == JSON_ARRAY)
		return decode_strings(decoder, node, test, err);
	if (node->kind != JSON_STRING)
		return decode_fail(
			decoder, node, err, "expected a string or an array, found %s", json_kind_name(node->kind));
	strings_add(decoder->arena, test, "CMD-SHELL");
	strings_add(decoder->arena, test, arena_string(decoder->arena, node->text));
	return 0;
}

#define TIME(key_, member_)                                                                                            \
	{                                                                                                              \
		.key = key_, .kind = FIELD_CUSTOM,                                                                     \
		.offset = CHECKED_OFFSET(struct health_spec, member_, struct optional), .decode = decode_time,         \
		.shape = &decode_duration_shape                                                                        \
	}

static const struct field health_fields[] = {
	BOOL("disable", struct health_spec, disable, 0),
	STRING("http", struct health_spec, http, 0),
	INTEGER("tcp", struct health_spec, tcp, 1, 65535, 0),
	{.key = "test",
		.kind = FIELD_CUSTOM,
		.offset = CHECKED_OFFSET(struct health_spec, test, struct strings),
		.decode = decode_test,
		.shape = &decode_test_shape},
	TIME("interval", interval_ms),
	TIME("timeout", timeout_ms),
	OPTIONAL("retries", struct health_spec, retries, 1, RETRIES_MAX, 0),
	TIME("start_period", start_period_ms),
	TIME("start_interval", start_interval_ms),
	ENUM("on_failure", struct health_spec, on_failure, health_action_names, 0),
	END_OF_FIELDS,
};

const struct value_shape decode_health_shape = {.forms = FORM_OBJECT, .fields = health_fields};

int decode_health(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_object(decoder, node, health_fields, member, err);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static bool says_nothing(const struct health_spec *health)
{
	return !health->disable && !health->http && !health->tcp && !health->test.count && !health->interval_ms.set &&
	       !health->timeout_ms.set && !health->retries.set && !health->start_period_ms.set &&
	       !health->start_interval_ms.set && health->on_failure == HEALTH_UNSAID;
}

static void encode_time(struct encoder *encoder, const char *key, const struct optional *time)
{
	auto_free char *text = text_format("%jdms", (intmax_t)time->value);

	if (time->set)
		encode_string(encoder, key, text);
}

void encode_health(struct encoder *encoder, const struct health_spec *health)
{
	if (says_nothing(health))
		return;
	encode_object_begin(encoder, "healthcheck");
	if (health->disable)
		encode_bool(encoder, "disable", true);
	encode_string(encoder, "http", health->http);
	if (health->tcp)
		encode_integer(encoder, "tcp", health->tcp);
	encode_strings(encoder, "test", &health->test);
	encode_time(encoder, "interval", &health->interval_ms);
	encode_time(encoder, "timeout", &health->timeout_ms);
	if (health->retries.set)
		encode_integer(encoder, "retries", health->retries.value);
	encode_time(encoder, "start_period", &health->start_period_ms);
	encode_time(encoder, "start_interval", &health->start_interval_ms);
	if (health->on_failure != HEALTH_UNSAID)
		encode_string(encoder, "on_failure", health_action_names[health->on_failure]);
	encode_object_end(encoder);
}

/* --- meaning ------------------------------------------------------------------------------------------------------ */

int check_health_kind(const struct instance_spec *spec, size_t *index, struct error *err)
{
	const struct health_spec *health = &spec->health;
	int kinds = (health->http != NULL) + (health->tcp != 0) + (health->test.count != 0);

	(void)index;
	if (kinds > 1)
		return fail(err, ERROR_USAGE,
			"\"http\", \"tcp\" and \"test\" exclude each other; null takes away what a layer below says");
	return 0;
}

int check_health_http(const struct instance_spec *spec, size_t *index, struct error *err)
{
	const struct port *port;
	struct health_url url;

	(void)index;
	if (!spec->health.http)
		return 0;
	if (health_url_parse(spec->health.http, &url, err) < 0)
		return -1;
	port = health_socket_port(spec, url.port);
	if (port && !port->published)
		return fail(err, ERROR_USAGE,
			"port %u is in socket mode, and can be asked only where it is published: "
			"say at which number that is",
			url.port);
	return 0;
}

/* The kernel answers for a program that takes no connections, as long as the queue has room. */
int check_health_tcp(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	if (health_socket_port(spec, spec->health.tcp))
		return fail(err, ERROR_USAGE,
			"port %lld is in socket mode, where connections come about without the "
			"program: ask by \"http\" or \"test\"",
			(long long)spec->health.tcp);
	return 0;
}

int check_health_test(const struct instance_spec *spec, size_t *index, struct error *err)
{
	const struct strings *test = &spec->health.test;
	const char *kind = test->count ? test->items[0] : NULL;

	(void)index;
	if (!kind)
		return 0;
	if (!strcmp(kind, "NONE") && test->count == 1)
		return 0;
	if (!strcmp(kind, "CMD-SHELL") && test->count == 2 && *test->items[1])
		return 0;
	if (!strcmp(kind, "CMD") && test->count > 1 && *test->items[1])
		return 0;
	return fail(err, ERROR_USAGE,
		"expected a line for the shell, [\"CMD\", \"program\", …], [\"CMD-SHELL\", \"line\"] or [\"NONE\"]");
}

int check_health_interval(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	if (spec->health.interval_ms.set && spec->health.interval_ms.value < INTERVAL_LEAST_MS)
		return fail(err, ERROR_USAGE, "less than %dms", INTERVAL_LEAST_MS);
	return 0;
}

int check_health_start_interval(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	if (spec->health.start_interval_ms.set && spec->health.start_interval_ms.value < INTERVAL_LEAST_MS)
		return fail(err, ERROR_USAGE, "less than %dms", INTERVAL_LEAST_MS);
	return 0;
}

int check_health_timeout(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	if (spec->health.timeout_ms.set && spec->health.timeout_ms.value < 1)
		return fail(err, ERROR_USAGE, "less than 1ms");
	return 0;
}
