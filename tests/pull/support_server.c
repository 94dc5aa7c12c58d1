#include "tests/pull/support_server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/test.h"

#define REQUEST_MAX 16384
#define TLS_HANDSHAKE 0x16 /* the first byte of a client that begins with TLS, and then waits */

static size_t body_length(const char *request)
{
	const char *header = strcasestr(request, "\r\nContent-Length:");

	return header ? strtoul(header + strlen("\r\nContent-Length:"), NULL, 10) : 0;
}

static char *request_read(int fd)
{
	char *text = calloc(1, REQUEST_MAX), *end = NULL;
	size_t length = 0;

	while (length < REQUEST_MAX - 1) {
		ssize_t got = read_retried(fd, text + length, REQUEST_MAX - 1 - length);

		if (got <= 0 || *text == TLS_HANDSHAKE)
			break;
		length += (size_t)got;
		end = strstr(text, "\r\n\r\n");
		if (end && length >= (size_t)(end + 4 - text) + body_length(text))
			break;
	}
	return text;
}

static void reply_write(int fd, const struct server_reply *reply)
{
	size_t length = reply->length ? reply->length : reply->body ? strlen(reply->body) : 0;
	char head[4096];
	int size = snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n",
		reply->status, length, reply->headers ? reply->headers : "");

	if (write_all(fd, head, (size_t)size) < 0)
		return;
	if (reply->cut)
		length = reply->cut;
	if (length && write_all(fd, reply->body, length) < 0)
		return;
}

static void *serve(void *context)
{
	static const struct server_reply beyond = {.status = 500};
	struct server *server = context;
	int fd;

	while ((fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		size_t i = server->served;

		if (i < SERVER_REQUESTS_MAX)
			server->requests[i] = request_read(fd);
		server->served++;
		reply_write(fd, i < server->count ? &server->replies[i] : &beyond);
		close(fd);
	}
	return NULL;
}

void server_start(struct server *server)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);

	*server = (struct server){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	cr_assert(bind(server->listener, (struct sockaddr *)&address, size) == 0 && listen(server->listener, 16) == 0);
	cr_assert(getsockname(server->listener, (struct sockaddr *)&address, &size) == 0);
	server->port = ntohs(address.sin_port);
	snprintf(server->host, sizeof(server->host), "127.0.0.1:%d", server->port);
	cr_assert(pthread_create(&server->thread, NULL, serve, server) == 0);
}

void server_script(struct server *server, const struct server_reply *replies, size_t count)
{
	server->replies = replies;
	server->count = count;
}

void server_stop(struct server *server)
{
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->listener);
	for (size_t i = 0; i < SERVER_REQUESTS_MAX; i++)
		free(server->requests[i]);
}

bool server_saw(const struct server *server, size_t i, const char *text)
{
	return i < server->served && i < SERVER_REQUESTS_MAX && strstr(server->requests[i], text);
}
