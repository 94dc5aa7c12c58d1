/* Services of the host as text. */
#include <netinet/in.h>

#include "base/cleanup.h"
#include "netns/netns.h"
#include "tests/test.h"

TEST(host_service, is_a_protocol_and_a_port)
{
	static const struct {
		const char *text;
		uint8_t protocol;
		uint16_t port;
	} rows[] = {{"tcp/53", IPPROTO_TCP, 53}, {"udp/1", IPPROTO_UDP, 1}, {"sctp/65535", IPPROTO_SCTP, 65535}};
	struct host_service service;
	struct error err;
	char buffer[16];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ASSERT_OK(host_service_parse(rows[i].text, &service, &err));
		cr_assert(service.protocol == rows[i].protocol && service.port == rows[i].port);
		cr_assert_str_eq(host_service_format(&service, buffer), rows[i].text);
	}
}

TEST(host_service, that_is_none_is_refused)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"53", "service \"53\": write it like \"tcp/53\""},
		{"53/tcp", "service \"53/tcp\": write it like \"tcp/53\""},
		{"icmp/1", "service \"icmp/1\": write it like \"tcp/53\""},
		{"TCP/53", "service \"TCP/53\": write it like"},
		{"tcp/0", "service \"tcp/0\": port"},
		{"tcp/65536", "service \"tcp/65536\": port"},
		{"tcp/", "service \"tcp/\": port"},
		{"tcp/5 3", "service \"tcp/5 3\": port"},
	};
	struct host_service service;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ASSERT_FAILS(host_service_parse(rows[i].text, &service, &err), ERROR_USAGE, rows[i].message);
}
