/* Credential helpers: programs docker-credential-NAME that know secrets so that no file holds them. The protocol is
 * docker's: the server's name on standard input, an object with Username and Secret on standard output, status 0; the
 * user name "<token>" says that the secret is an identity token. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/decode.h"
#include "base/process.h"
#include "images/pull/credentials.h"

#define TIMEOUT_MS 60000 /* some ask their user */
#define ANSWER_MAX (64 << 10)
#define NAME_LENGTH_MAX 64

struct helper_answer {
	const char *user, *secret;
};
static const struct field answer_fields[] = {
	STRING("Username", struct helper_answer, user, REQUIRED),
	STRING("Secret", struct helper_answer, secret, REQUIRED),
	END_OF_FIELDS,
};

static bool is_program(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* Only absolute directories of PATH: what lies in the working directory is nobody's helper. */
static const char *program_find(struct arena *arena, const char *program)
{
	const char *path = getenv("PATH");
	struct strings directories = strings_split(arena, path ? path : "/usr/local/bin:/usr/bin:/bin", ':');

	for (size_t i = 0; i < directories.count; i++) {
		const char *candidate = arena_format(arena, "%s/%s", directories.items[i], program);

		if (*directories.items[i] == '/' && is_program(candidate))
			return candidate;
	}
	return NULL;
}

static int name_is_plain(const char *name, struct error *err)
{
	if (strlen(name) <= NAME_LENGTH_MAX && *name != '.' &&
		!name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")])
		return 0;
	return fail(err, ERROR_USAGE,
		"credential helper \"%.100s\": only letters, digits, '.', '_' and '-' are allowed", name);
}

static int answer_read(
	struct arena *arena, const char *program, const struct text *text, struct credentials *out, struct error *err)
{
	struct json_doc doc;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_LENIENT};
	struct helper_answer answer = {0};

	if (json_parse(arena, program, text_string(text), text->length, JSON_PLAIN, &doc, err) < 0 ||
		decode_object(&decoder, doc.root, answer_fields, &answer, err) < 0)
		return -1;
	if (strcmp(answer.user, "<token>") == 0)
		out->identity_token = answer.secret;
	else if (*answer.user)
		*out = (struct credentials){.user = answer.user, .password = answer.secret};
	return 0;
}

int credentials_helper_ask(
	struct arena *arena, const char *name, const char *server, struct credentials *out, struct error *err)
{
	const char *program, *path;
	struct text answer AUTO(text_drop) = {0};
	struct helper helper = {.input = server,
		.input_length = strlen(server),
		.timeout_ms = TIMEOUT_MS,
		.env = (const char *const *)environ,
		.answer_max = ANSWER_MAX};
	int status;

	*out = (struct credentials){0};
	if (name_is_plain(name, err) < 0)
		return -1;
	program = arena_format(arena, "docker-credential-%s", name);
	path = program_find(arena, program);
	if (!path)
		return fail(err, ERROR_SYSTEM, "the credential helper %s is not in PATH", program);
	helper.argv = (const char *const[]){path, "get", NULL};
	if (process_run(&helper, &answer, &status, err) < 0)
		return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return answer_read(arena, program, &answer, out, err);
	if (strstr(text_string(&answer), "credentials not found"))
		return 0;
	return fail(err, ERROR_SYSTEM, "%s: %.200s", path, answer.length ? text_string(&answer) : "failed");
}
