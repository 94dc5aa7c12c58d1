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
		{"223.255.255.255:65535:65535/udp", "223.255.255.255:65535->65535/udp"},
		{"80", "127.0.0.1:0->80/tcp"},
		{"80/udp", "127.0.0.1:0->80/udp"},
		{"0:80", "127.0.0.1:0->80/tcp"},
		{"10.0.0.1::80", "10.0.0.1:0->80/tcp"},
		{"132:132/sctp", "127.0.0.1:132->132/sctp"},
		{"[::]:80:80", "[::]:80->80/tcp"},
		{"[2001:db8::7]::80/udp", "[2001:db8::7]:0->80/udp"},
		{"8000-8010:8000-8010", "127.0.0.1:8000-8010->8000-8010/tcp"},
		{"0.0.0.0:1-65535:1-65535/udp", "0.0.0.0:1-65535->1-65535/udp"},
		{"[::]:8000-8001:9000-9001/sctp", "[::]:8000-8001->9000-9001/sctp"},
		{"8000-8000:80", "127.0.0.1:8000->80/tcp"},
		{"8080:80/tcp+socket", "127.0.0.1:8080->80/tcp+socket"},
		{"[::1]:8080:80/tcp+socket", "[::1]:8080->80/tcp+socket"},
		{"8080:80/tcp+nat", "127.0.0.1:8080->80/tcp"},
		{"8080:80/tcp+balanced", "127.0.0.1:8080->80/tcp+balanced"},
		{"8080:80/udp+sticky", "127.0.0.1:8080->80/udp+sticky"},
	};
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char buffer[PORT_TEXT_SIZE];
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
		{"80:80/dccp", "port \"80:80/dccp\": protocol \"dccp\" must be tcp, udp or sctp"},
		{"80:80/", "port \"80:80/\": protocol \"\" must be tcp, udp or sctp"},
		{"80:80/tcp+quick", "\"+quick\" must be +socket, +balanced or +sticky"},
		{"80:80/tcp+balanced+sticky", "\"+balanced\" and \"+sticky\": say one of them, once"},
		{"80:80/tcp+sticky+sticky", "\"+sticky\" and \"+sticky\": say one of them, once"},
		{"80:80/tcp+socket+nat", "\"+socket\" and \"+nat\": say one of them, once"},
		{"80:80/udp+socket", "socket mode is for tcp alone, not for udp"},
		{"80-81:80-81/tcp+socket", "socket mode is for single ports, not for ranges"},
		{"80:80/tcp+socket+sticky", "a port in socket mode cannot be sticky"},
		{"80-81:80-81/tcp+balanced", "a range cannot be balanced"},
		{":80/tcp+balanced", "a port that is shared needs its published number"},
		{"8010-8000:8010-8000", "published port: \"8010-8000\" ends before it begins"},
		{"8000-8010:80-85", "port \"8000-8010:80-85\": 11 published ports for 6 of the instance"},
		{"8000-8010:80", "11 published ports for 1 of the instance"},
		{"8000:80-81", "1 published ports for 2 of the instance"},
		{"80-81", "port \"80-81\": a range needs its published ports"},
		{"65530-65536:1-7", "published port: 65536 is not between 1 and 65535"},
		{"0-5:1-6", "published port: 0 is not between"},
		{"1--5:1-6", "published port: -5 is not between"},
		{"[::1]:80:80", "::1 cannot be translated: use 127.0.0.1, or socket mode (tcp+socket)"},
		{"[fe80::1]:80:80", "a link-local address is not published on"},
		{"[fe80::1]:80:80/tcp+socket", "a link-local address is not published on"},
		{"[ff02::1]:80:80", "a multicast address is not published on: name one of the host"},
		{"[ff02::1]:80:80/tcp+socket", "a multicast address is not published on"},
		{"224.0.0.1:80:80", "a multicast address is not published on"},
		{"239.255.255.255:80:80/udp", "a multicast address is not published on"},
		{"255.255.255.255:80:80", "a broadcast address is not published on: name one of the host"},
		{"[127.0.0.1]:80:80", "brackets are for IPv6 addresses"},
		{"[::ffff:127.0.0.1]:80:80", "is an IPv4 address: write it as one"},
		{"[::]:80", "port \"[::]:80\": write it like"},
		{"[::80:80", "port \"[::80:80\": write it like"},
		{"[::]:80:80:80", "write it like"},
		{"localhost:80:80", "port \"localhost:80:80\": \"localhost\" is not an IPv4 address"},
		{"1.2.3:80:80", "port \"1.2.3:80:80\": \"1.2.3\" is not an IPv4 address"},
		{"::1:80:80", "port \"::1:80:80\": write it like \"127.0.0.1:8080:80/tcp\" or "
			      "\"[::]:8080:80\""},
	};
	struct error err;
	struct port port;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ASSERT_FAILS(port_parse(rows[i].text, &port, &err), ERROR_USAGE, rows[i].message);
}
