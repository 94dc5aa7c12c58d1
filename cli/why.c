/* why: how instances are, why they ended, and what they said before. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/lines.h"

struct why_options {
	struct selection which;
	bool json, every;
};

static const struct option why_table[] = {
	OPTION_FLAG("log", 0, "the last lines of the log before every end, not only before the last",
		struct why_options, every),
	OPTION_FLAG("json", 0, "print all that is kept as JSON", struct why_options, json),
	SELECTION_OPTIONS(struct why_options, which),
	END_OF_OPTIONS,
};

/* "2026-01-31 23:59:59" */
static const char *moment_text(int64_t real_ms, char buffer[32])
{
	time_t seconds = (time_t)(real_ms / 1000);
	struct tm parts;

	strftime(buffer, 32, "%Y-%m-%d %H:%M:%S", gmtime_r(&seconds, &parts));
	return buffer;
}

static void health_print(const struct health_status *health)
{
	char duration[24];
	int64_t since_ms = clock_real_ms() - health->since_ms;

	if (health->state == HEALTH_NONE)
		return;
	printf(", %s for %s", health_state_names[health->state],
		duration_format(since_ms > 0 ? since_ms : 0, duration));
	if (health->state != HEALTH_HEALTHY && health->results.count)
		printf(" (%s)", health->results.items[health->results.count - 1].output);
}

static void now_print(const struct instance_status *status)
{
	printf("%s: %s", status->name, instance_state_word(status));
	if (status->state == INSTANCE_DAMAGED)
		printf(" (%s)", status->damage);
	health_print(&status->health);
	if (status->restarts)
		printf(", restarted %lld times", (long long)status->restarts);
	printf("\n");
}

static const char *times_text(int64_t count, char buffer[32])
{
	if (count == 1)
		return "once";
	snprintf(buffer, 32, "%lld times", (long long)count);
	return buffer;
}

static void end_print(const struct end_report *end, bool with_log)
{
	AUTO(text_drop) struct text line = {0};
	char moment[32], duration[24], signal[16], times[32];

	text_appendf(&line, "  %s  %s", moment_text(end->at_ms, moment), end_reason_names[end->reason]);
	if (end->status > 128)
		text_appendf(&line, ", by SIG%s", signal_name(end->status - 128, signal));
	else
		text_appendf(&line, ", exit %d", end->status);
	if (end->lived_ms)
		text_appendf(&line, ", after %s", duration_format(end->lived_ms, duration));
	if (end->oom_kills)
		text_appendf(&line, ", out of memory %s", times_text(end->oom_kills, times));
	text_appendf(&line, "%s%s", text_is_empty(end->detail) ? "" : ": ", end->detail ? end->detail : "");
	lines_print(stdout, terminal_width(stdout), 4, text_string(&line));
	for (size_t i = 0; with_log && i < end->log.count; i++)
		printf("      %s\n", end->log.items[i]);
}

/* The last one first: it is what people ask for. */
static int why_print(struct cli *cli, const char *name, bool every, struct error *err)
{
	struct instance_status status;
	struct end_list ends;

	if (instance_status_read(&cli->arena, &cli->host, name, &status, err) < 0 ||
		instance_ends_read(&cli->arena, &cli->host, name, &ends, err) < 0)
		return -1;
	now_print(&status);
	for (size_t i = ends.count; i-- > 0;)
		end_print(&ends.items[i], every || i + 1 == ends.count);
	return 0;
}

static int why_json(struct cli *cli, const struct strings *names, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	struct end_list ends;

	encode_object_begin(encoder, NULL);
	for (size_t i = 0; i < names->count; i++) {
		if (instance_ends_read(&cli->arena, &cli->host, names->items[i], &ends, err) < 0)
			return -1;
		instance_ends_encode(encoder, names->items[i], &ends);
	}
	encode_object_end(encoder);
	encoder_print(encoder, stdout);
	return 0;
}

static int why_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const struct why_options *chosen = options;
	struct strings names = {0};

	if (cli_select(cli, &chosen->which, count, operands, &names, err) < 0)
		return -1;
	if (chosen->json)
		return why_json(cli, &names, err);
	for (size_t i = 0; i < names.count; i++)
		if (why_print(cli, names.items[i], chosen->every, err) < 0)
			return -1;
	return 0;
}

const struct command why_command = {
	.name = "why",
	.operands = "[options] NAME…",
	.summary = "say how instances are, why they ended, and what they said before",
	.example = "warren why blog\nwarren why --log 'site-*'",
	.options = why_table,
	.options_size = sizeof(struct why_options),
	.operands_max = SIZE_MAX,
	.run = why_run,
};
