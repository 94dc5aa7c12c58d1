/* Hooks, run one after another, each bounded by its time limit (or by a generous one of our own, so that no hook can
 * hang a container's life for ever). */
#include "runtime/start/hooks.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "runtime/state/state.h"

#define DEFAULT_TIMEOUT_MS (10 * 60 * 1000)

const char *const hook_names[HOOK_KINDS] = {
	"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"};
const char *const hook_statuses[HOOK_KINDS] = {"creating", "creating", "creating", "created", "running", "stopped"};

/* The last line that the hook wrote, for the message. */
static const char *last_line(struct text *output)
{
	char *line;

	while (output->length && (output->data[output->length - 1] == '\n' || output->data[output->length - 1] == ' '))
		output->data[--output->length] = '\0';
	line = output->length ? strrchr(output->data, '\n') : NULL;
	return line ? line + 1 : text_string(output);
}

static int fail_status(const struct spec_hook *hook, int status, struct text *output, struct error *err)
{
	const char *words = last_line(output);
	char name[16];

	if (WIFSIGNALED(status))
		return fail(err, ERROR_SYSTEM, "hook %s: killed by signal %s", hook->path,
			signal_name(WTERMSIG(status), name));
	return fail(err, ERROR_SYSTEM, "hook %s: exit status %d%s%s", hook->path, WEXITSTATUS(status),
		*words ? ": " : "", words);
}

/* Without `env` the specification does not say; those who write hooks know crun and runc, which give them the caller's.
 * Not so inside the container, whose program would learn from its image's hook what the host's callers have there. */
static const char *const *environment_of(const struct spec_hook *hook, enum hook_kind kind)
{
	static const char *const nothing[] = {NULL};

	if (hook->env.count)
		return hook->env.items;
	return hook->env.items || kind == HOOK_START_CONTAINER ? nothing : (const char *const *)environ;
}

static int hook_run(
	const struct spec_hook *hook, enum hook_kind kind, const char *state, size_t length, struct error *err)
{
	AUTO(text_drop) struct text output = {0};
	const char *path_only[] = {hook->path, NULL};
	struct helper helper = {
		.program = hook->path,
		.argv = hook->args.count ? hook->args.items : path_only,
		.env = environment_of(hook, kind),
		.input = state,
		.input_length = length,
		.timeout_ms = hook->timeout_s.set ? hook->timeout_s.value * 1000 : DEFAULT_TIMEOUT_MS,
	};
	int status;

	if (process_run(&helper, &output, &status, err) < 0)
		return blame(err, "hook %s", hook->path);
	return status ? fail_status(hook, status, &output, err) : 0;
}

int hooks_run(const struct spec_hooks *hooks, enum hook_kind kind, const char *state, size_t length, struct error *err)
{
	for (size_t i = 0; i < hooks->of[kind].count; i++)
		if (hook_run(&hooks->of[kind].items[i], kind, state, length, err) < 0)
			return blame(err, "%s", hook_names[kind]);
	return 0;
}

void hooks_run_each(const struct spec_hooks *hooks, enum hook_kind kind, const char *state, size_t length)
{
	struct error err;

	for (size_t i = 0; i < hooks->of[kind].count; i++)
		if (hook_run(&hooks->of[kind].items[i], kind, state, length, &err) < 0)
			log_warn("%s: %s", hook_names[kind], err.text);
}

int hooks_run_inside(
	const struct spec_hooks *hooks, enum hook_kind kind, const struct launch_hooks *inside, struct error *err)
{
	auto_free char *state = NULL;
	size_t length;

	if (!hooks->of[kind].count || !inside)
		return 0;
	state = state_hook_json(inside->facts, hook_statuses[kind], getpid(), &length);
	return hooks_run(hooks, kind, state, length, err);
}
