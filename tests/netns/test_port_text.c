/* Ports as text. */
#include <arpa/inet.h>

#include "base/cleanup.h"
#include "netns/netns.h"
#include "tests/test.h"

TEST(port_text, all_forms_are_read)
{
	static const struct {
		const char *text, *formatted;
	} rows[] = {
		{"8080:80", "127.0.0.1:8080->80/tcp"},
		{"8080:80/udp", "127.0.0.1:8080->80/udp"},
		{"127.0.0.1:8080:80", "127.0.0.1:8080->80/tcp"},
		{"0.0.0.0:65535:65535/tcp", "0.0.0.0:65535->65535/tcp"},
		{"255.255.255.255:65535:65535/udp", "255.255.255.255:65535->65535/udp"},
		{"80", "127.0.0.1:0->80/tcp"},
		{"80/udp", "127.0.0.1:0->80/udp"},
		{"0:80", "127.0.0.1:0->80/tcp"},
		{"10.0.0.1::80", "10.0.0.1:0->80/tcp"},
	};
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char buffer[40];
		struct port port;
		ASSERT_OK(port_parse(rows[i].text, &port, &err));
		cr_assert_str_eq(port_format(&port, buffer), rows[i].formatted);
	}
}

TEST(port_text, what_is_wrong_is_named)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"", "port \"\": the instance's port"},
		{"x", "port \"x\": the instance's port"},
		{"0", "port \"0\": the instance's port"},
		{"80:0", "port \"80:0\": the instance's port"},
		{"65536:80", "port \"65536:80\": published port"},
		{"80:65536", "port \"80:65536\": the instance's port"},
		{"-1:80", "port \"-1:80\": published port"},
		{"080:80", "port \"080:80\": published port"},
		{"80:80/sctp", "port \"80:80/sctp\": protocol \"sctp\" must be tcp or udp"},
		{"80:80/", "port \"80:80/\": protocol \"\" must be tcp or udp"},
		{"localhost:80:80", "port \"localhost:80:80\": \"localhost\" is not an IPv4 address"},
		{"1.2.3:80:80", "port \"1.2.3:80:80\": \"1.2.3\" is not an IPv4 address"},
		{"::1:80:80", "port \"::1:80:80\": write it like \"127.0.0.1:8080:80/tcp\""},
	};
	struct error err;
	struct port port;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ASSERT_FAILS(port_parse(rows[i].text, &port, &err), ERROR_USAGE, rows[i].message);
}
