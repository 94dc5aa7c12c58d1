/* A web server of the test's own on a loopback port, which answers one request after another as the test has written it
 * down, and remembers what it was asked. */
#ifndef WARREN_TESTS_PULL_SERVER_H
#define WARREN_TESTS_PULL_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define SERVER_REQUESTS_MAX 32

struct server_reply {
	int status;
	const char *headers; /* whole lines, each with \r\n; NULL: none */
	const char *body;    /* NULL: empty */
	size_t length;	     /* of the body; 0: as strlen() */
	size_t cut;	     /* close after so many bytes of it, though more were promised; 0: never */
};

struct server {
	int listener, port;
	const struct server_reply *replies;
	size_t count, served;
	char host[32];			     /* "127.0.0.1:PORT" */
	char *requests[SERVER_REQUESTS_MAX]; /* head and body as they came */
	pthread_t thread;
};

/* Answers with the replies in their order; a request beyond them gets 500. */
void server_start(struct server *server);
/* The script is given later than the port is known: before the first request. */
void server_script(struct server *server, const struct server_reply *replies, size_t count);
void server_stop(struct server *server);
/* True when request number i (from 0) holds the text. */
bool server_saw(const struct server *server, size_t i, const char *text);

#endif
