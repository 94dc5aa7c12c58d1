/* One repository at one registry: requests with whatever proof of identity it asks for, tried again when that helps.
 *
 * The first request goes out without any. A registry that wants more answers 401 and says what (challenge.h): our name
 * and password, or a token which a third party gives for them. What was found out is used for all later requests, and
 * renewed when the registry does not take it any more or shortly before it expires. */
#ifndef WARREN_IMAGES_PULL_SESSION_H
#define WARREN_IMAGES_PULL_SESSION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "images/pull/challenge.h"
#include "images/pull/credentials.h"
#include "images/pull/http.h"
#include "images/pull/retry.h"
#include "images/store/reference.h"

struct session {
	struct http *http;
	struct reference reference;
	struct credentials credentials;
	struct retry_policy policy;
	bool may_be_plain; /* http when nobody speaks TLS there */

	pthread_mutex_t lock; /* over what follows */
	struct arena arena;   /* of the challenge */
	bool is_plain;
	struct challenge challenge; /* the last one */
	char *authorization;	    /* value of the header; NULL: none yet */
	int64_t expires_ms;	    /* on clock_ms(); INT64_MAX: never */
	unsigned generation;	    /* counts the authorizations */
};

/* http and the strings of reference and credentials are borrowed. */
void session_open(struct session *session, struct http *http, const struct reference *reference,
	const struct credentials *credentials);
void session_close(struct session *session);

struct session_request {
	const char *path;   /* below /v2/NAME/: "manifests/12" */
	const char *accept; /* NULL: anything */
	int64_t from, max;  /* as in struct http_request */
	struct sink *sink;
};

/* One good reply, after as many attempts as the policy allows. Anything else is an error that says what the registry
 * said: no such thing is ERROR_MISSING. When bytes went into the sink before it failed, nothing is tried again:
 * reply->received says how many, and the caller goes on from there or does not. */
MUST_CHECK int session_fetch(struct session *session, const struct session_request *request, struct arena *arena,
	struct http_reply *reply, struct error *err);

/* Answers a challenge: the value of the Authorization header, malloc()ed, and when it expires. */
MUST_CHECK int token_get(struct session *session, const struct challenge *challenge, char **authorization,
	int64_t *expires_ms, struct error *err);

#endif
