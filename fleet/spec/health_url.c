/* See health_url.h. */
#include "fleet/spec/health_url.h"

#include <string.h>

#include "base/cleanup.h"

#define HTTP_PORT 80

static const char host_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

/* It goes into the request's first line as it is. */
static bool is_path(const char *text)
{
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return *text == '/';
}

static int port_take(const char **text, uint16_t *port, struct error *err)
{
	size_t length = strspn(*text, "0123456789");
	char digits[8] = "";
	int64_t number;

	if (length == 0 || length >= sizeof(digits))
		return fail(err, ERROR_USAGE, "expected a port behind ':'");
	memcpy(digits, *text, length);
	if (number_parse(digits, 1, UINT16_MAX, &number, err) < 0)
		return blame(err, "port");
	*port = (uint16_t)number;
	*text += length;
	return 0;
}

static int url_parse(const char *text, struct health_url *out, struct error *err)
{
	const char *rest = text + strlen("http://");
	size_t length;

	*out = (struct health_url){.host = "localhost", .port = HTTP_PORT, .path = "/"};
	if (text_starts_with(text, "https://"))
		return fail(err, ERROR_USAGE, "for https use \"test\" with a program of the instance");
	if (!text_starts_with(text, "http://") || strlen(text) > HEALTH_URL_MAX)
		return fail(err, ERROR_USAGE, "expected http://[name][:port][/path], at most %d bytes", HEALTH_URL_MAX);
	length = strspn(rest, host_letters);
	if (length >= sizeof(out->host))
		return fail(err, ERROR_USAGE, "the name is longer than %zu bytes", sizeof(out->host) - 1);
	if (length) {
		memcpy(out->host, rest, length);
		out->host[length] = '\0';
	}
	rest += length;
	if (*rest == ':' && (rest++, port_take(&rest, &out->port, err)) < 0)
		return -1;
	if (!*rest)
		return 0;
	out->path = rest;
	return is_path(rest) ? 0 : fail(err, ERROR_USAGE, "expected http://[name][:port][/path]");
}

int health_url_parse(const char *text, struct health_url *out, struct error *err)
{
	return url_parse(text, out, err) < 0 ? blame(err, "\"%s\"", text) : 0;
}

const struct port *health_socket_port(const struct instance_spec *spec, int64_t number)
{
	for (size_t i = 0; i < spec->ports.count; i++)
		if (spec->ports.items[i].mode == PORT_SOCKET && spec->ports.items[i].target == number)
			return &spec->ports.items[i];
	return NULL;
}
