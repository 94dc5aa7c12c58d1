/* From what the file says to a check that can be carried out: defaults, and the text of a request. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "fleet/health/health.h"
#include "fleet/state/image.h"

#define INTERVAL_MS 30000
#define TIMEOUT_MS 5000
#define START_PERIOD_MS 10000
#define START_INTERVAL_MS 1000
#define RETRIES 3

/* --- the check ---------------------------------------------------------------------------------------------------- */

static void ask_http(const char *text, struct health_check *out)
{
	struct health_url url;
	struct error ignored;

	/* It was checked when the file was read. */
	if (health_url_parse(text, &url, &ignored) < 0)
		return;
	out->kind = HEALTH_KIND_HTTP;
	out->port = url.port;
	snprintf(out->request, sizeof(out->request),
		"GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: warren-healthcheck\r\nConnection: close\r\n\r\n", url.path,
		url.host);
}

static int64_t value_or(const struct optional *value, int64_t otherwise)
{
	return value->set ? value->value : otherwise;
}

/* The program listens on the host, with the socket that it was given. */
static void ask_at_socket(const struct port *port, struct health_check *out)
{
	struct in6_addr loopback6 = IN6ADDR_LOOPBACK_INIT;
	struct in_addr loopback = {.s_addr = htonl(INADDR_LOOPBACK)};

	out->inside = false;
	out->port = port->published;
	out->address = port->host_ip;
	if (ip_is_any(&port->host_ip))
		out->address = port->host_ip.family == AF_INET6 ? ip_from_v6(&loopback6) : ip_from_v4(loopback);
}

void health_check_make(const struct instance_spec *spec, const struct record *record, struct health_check *out)
{
	const struct health_spec *health = &spec->health;

	*out = (struct health_check){
		.inside = !record->network,
		.address = ip_from_v4(record->address),
		.interval_ms = value_or(&health->interval_ms, INTERVAL_MS),
		.timeout_ms = value_or(&health->timeout_ms, TIMEOUT_MS),
		.start_period_ms = value_or(&health->start_period_ms, START_PERIOD_MS),
		.start_interval_ms = value_or(&health->start_interval_ms, START_INTERVAL_MS),
		.retries = value_or(&health->retries, RETRIES),
		.on_failure = health->on_failure != HEALTH_UNSAID ? health->on_failure
			      : spec->fleet			  ? HEALTH_RESTART
								  : HEALTH_LEAVE,
	};
	if (!instance_has_check(spec, NULL))
		return;
	if (health->http) {
		ask_http(health->http, out);
		const struct port *port = health_socket_port(spec, out->port);
		if (port)
			ask_at_socket(port, out);
	} else if (health->tcp) {
		out->kind = HEALTH_KIND_TCP;
		out->port = (uint16_t)health->tcp;
	} else {
		out->kind = HEALTH_KIND_TEST;
	}
}

bool health_checks_equal(const struct health_check *a, const struct health_check *b)
{
	return a->kind == b->kind && a->inside == b->inside && ip_equal(&a->address, &b->address) &&
	       a->port == b->port && a->interval_ms == b->interval_ms && a->timeout_ms == b->timeout_ms &&
	       a->start_period_ms == b->start_period_ms && a->start_interval_ms == b->start_interval_ms &&
	       a->retries == b->retries && a->on_failure == b->on_failure && !strcmp(a->request, b->request);
}

/* The image `host` says nothing, and asking for it would prepare it. */
static int image_of(
	struct arena *arena, int dir, const struct instance_spec *spec, struct image_config *out, struct error *err)
{
	*out = (struct image_config){0};
	if (!spec->image || !strcmp(spec->image, IMAGE_HOST))
		return 0;
	return instance_image_read(-1, dir, spec, arena, out, err);
}

int health_spec_load(
	struct arena *arena, const struct instance *instance, struct instance_spec *spec, struct error *err)
{
	struct image_config image;

	if (instance_spec_load(arena, instance->dir, instance->name, spec, err) < 0 ||
		image_of(arena, instance->dir, spec, &image, err) < 0)
		return -1;
	instance_image_health(&image, spec);
	return 0;
}

int health_check_load(const struct instance *instance, struct health_check *out, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct instance_spec spec;
	struct record record;

	if (health_spec_load(&arena, instance, &spec, err) < 0 || record_read(&arena, instance->dir, &record, err) < 0)
		return -1;
	health_check_make(&spec, &record, out);
	return 0;
}

int instance_check_exists(struct host *host, const char *name, struct error *err)
{
	auto_instance instance = INSTANCE_EMPTY;
	struct health_check check;

	if (instance_find(host, name, &instance, err) < 0 || health_check_load(&instance, &check, err) < 0)
		return -1;
	return check.kind != HEALTH_KIND_NONE;
}
