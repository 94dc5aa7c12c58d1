/* See restart.h. The first delay is spec.delay, each further one twice the last, up to spec.max_delay. */
#include "fleet/monitor/restart.h"

static bool policy_wants(const struct restart_spec *spec, const struct exit_record *exit)
{
	switch (spec->policy) {
	case RESTART_NO:
		return false;
	case RESTART_ON_FAILURE:
		return exit->status != 0;
	case RESTART_ALWAYS:
	case RESTART_UNLESS_STOPPED: /* differs only after a reboot */
		return true;
	}
	return false;
}

static int64_t next_delay(const struct restart_spec *spec, int64_t last_ms)
{
	int64_t delay_ms = last_ms ? last_ms * 2 : spec->delay_ms;

	return delay_ms < spec->max_delay_ms ? delay_ms : spec->max_delay_ms;
}

bool restart_decide(const struct restart_spec *spec, struct backoff *backoff, const struct exit_record *exit,
	enum desired_state desired, bool well, int64_t *delay_ms)
{
	bool always = exit->reason == END_REBOOT || exit->reason == END_UNHEALTHY;

	if (well)
		*backoff = (struct backoff){0};
	if (desired == DESIRED_STOPPED || (!always && !policy_wants(spec, exit)))
		return false;
	if (exit->reason != END_REBOOT && spec->max_retries.set && backoff->retries >= spec->max_retries.value)
		return false;
	backoff->retries++;
	backoff->delay_ms = next_delay(spec, backoff->delay_ms);
	*delay_ms = backoff->delay_ms;
	return true;
}
