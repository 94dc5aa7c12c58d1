/* Whom a health check asks, as the file says it. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_SPEC_HEALTH_URL_H
#define WARREN_FLEET_SPEC_HEALTH_URL_H

#include <stdint.h>

#include "base/error.h"
#include "fleet/spec.h"

#define HEALTH_URL_MAX 255
#define HEALTH_HOST_MAX 128

/* "http://[name][:port][/path]": whatever the name, the instance is asked; the name is what it is asked for. */
struct health_url {
	char host[HEALTH_HOST_MAX]; /* "localhost" when the text has none */
	uint16_t port;		    /* 80 when the text has none */
	const char *path;	    /* into the text, or "/" */
};
MUST_CHECK int health_url_parse(const char *text, struct health_url *out, struct error *err);
/* The port in socket mode that stands for this one of the program; NULL: none does. */
const struct port *health_socket_port(const struct instance_spec *spec, int64_t number);

#endif
