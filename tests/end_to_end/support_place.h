/* An address of either family with a port, as socket calls take it. */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_PLACE_H
#define WARREN_TESTS_END_TO_END_SUPPORT_PLACE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

struct place {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t length;
};

/* False: the text is no address. */
bool place_make(const char *address, int port, struct place *out);
/* "192.0.2.1:80" or "[2001:db8::1]:80". */
bool place_parse(const char *text, struct place *out);

/* A connected stream socket, the caller's; -1 with errno. A test fails when address is none. */
int place_dial(const char *address, int port);
/* Whether somebody says "hello" there. patience_ms is for the connection: what is dropped is waited for that long. */
bool place_says_hello(const char *address, int port, int patience_ms);

#endif
