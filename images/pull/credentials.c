/* Files of credentials; see credentials.h. */
#include "images/pull/credentials.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/decode.h"
#include "base/file.h"
#include "base/log.h"
#include "images/pull/base64.h"

#define FILE_BYTES_MAX (1 << 20)
#define DOCKER_SERVER "https://index.docker.io/v1/" /* what docker calls docker.io in its files */

/* --- one file ----------------------------------------------------------------------------------------------------- */

struct login {
	const char *server; /* the key */
	const char *auth, *user, *password, *identity_token;
};
static const struct field login_fields[] = {
	STRING("auth", struct login, auth, 0),
	STRING("username", struct login, user, 0),
	STRING("password", struct login, password, 0),
	STRING("identitytoken", struct login, identity_token, 0),
	END_OF_FIELDS,
};

struct login_file {
	LIST_OF(struct login) logins;
	struct pairs helpers;
	const char *store;
};
static const struct field file_fields[] = {
	MAP("auths", struct login_file, logins, login_fields, 0),
	PAIRS("credHelpers", struct login_file, helpers, 0),
	STRING("credsStore", struct login_file, store, 0),
	END_OF_FIELDS,
};

/* "https://host/v1/" and "host" mean the same; a path of another kind is a namespace and stays. */
static const char *server_normal(struct arena *arena, const char *server)
{
	static const char *const schemes[] = {"https://", "http://"};
	static const char *const endings[] = {"/", "/v1", "/v2"};
	const char *name = server;
	bool is_url = false;

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		if (text_starts_with(name, schemes[i])) {
			name += strlen(schemes[i]);
			is_url = true;
		}
	}
	for (size_t i = 0; is_url && i < ARRAY_SIZE(endings); i++)
		if (text_ends_with(name, endings[i]))
			name = arena_bytes(arena, name, strlen(name) - strlen(endings[i]));
	return strcmp(name, "index.docker.io") == 0 || strcmp(name, "registry-1.docker.io") == 0 ? REFERENCE_DOCKER
												 : name;
}

/* How much of the repository's name the entry names: 0 nothing of it. */
static size_t fit(struct arena *arena, const char *server, const char *repository)
{
	const char *name = server_normal(arena, server);
	size_t length = strlen(name);

	if (!length || strncmp(repository, name, length) != 0)
		return 0;
	return repository[length] == '\0' || repository[length] == '/' ? length : 0;
}

static const struct login *login_find(struct arena *arena, const struct login_file *file, const char *repository)
{
	const struct login *best = NULL;
	size_t best_fit = 0;

	for (size_t i = 0; i < file->logins.count; i++) {
		size_t length = fit(arena, file->logins.items[i].server, repository);

		if (length > best_fit) {
			best = &file->logins.items[i];
			best_fit = length;
		}
	}
	return best;
}

static const char *helper_find(struct arena *arena, const struct login_file *file, const char *registry)
{
	for (size_t i = 0; i < file->helpers.count; i++)
		if (text_equal(server_normal(arena, file->helpers.items[i].name), registry))
			return file->helpers.items[i].value;
	return NULL;
}

int credentials_parse(struct arena *arena, const char *text, struct credentials *out, struct error *err)
{
	const char *colon = strchr(text, ':');

	*out = (struct credentials){0};
	if (!colon || colon == text)
		return fail(err, ERROR_USAGE, "credentials must be USER:PASSWORD");
	out->user = arena_bytes(arena, text, (size_t)(colon - text));
	out->password = arena_string(arena, colon + 1);
	return 0;
}

/* docker leaves "auth" empty, or the entry itself, when its store has the secret. */
static int login_read(struct arena *arena, const struct login *login, struct credentials *out, struct error *err)
{
	const char *text;

	if (!text_is_empty(login->identity_token)) {
		out->identity_token = login->identity_token;
		return 0;
	}
	if (!text_is_empty(login->user) && login->password) {
		out->user = login->user;
		out->password = login->password;
		return 0;
	}
	if (text_is_empty(login->auth))
		return 0;
	text = base64_decode(arena, login->auth);
	if (!text || credentials_parse(arena, text, out, err) < 0)
		return fail(err, ERROR_USAGE, "\"auth\" of \"%s\" is not USER:PASSWORD in base64", login->server);
	return 0;
}

static bool are_found(const struct credentials *credentials)
{
	return credentials->user || credentials->identity_token;
}

static int store_ask(struct arena *arena, const struct login_file *file, const char *registry, struct credentials *out,
	struct error *err)
{
	bool is_docker = strcmp(registry, REFERENCE_DOCKER) == 0;

	if (text_is_empty(file->store))
		return 0;
	return credentials_helper_ask(arena, file->store, is_docker ? DOCKER_SERVER : registry, out, err);
}

static int file_search(struct arena *arena, const struct login_file *file, const struct reference *reference,
	struct credentials *out, struct error *err)
{
	const char *repository = arena_format(arena, "%s/%s", reference->registry, reference->repository);
	const char *helper = helper_find(arena, file, reference->registry);
	const struct login *login;

	if (!text_is_empty(helper)) {
		bool is_docker = strcmp(reference->registry, REFERENCE_DOCKER) == 0;

		return credentials_helper_ask(arena, helper, is_docker ? DOCKER_SERVER : reference->registry, out, err);
	}
	login = login_find(arena, file, repository);
	if (login && login_read(arena, login, out, err) < 0)
		return -1;
	return are_found(out) ? 0 : store_ask(arena, file, reference->registry, out, err);
}

static int file_use(struct arena *arena, const char *path, const struct reference *reference, struct credentials *out,
	struct error *err)
{
	struct json_doc doc;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_LENIENT};
	struct login_file file = {0};

	*out = (struct credentials){0};
	if (json_read(arena, AT_FDCWD, path, JSON_PLAIN, &doc, err) < 0 ||
		decode_object(&decoder, doc.root, file_fields, &file, err) < 0)
		return -1;
	if (file_search(arena, &file, reference, out, err) < 0)
		return blame(err, "%s", path);
	if (!are_found(out))
		return 0;
	out->from = arena_string(arena, path);
	log_debug("%s/%s: credentials from %s", reference->registry, reference->repository, path);
	return 0;
}

/* --- which files -------------------------------------------------------------------------------------------------- */

static void below_add(struct arena *arena, struct strings *paths, const char *variable, const char *rest)
{
	const char *directory = getenv(variable);

	if (!text_is_empty(directory))
		strings_add(arena, paths, arena_format(arena, "%s%s", directory, rest));
}

/* What must be there because somebody said so; then what may be. */
static void paths_collect(struct arena *arena, const char *authfile, struct strings *named, struct strings *usual)
{
	if (authfile) {
		strings_add(arena, named, authfile);
		return;
	}
	below_add(arena, named, "REGISTRY_AUTH_FILE", "");
	if (named->count)
		return;
	below_add(arena, usual, "XDG_RUNTIME_DIR", "/containers/auth.json");
	strings_add(arena, usual, arena_format(arena, "/run/containers/%u/auth.json", geteuid()));
	below_add(arena, usual, "XDG_CONFIG_HOME", "/containers/auth.json");
	below_add(arena, usual, "HOME", "/.config/containers/auth.json");
	below_add(arena, usual, "DOCKER_CONFIG", "/config.json");
	below_add(arena, usual, "HOME", "/.docker/config.json");
}

int credentials_find(struct arena *arena, const struct reference *reference, const char *authfile,
	struct credentials *out, struct error *err)
{
	struct strings named = {0}, usual = {0};

	*out = (struct credentials){0};
	paths_collect(arena, authfile, &named, &usual);
	for (size_t i = 0; i < named.count; i++)
		if (file_use(arena, named.items[i], reference, out, err) < 0)
			return -1;
	for (size_t i = 0; !are_found(out) && i < usual.count; i++)
		if (file_use(arena, usual.items[i], reference, out, err) < 0 && err->kind != ERROR_MISSING)
			return -1;
	return 0;
}
