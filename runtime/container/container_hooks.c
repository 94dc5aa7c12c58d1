/* The state in the form that the specification gives it, made only where there are hooks to read it. */
#include "runtime/start/hooks.h"

#include "base/cleanup.h"
#include "runtime/state/state.h"

int container_hooks_run(const struct spec_hooks *hooks, const struct container_facts *facts, enum hook_kind kind,
	pid_t pid, struct error *err)
{
	auto_free char *state = NULL;
	size_t length;

	if (!hooks->of[kind].count)
		return 0;
	state = state_hook_json(facts, hook_statuses[kind], pid, &length);
	return hooks_run(hooks, kind, state, length, err);
}

void container_poststop_run(const struct spec_hooks *hooks, const struct container_facts *facts)
{
	auto_free char *state = NULL;
	size_t length;

	if (!hooks->of[HOOK_POSTSTOP].count)
		return;
	state = state_hook_json(facts, hook_statuses[HOOK_POSTSTOP], 0, &length);
	hooks_run_each(hooks, HOOK_POSTSTOP, state, length);
}
