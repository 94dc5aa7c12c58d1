/* Requests over libcurl's easy interface: a handle a request, taken from a pool. See http.h. */
#include "images/pull/http.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "images/pull/tls.h"

#define REDIRECTS_MAX 10
#define CONNECT_SECONDS 30L
#define STALL_SECONDS 60L /* without a byte */
#define BUFFER_BYTES 262144L
#define BAD_BODY_MAX 4096
#define HEADERS_MAX 8
#define SYSTEM_CERTIFICATES "/etc/ssl/certs"

/* One hop of a request. */
struct transfer {
	const struct http_request *request;
	struct http_reply *reply;
	struct arena *arena;
	CURL *curl;
	struct text bad;  /* body of a bad reply */
	int64_t skip;	  /* bytes still to throw away, as the server began at 0 */
	bool begun, sunk; /* the body has; the sink or a rule of ours has failed, and *err is filled */
	struct error *err;
};

/* --- the pool ----------------------------------------------------------------------------------------------------- */

int http_open(struct http *http, const char *certificates, bool insecure, struct error *err)
{
	*http = (struct http){.certificates = certificates, .insecure = insecure};
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return fail(err, ERROR_SYSTEM, "libcurl cannot be set up");
	pthread_mutex_init(&http->lock, NULL);
	return 0;
}

void http_close(struct http *http)
{
	while (http->idle_count)
		curl_easy_cleanup(http->idle[--http->idle_count]);
	pthread_mutex_destroy(&http->lock);
	curl_global_cleanup();
}

static CURL *handle_take(struct http *http)
{
	CURL *curl = NULL;

	pthread_mutex_lock(&http->lock);
	if (http->idle_count)
		curl = http->idle[--http->idle_count];
	pthread_mutex_unlock(&http->lock);
	if (!curl)
		curl = curl_easy_init();
	if (!curl)
		memory_exhausted();
	return curl;
}

/* Its connection stays open for the next; its settings, which point into the caller's memory, do not. */
static void handle_give(struct http *http, CURL *curl)
{
	curl_easy_reset(curl);
	pthread_mutex_lock(&http->lock);
	if (http->idle_count < HTTP_HANDLES_MAX) {
		http->idle[http->idle_count++] = curl;
		curl = NULL;
	}
	pthread_mutex_unlock(&http->lock);
	if (curl)
		curl_easy_cleanup(curl);
}

/* --- the body ----------------------------------------------------------------------------------------------------- */

static long status_of(CURL *curl)
{
	long status = 0;

	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

bool http_is_good(const struct http_reply *reply)
{
	return reply->status >= 200 && reply->status < 300;
}

static const char *header_get(const struct transfer *transfer, const char *name, size_t index)
{
	struct curl_header *header;

	if (curl_easy_header(transfer->curl, name, index, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return NULL;
	return arena_string(transfer->arena, header->value);
}

/* "bytes 100-199/200" → 100; -1: not said so. */
static int64_t range_start(const struct transfer *transfer)
{
	const char *text = header_get(transfer, "Content-Range", 0);
	const char *digits = text && text_starts_with(text, "bytes ") ? text + strlen("bytes ") : NULL;
	struct error ignored;
	int64_t start;

	if (!digits || number_parse(arena_bytes(transfer->arena, digits, strcspn(digits, "-")), 0, INT64_MAX, &start,
			       &ignored) < 0)
		return -1;
	return start;
}

static int body_begin(struct transfer *transfer)
{
	int64_t from = transfer->request->from, start;

	transfer->begun = true;
	if (!from)
		return 0;
	if (transfer->reply->status != 206) {
		transfer->skip = from;
		return 0;
	}
	start = range_start(transfer);
	if (start == from)
		return 0;
	return fail(transfer->err, ERROR_SYSTEM, "asked for bytes from %" PRId64 ", the server sends from %" PRId64,
		from, start);
}

static int body_take(struct transfer *transfer, const char *bytes, size_t length)
{
	size_t skip = (uint64_t)transfer->skip < length ? (size_t)transfer->skip : length;
	const struct http_request *request = transfer->request;

	transfer->skip -= (int64_t)skip;
	bytes += skip;
	length -= skip;
	if (!length)
		return 0;
	if ((int64_t)length > request->max - transfer->reply->received)
		return fail(transfer->err, ERROR_SYSTEM,
			"the server sends more than the %" PRId64 " bytes there may be", request->from + request->max);
	if (request->sink->write(request->sink, bytes, length, transfer->err) < 0)
		return -1;
	transfer->reply->received += (int64_t)length;
	return 0;
}

static void bad_body_take(struct transfer *transfer, const char *bytes, size_t length)
{
	size_t room = BAD_BODY_MAX - transfer->bad.length;

	text_append_bytes(&transfer->bad, bytes, length < room ? length : room);
}

/* curl's callback: fewer bytes than given ends the transfer. */
static size_t on_body(char *bytes, size_t one, size_t length, void *context)
{
	struct transfer *transfer = context;

	(void)one; /* always 1 */
	transfer->reply->status = status_of(transfer->curl);
	if (!http_is_good(transfer->reply)) {
		bad_body_take(transfer, bytes, length);
		return length;
	}
	transfer->sunk = (!transfer->begun && body_begin(transfer) < 0) || body_take(transfer, bytes, length) < 0;
	return transfer->sunk ? 0 : length;
}

/* --- setting up --------------------------------------------------------------------------------------------------- */

struct origin {
	const char *scheme, *host, *port; /* port as it counts: "443" when nothing is said */
	const char *name;		  /* "host[:port]" as it was written */
};

static const char *url_part(struct arena *arena, CURLU *url, CURLUPart part, unsigned flags)
{
	char *text = NULL;
	const char *copy = NULL;

	if (curl_url_get(url, part, &text, flags) == CURLUE_OK)
		copy = arena_string(arena, text);
	curl_free(text);
	return copy;
}

static int origin_parse(struct arena *arena, const char *text, struct origin *out, struct error *err)
{
	CURLU *url = curl_url();
	const char *port;
	bool is_valid;

	if (!url)
		memory_exhausted();
	is_valid = curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK;
	*out = (struct origin){url_part(arena, url, CURLUPART_SCHEME, 0), url_part(arena, url, CURLUPART_HOST, 0),
		url_part(arena, url, CURLUPART_PORT, CURLU_DEFAULT_PORT), NULL};
	port = url_part(arena, url, CURLUPART_PORT, 0);
	curl_url_cleanup(url);
	if (!is_valid || !out->host || !out->port || !out->scheme ||
		(strcmp(out->scheme, "https") != 0 && strcmp(out->scheme, "http") != 0))
		return fail(err, ERROR_SYSTEM, "\"%.200s\" is no address of a web server", text);
	out->name = arena_format(arena, "%s%s%s", out->host, port ? ":" : "", port ? port : "");
	return 0;
}

static bool same_origin(const struct origin *a, const struct origin *b)
{
	return strcmp(a->scheme, b->scheme) == 0 && strcasecmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0;
}

static int tls_set(const struct http *http, CURL *curl, struct arena *arena, const char *host, struct error *err)
{
	struct tls_files files;

	if (http->insecure) {
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (tls_files_find(arena, host, http->certificates, &files, err) < 0)
		return -1;
	if (files.authorities) {
		struct curl_blob blob = {(void *)files.authorities, strlen(files.authorities), CURL_BLOB_COPY};

		curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
		curl_easy_setopt(curl, CURLOPT_CAPATH, SYSTEM_CERTIFICATES); /* these stay believed */
	}
	if (files.certificate) {
		curl_easy_setopt(curl, CURLOPT_SSLCERT, files.certificate);
		curl_easy_setopt(curl, CURLOPT_SSLKEY, files.key);
	}
	return 0;
}

static void common_set(CURL *curl, struct transfer *transfer)
{
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L); /* we have threads */
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "warren/" WARREN_VERSION);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
	curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
}

static struct curl_slist *headers_make(const struct http_request *request, bool with_authorization)
{
	struct curl_slist *list = NULL;

	for (size_t i = 0; i < request->headers.count; i++)
		list = curl_slist_append(list, request->headers.items[i]);
	if (with_authorization && request->authorization) {
		auto_free char *line = text_format("Authorization: %s", request->authorization);

		list = curl_slist_append(list, line);
	}
	return list;
}

/* --- the reply ---------------------------------------------------------------------------------------------------- */

static void reply_read(struct transfer *transfer)
{
	struct http_reply *reply = transfer->reply;
	curl_off_t seconds = 0;

	reply->status = status_of(transfer->curl);
	reply->content_type = header_get(transfer, "Content-Type", 0);
	reply->digest = header_get(transfer, "Docker-Content-Digest", 0);
	curl_easy_getinfo(transfer->curl, CURLINFO_RETRY_AFTER, &seconds);
	reply->retry_after_ms = header_get(transfer, "Retry-After", 0) && seconds >= 0 && seconds < INT32_MAX
					? (int64_t)seconds * 1000
					: -1;
	reply->challenges = (struct strings){0};
	for (size_t i = 0; i < HEADERS_MAX; i++) {
		const char *challenge = header_get(transfer, "WWW-Authenticate", i);

		if (!challenge)
			break;
		strings_add(transfer->arena, &reply->challenges, challenge);
	}
	reply->text = arena_string(transfer->arena, text_string(&transfer->bad));
}

static const struct {
	CURLcode code;
	enum http_failure failure;
} failures[] = {
	{CURLE_PEER_FAILED_VERIFICATION, HTTP_FAILED_FOR_GOOD},
	{CURLE_SSL_CERTPROBLEM, HTTP_FAILED_FOR_GOOD},
	{CURLE_SSL_CACERT_BADFILE, HTTP_FAILED_FOR_GOOD},
	{CURLE_UNSUPPORTED_PROTOCOL, HTTP_FAILED_FOR_GOOD},
	{CURLE_URL_MALFORMAT, HTTP_FAILED_FOR_GOOD},
	{CURLE_COULDNT_RESOLVE_HOST, HTTP_NOT_REACHED},
	{CURLE_COULDNT_RESOLVE_PROXY, HTTP_NOT_REACHED},
	{CURLE_COULDNT_CONNECT, HTTP_NOT_REACHED},
	{CURLE_SSL_CONNECT_ERROR, HTTP_NOT_REACHED},
};

static enum http_failure failure_of(CURLcode code)
{
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
		if (failures[i].code == code)
			return failures[i].failure;
	return HTTP_FAILED_ON_THE_WAY;
}

/* What a user can do about it. */
static const char *advice(CURLcode code)
{
	if (code == CURLE_SSL_CONNECT_ERROR)
		return " (a registry without TLS needs --tls-verify=false)";
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		return " (its authority belongs into /etc/containers/certs.d, or --cert-dir)";
	return "";
}

static int hop_fail(struct transfer *transfer, CURLcode code, const char *said, const char *host)
{
	transfer->reply->failure = transfer->sunk ? HTTP_FAILED_FOR_GOOD : failure_of(code);
	if (transfer->sunk)
		return -1;
	return fail(
		transfer->err, ERROR_SYSTEM, "%s: %s%s", host, *said ? said : curl_easy_strerror(code), advice(code));
}

/* --- hops --------------------------------------------------------------------------------------------------------- */

/* *next: where the reply sends us, or NULL. */
static int hop_perform(const struct http *http, struct transfer *transfer, const char *url, const struct origin *origin,
	bool with_authorization, const char **next)
{
	CURL *curl = transfer->curl;
	struct curl_slist *headers = headers_make(transfer->request, with_authorization);
	char said[CURL_ERROR_SIZE] = "", *redirect = NULL;
	CURLcode code;

	common_set(curl, transfer);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, said);
	if (transfer->request->form)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, transfer->request->form);
	if (transfer->request->from)
		curl_easy_setopt(
			curl, CURLOPT_RANGE, arena_format(transfer->arena, "%" PRId64 "-", transfer->request->from));
	if (tls_set(http, curl, transfer->arena, origin->name, transfer->err) < 0) {
		transfer->sunk = true;
		code = CURLE_OK;
	} else {
		code = curl_easy_perform(curl);
	}
	reply_read(transfer);
	curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &redirect);
	*next = redirect && code == CURLE_OK ? arena_string(transfer->arena, redirect) : NULL;
	curl_slist_free_all(headers);
	if (code != CURLE_OK || transfer->sunk)
		return hop_fail(transfer, code, said, origin->name);
	return 0;
}

static int hop_check(const struct origin *from, const struct origin *to, struct error *err)
{
	if (strcmp(from->scheme, "https") == 0 && strcmp(to->scheme, "http") == 0)
		return fail(err, ERROR_SYSTEM, "%s sends us on to %s without TLS: refused", from->name, to->name);
	return 0;
}

static int hops_follow(struct http *http, struct transfer *transfer, const struct origin *first)
{
	const char *url = transfer->request->url, *next;
	struct origin here = *first, there;

	for (unsigned hops = 0; hops <= REDIRECTS_MAX; hops++) {
		text_clear(&transfer->bad);
		curl_easy_reset(transfer->curl);
		if (hop_perform(http, transfer, url, &here, same_origin(first, &here), &next) < 0)
			return -1;
		if (!next)
			return 0;
		transfer->reply->failure = HTTP_FAILED_FOR_GOOD;
		if (origin_parse(transfer->arena, next, &there, transfer->err) < 0 ||
			hop_check(&here, &there, transfer->err) < 0)
			return blame(transfer->err, "%s", first->name);
		log_debug("%s sends us on to %s", here.name, there.name);
		url = next;
		here = there;
		transfer->reply->redirected = !same_origin(first, &here);
	}
	return fail(transfer->err, ERROR_SYSTEM, "%s: sent on more than %d times", first->name, REDIRECTS_MAX);
}

int http_fetch(struct http *http, const struct http_request *request, struct arena *arena, struct http_reply *reply,
	struct error *err)
{
	struct transfer transfer = {.request = request, .reply = reply, .arena = arena, .err = err};
	struct origin origin;
	int result;

	*reply = (struct http_reply){.retry_after_ms = -1, .text = "", .failure = HTTP_FAILED_FOR_GOOD};
	if (origin_parse(arena, request->url, &origin, err) < 0)
		return -1;
	transfer.curl = handle_take(http);
	result = hops_follow(http, &transfer, &origin);
	handle_give(http, transfer.curl);
	text_drop(&transfer.bad);
	return result;
}

/* --- small things ------------------------------------------------------------------------------------------------- */

void url_escape(struct text *out, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

	for (; *text; text++) {
		if (strchr(plain, *text))
			text_append_bytes(out, text, 1);
		else
			text_appendf(out, "%%%02X", (unsigned char)*text);
	}
}

static int memory_write(struct sink *sink, const void *bytes, size_t length, struct error *err)
{
	struct memory_sink *memory = (struct memory_sink *)sink;

	(void)err;
	text_append_bytes(&memory->text, bytes, length);
	return 0;
}

struct memory_sink memory_sink_new(void)
{
	return (struct memory_sink){.sink = {.write = memory_write}};
}

void memory_sink_drop(struct memory_sink *sink)
{
	text_drop(&sink->text);
}
