/* One request over HTTP, its reply, and nothing above: no tokens, no retries.
 *
 * The body of a good reply is pushed into a sink while it arrives; a sink that blocks stops the sender by TCP itself. A
 * bad reply's body is kept, bounded, for the error. Redirections are followed here and not by the library, so that what
 * happens to credentials is plain to see: they go to the host they were meant for and to no other, and nothing that
 * began over TLS goes on without.
 *
 * Proxies come from the environment (http_proxy, https_proxy, no_proxy), certificates from certs.d (tls.h). Handles
 * with their connections are kept for the next request. Everything may be called from several threads. */
#ifndef WARREN_IMAGES_PULL_HTTP_H
#define WARREN_IMAGES_PULL_HTTP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "images/pull/source.h"

#define HTTP_HANDLES_MAX 16

struct http {
	const char *certificates; /* directory given by the user in place of certs.d, NULL: none */
	bool insecure;		  /* certificates are not checked */
	pthread_mutex_t lock;	  /* over what follows */
	void *idle[HTTP_HANDLES_MAX];
	size_t idle_count;
};
/* Once in the life of the program, before there are threads. certificates is borrowed. */
MUST_CHECK int http_open(struct http *http, const char *certificates, bool insecure, struct error *err);
void http_close(struct http *http);

struct http_request {
	const char *url;
	struct strings headers;	   /* "Accept: …" */
	const char *authorization; /* value of the header; only for this URL's own host. NULL: none */
	const char *form;	   /* POSTed as application/x-www-form-urlencoded; NULL: GET */
	int64_t from;		   /* the first byte wanted. A server that begins at 0 all the same is listened to, and
				      what is not wanted thrown away. */
	int64_t max;		   /* bytes of the body from there; more is an error */
	struct sink *sink;
};

enum http_failure {
	HTTP_FAILED_FOR_GOOD,	/* another try would fail alike: a certificate, a rule of ours, the sink */
	HTTP_FAILED_ON_THE_WAY, /* the connection ended, a time-out */
	HTTP_NOT_REACHED,	/* nobody spoke (TLS) there */
};

struct http_reply {
	long status;			   /* of the last hop */
	int64_t received;		   /* bytes that the sink took, also when the request failed */
	const char *content_type, *digest; /* Content-Type, Docker-Content-Digest; NULL: absent */
	struct strings challenges;	   /* every WWW-Authenticate */
	int64_t retry_after_ms;		   /* -1: not said */
	bool redirected;		   /* another host answered */
	const char *text;		   /* the beginning of a bad reply's body, never NULL */
	enum http_failure failure;	   /* when -1 was returned */
};

/* 0: there is a reply, good (2xx) or bad. -1: there is none, or it was cut, or the sink failed; reply->failure says
 * which and reply->received how far it came. Strings lie in the arena. */
MUST_CHECK int http_fetch(struct http *http, const struct http_request *request, struct arena *arena,
	struct http_reply *reply, struct error *err);

bool http_is_good(const struct http_reply *reply);
/* Appends text with everything but letters, digits and "-._~" as %XX (RFC 3986). */
void url_escape(struct text *out, const char *text);

/* A sink that keeps everything, for documents. */
struct memory_sink {
	struct sink sink;
	struct text text;
};
struct memory_sink memory_sink_new(void);
void memory_sink_drop(struct memory_sink *sink);

#endif
