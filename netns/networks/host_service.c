/* Services of the host that a network's instances may reach, as text. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "netns/netns.h"

static const struct {
	const char *name;
	uint8_t protocol;
} protocols[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"sctp", IPPROTO_SCTP}};

static bool protocol_find(const char *text, size_t length, uint8_t *protocol)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (strlen(protocols[i].name) == length && !memcmp(protocols[i].name, text, length)) {
			*protocol = protocols[i].protocol;
			return true;
		}
	return false;
}

int host_service_parse(const char *text, struct host_service *out, struct error *err)
{
	size_t length = strcspn(text, "/");
	int64_t port;

	if (!text[length] || !protocol_find(text, length, &out->protocol))
		return fail(err, ERROR_USAGE,
			"service \"%.64s\": write it like \"tcp/53\", \"udp/53\" or \"sctp/38412\"", text);
	if (number_parse(text + length + 1, 1, UINT16_MAX, &port, err) < 0)
		return blame(err, "service \"%.64s\": port", text);
	out->port = (uint16_t)port;
	return 0;
}

const char *host_service_format(const struct host_service *service, char buffer[16])
{
	const char *name = "?";

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (protocols[i].protocol == service->protocol)
			name = protocols[i].name;
	snprintf(buffer, 16, "%s/%u", name, service->port);
	return buffer;
}
