/* Answers to challenges: Basic from credentials, Bearer from the token server that the challenge names.
 *
 * A token server is asked with GET, name and password in a Basic header if there are any; with an identity token it is
 * asked with POST as OAuth 2 has it (grant_type=refresh_token). See the distribution project's token specification. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/decode.h"
#include "base/log.h"
#include "base/process.h"
#include "images/pull/base64.h"
#include "images/pull/session.h"

#define TOKEN_BYTES_MAX (256 << 10)
#define LIFE_DEFAULT_SECONDS 60
#define LIFE_MAX_SECONDS (366 * 24 * 3600)
#define CLIENT "warren"

struct token_answer {
	const char *token, *access_token;
	int64_t expires_in;
};
static const struct field answer_fields[] = {
	STRING("token", struct token_answer, token, 0),
	STRING("access_token", struct token_answer, access_token, 0),
	INTEGER("expires_in", struct token_answer, expires_in, 0, LIFE_MAX_SECONDS, 0),
	END_OF_FIELDS,
};

/* What stands in a header must not begin another one. */
static bool is_visible(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static const char *basic_make(struct arena *arena, const struct credentials *credentials)
{
	const char *pair = arena_format(arena, "%s:%s", credentials->user, credentials->password);

	return arena_format(arena, "Basic %s", base64_encode(arena, pair));
}

/* --- Basic -------------------------------------------------------------------------------------------------------- */

static int basic_answer(const struct session *session, char **authorization, int64_t *expires_ms, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};

	if (!session->credentials.user)
		return fail(err, ERROR_SYSTEM,
			"it wants a name and a password: log in (podman login %s), or give --creds",
			session->reference.registry);
	*authorization = strdup(basic_make(&arena, &session->credentials));
	*expires_ms = INT64_MAX;
	if (!*authorization)
		memory_exhausted();
	return 0;
}

/* --- Bearer ------------------------------------------------------------------------------------------------------- */

static void parameter_add(struct text *query, const char *name, const char *value)
{
	if (text_is_empty(value))
		return;
	text_appendf(query, "%s%s=", query->length ? "&" : "", name);
	url_escape(query, value);
}

/* The scope of the challenge; a registry that names none gets the narrowest that serves. */
static const char *scope_of(struct arena *arena, const struct session *session, const struct challenge *challenge)
{
	if (!text_is_empty(challenge->scope))
		return challenge->scope;
	return arena_format(arena, "repository:%s:pull", session->reference.repository);
}

static void request_get(struct arena *arena, const struct session *session, const struct challenge *challenge,
	struct http_request *request)
{
	struct text query AUTO(text_drop) = {0};
	const char *joint = strchr(challenge->realm, '?') ? "&" : "?";

	parameter_add(&query, "service", challenge->service);
	parameter_add(&query, "scope", scope_of(arena, session, challenge));
	if (session->credentials.user) {
		parameter_add(&query, "account", session->credentials.user);
		request->authorization = basic_make(arena, &session->credentials);
	}
	request->url = arena_format(arena, "%s%s%s", challenge->realm, joint, text_string(&query));
}

static void request_post(struct arena *arena, const struct session *session, const struct challenge *challenge,
	struct http_request *request)
{
	struct text form AUTO(text_drop) = {0};

	parameter_add(&form, "grant_type", "refresh_token");
	parameter_add(&form, "service", challenge->service);
	parameter_add(&form, "client_id", CLIENT);
	parameter_add(&form, "scope", scope_of(arena, session, challenge));
	parameter_add(&form, "refresh_token", session->credentials.identity_token);
	request->url = challenge->realm;
	request->form = arena_string(arena, text_string(&form));
}

static int answer_read(
	struct arena *arena, const struct text *text, char **authorization, int64_t *expires_ms, struct error *err)
{
	struct token_answer answer = {.expires_in = LIFE_DEFAULT_SECONDS};
	struct json_doc doc;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_LENIENT};
	const char *token;

	if (json_parse(arena, "its answer", text_string(text), text->length, JSON_PLAIN, &doc, err) < 0 ||
		decode_object(&decoder, doc.root, answer_fields, &answer, err) < 0)
		return -1;
	token = text_is_empty(answer.token) ? answer.access_token : answer.token;
	if (text_is_empty(token) || !is_visible(token))
		return fail(err, ERROR_SYSTEM, "its answer holds no token");
	if (!answer.expires_in)
		answer.expires_in = LIFE_DEFAULT_SECONDS;
	*authorization = text_format("Bearer %s", token);
	*expires_ms = clock_ms() + answer.expires_in * 900; /* a tenth early: the request has to arrive in time */
	return 0;
}

static int fail_refused(const struct session *session, struct error *err)
{
	if (session->credentials.from)
		return fail(err, ERROR_SYSTEM, "it refuses the credentials of %s", session->credentials.from);
	return fail(err, ERROR_SYSTEM, "it gives no token for %s; perhaps a login is missing (podman login %s)",
		session->reference.repository, session->reference.registry);
}

static int server_ask(struct session *session, const struct http_request *request, struct arena *arena,
	struct http_reply *reply, struct memory_sink *body, struct error *err)
{
	struct retry retry = {.policy = &session->policy};
	int result, again;

	do {
		text_clear(&body->text);
		result = http_fetch(session->http, request, arena, reply, err);
		again = retry_wait(&retry, result, reply, NULL, err);
	} while (again > 0);
	if (result < 0)
		return -1;
	if (reply->status == 401 || reply->status == 403)
		return fail_refused(session, err);
	if (!http_is_good(reply))
		return fail(err, ERROR_SYSTEM, "status %ld: %.200s", reply->status, reply->text);
	return 0;
}

/* A password does not travel unprotected because of what a header says. */
static int realm_check(const struct session *session, const struct challenge *challenge, struct error *err)
{
	if (!is_visible(challenge->realm))
		return fail(err, ERROR_SYSTEM, "the registry names a token server that is no address");
	if (text_starts_with(challenge->realm, "https://") ||
		(session->may_be_plain && text_starts_with(challenge->realm, "http://")))
		return 0;
	return fail(err, ERROR_SYSTEM, "the registry names a token server without TLS: \"%.200s\"", challenge->realm);
}

static int bearer_answer(struct session *session, const struct challenge *challenge, char **authorization,
	int64_t *expires_ms, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(memory_sink_drop) struct memory_sink body = memory_sink_new();
	struct http_request request = {.max = TOKEN_BYTES_MAX, .sink = &body.sink};
	struct http_reply reply;

	if (realm_check(session, challenge, err) < 0)
		return -1;
	if (session->credentials.identity_token)
		request_post(&arena, session, challenge, &request);
	else
		request_get(&arena, session, challenge, &request);
	if (server_ask(session, &request, &arena, &reply, &body, err) < 0 ||
		answer_read(&arena, &body.text, authorization, expires_ms, err) < 0)
		return blame(err, "token server %.200s", challenge->realm);
	log_debug("%s: a token from %s", session->reference.registry, challenge->realm);
	return 0;
}

int token_get(struct session *session, const struct challenge *challenge, char **authorization, int64_t *expires_ms,
	struct error *err)
{
	switch (challenge->scheme) {
	case CHALLENGE_BASIC:
		return basic_answer(session, authorization, expires_ms, err);
	case CHALLENGE_BEARER:
		return bearer_answer(session, challenge, authorization, expires_ms, err);
	case CHALLENGE_NONE:
		break;
	}
	return fail(err, ERROR_SYSTEM, "it wants a proof of identity of a kind unknown here");
}
