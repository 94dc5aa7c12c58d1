/* Requests to a registry; see session.h. The lock is held while a token is fetched: the other threads need the same. */
#include "images/pull/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "base/process.h"

#define DOCKER_API "registry-1.docker.io"
#define NEVER INT64_MAX

void session_open(struct session *session, struct http *http, const struct reference *reference,
	const struct credentials *credentials)
{
	*session = (struct session){.http = http,
		.reference = *reference,
		.credentials = *credentials,
		.policy = RETRY_DEFAULT,
		.expires_ms = NEVER};
	pthread_mutex_init(&session->lock, NULL);
}

void session_close(struct session *session)
{
	free(session->authorization);
	arena_drop(&session->arena);
	pthread_mutex_destroy(&session->lock);
}

/* --- proof of identity -------------------------------------------------------------------------------------------- */

/* With the lock held. */
static int authorize(struct session *session, struct error *err)
{
	char *authorization = NULL;

	if (token_get(session, &session->challenge, &authorization, &session->expires_ms, err) < 0)
		return -1;
	free(session->authorization);
	session->authorization = authorization;
	session->generation++;
	return 0;
}

/* The header's value for the next request, in the arena; NULL when none is known to be needed. */
static int authorization_current(
	struct session *session, struct arena *arena, const char **out, unsigned *generation, struct error *err)
{
	int result = 0;

	pthread_mutex_lock(&session->lock);
	if (session->authorization && clock_ms() >= session->expires_ms)
		result = authorize(session, err);
	*out = session->authorization && result == 0 ? arena_string(arena, session->authorization) : NULL;
	*generation = session->generation;
	pthread_mutex_unlock(&session->lock);
	return result;
}

static struct challenge challenge_choose(struct arena *arena, const struct strings *headers)
{
	struct challenge best = {0};

	for (size_t i = 0; i < headers->count; i++) {
		struct challenge next = challenge_parse(arena, headers->items[i]);

		if (next.scheme > best.scheme)
			best = next;
	}
	return best;
}

/* After a 401 for a request of that generation. Somebody else may have renewed it meanwhile. */
static int authorization_renew(
	struct session *session, const struct http_reply *reply, unsigned generation, struct error *err)
{
	int result = 0;

	pthread_mutex_lock(&session->lock);
	if (session->generation == generation) {
		arena_drop(&session->arena);
		session->challenge = challenge_choose(&session->arena, &reply->challenges);
		result = authorize(session, err);
	}
	pthread_mutex_unlock(&session->lock);
	return result;
}

/* --- what a registry says ----------------------------------------------------------------------------------------- */

/* {"errors": [{"code": …, "message": …}]}, or whatever else came. */
static const char *reason_of(struct arena *arena, const struct http_reply *reply)
{
	struct json_doc doc;
	struct error ignored;
	const struct json *errors, *message, *code;

	if (json_parse(arena, "reply", reply->text, strlen(reply->text), JSON_PLAIN, &doc, &ignored) < 0)
		return "";
	errors = json_get(doc.root, "errors");
	if (!errors || errors->kind != JSON_ARRAY || !errors->first)
		return "";
	message = json_get(errors->first, "message");
	code = json_get(errors->first, "code");
	return arena_format(arena, ": %s%s%s", code && code->text ? code->text : "", message && code ? ", " : "",
		message && message->text ? message->text : "");
}

static int fail_status(
	const struct session *session, struct arena *arena, const struct http_reply *reply, struct error *err)
{
	const char *reason = reason_of(arena, reply);

	if (reply->status == 404)
		return fail(err, ERROR_MISSING, "there is no such image%.200s", reason);
	if (reply->status == 401 || reply->status == 403)
		return fail(err, ERROR_SYSTEM, "%s: %s may not be read, or is not there%.200s",
			session->credentials.from ? session->credentials.from : "without a login",
			session->reference.repository, reason);
	if (reply->retry_after_ms >= 0)
		return fail(err, ERROR_SYSTEM, "status %ld%.200s; it asks to come back in %lld s", reply->status,
			reason, (long long)reply->retry_after_ms / 1000);
	return fail(err, ERROR_SYSTEM, "status %ld%.200s", reply->status, reason);
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static const char *url_make(const struct session *session, struct arena *arena, bool plain, const char *path)
{
	const char *registry = session->reference.registry;
	const char *host = strcmp(registry, REFERENCE_DOCKER) == 0 ? DOCKER_API : registry;

	return arena_format(
		arena, "%s://%s/v2/%s/%s", plain ? "http" : "https", host, session->reference.repository, path);
}

static bool is_plain(struct session *session)
{
	bool plain;

	pthread_mutex_lock(&session->lock);
	plain = session->is_plain;
	pthread_mutex_unlock(&session->lock);
	return plain;
}

static void plain_set(struct session *session)
{
	pthread_mutex_lock(&session->lock);
	session->is_plain = true;
	pthread_mutex_unlock(&session->lock);
}

/* One exchange, with what is known. Where TLS was not to be had and need not be, once more without. */
static int exchange(struct session *session, const struct session_request *request, const char *authorization,
	struct arena *arena, struct http_reply *reply, struct error *err)
{
	bool plain = is_plain(session);
	struct http_request http = {.url = url_make(session, arena, plain, request->path),
		.authorization = authorization,
		.from = request->from,
		.max = request->max,
		.sink = request->sink};
	struct error first;
	int result;

	if (request->accept)
		strings_add(arena, &http.headers, arena_format(arena, "Accept: %s", request->accept));
	if (http_fetch(session->http, &http, arena, reply, err) == 0)
		return 0;
	if (plain || !session->may_be_plain || reply->failure != HTTP_NOT_REACHED)
		return -1;
	first = *err;
	http.url = url_make(session, arena, true, request->path);
	result = http_fetch(session->http, &http, arena, reply, err);
	if (result < 0 && reply->failure == HTTP_NOT_REACHED) {
		*err = first;
		return -1;
	}
	log_debug("%s: without TLS", session->reference.registry);
	plain_set(session);
	return result;
}

/* The same with proof of identity: a refusal is answered once. */
static int exchange_authorized(struct session *session, const struct session_request *request, struct arena *arena,
	struct http_reply *reply, struct error *err)
{
	const char *authorization;
	unsigned generation;

	reply->failure = HTTP_FAILED_FOR_GOOD; /* a token that cannot be had was tried for by then */
	if (authorization_current(session, arena, &authorization, &generation, err) < 0)
		return -1;
	if (exchange(session, request, authorization, arena, reply, err) < 0)
		return -1;
	if (reply->status != 401 || reply->redirected)
		return 0;
	reply->failure = HTTP_FAILED_FOR_GOOD;
	if (authorization_renew(session, reply, generation, err) < 0 ||
		authorization_current(session, arena, &authorization, &generation, err) < 0)
		return -1;
	return exchange(session, request, authorization, arena, reply, err);
}

int session_fetch(struct session *session, const struct session_request *request, struct arena *arena,
	struct http_reply *reply, struct error *err)
{
	struct retry retry = {.policy = &session->policy};
	int result, again;

	do {
		*reply = (struct http_reply){.retry_after_ms = -1, .text = ""};
		result = exchange_authorized(session, request, arena, reply, err);
		if (reply->received)
			break; /* to begin again is the caller's to decide */
		again = retry_wait(&retry, result, reply, request->sink, err);
		if (again < 0)
			return -1;
	} while (again > 0);
	if (result < 0)
		return -1;
	return http_is_good(reply) ? 0 : fail_status(session, arena, reply, err);
}
