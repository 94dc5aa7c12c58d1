/* The text is read by a parser that takes nothing but the format. */
#include <ctype.h>
#include <math.h>

#include "base/cleanup.h"
#include "fleet/fleet.h"
#include "support_host.h"

struct parsed {
	char metric[128]; /* of the last TYPE line */
	bool counter, helped;
	char seen[64][128];
	size_t seen_count, samples;
};

static size_t name_length(const char *text)
{
	size_t length = isalpha((unsigned char)*text) || *text == '_' ? 1 : 0;

	while (length && (isalnum((unsigned char)text[length]) || text[length] == '_'))
		length++;
	return length;
}

/* name="value" with only \\, \" and \n as escapes; gives what follows. */
static const char *label_pass(const char *at)
{
	size_t length = name_length(at);

	cr_assert(length && at[length] == '=' && at[length + 1] == '"', "label at: %.40s", at);
	for (at += length + 2; *at != '"'; at++) {
		cr_assert((unsigned char)*at >= ' ', "a raw control character");
		if (*at == '\\')
			at++;
		cr_assert(*at);
	}
	return at + 1;
}

static void sample_check(struct parsed *parsed, const char *line)
{
	size_t length = name_length(line);
	char *end;

	cr_assert(length == strlen(parsed->metric) && !strncmp(line, parsed->metric, length),
		"a sample of another metric than announced: %s", line);
	const char *at = line + length;

	cr_assert(*at == '{');
	do
		at = label_pass(at + 1);
	while (*at == ',');
	cr_assert(at[0] == '}' && at[1] == ' ', "%s", line);
	double value = strtod(at + 2, &end);

	cr_assert(end != at + 2 && *end == '\0' && isfinite(value) && value >= 0, "value of: %s", line);
	parsed->samples++;
}

static void comment_check(struct parsed *parsed, const char *line)
{
	char word[8], name[128], rest[256];

	cr_assert(sscanf(line, "# %7s %127s %255[^\n]", word, name, rest) == 3, "%s", line);
	if (!strcmp(word, "HELP")) {
		for (size_t i = 0; i < parsed->seen_count; i++)
			cr_assert(strcmp(parsed->seen[i], name) != 0, "%s comes twice", name);
		cr_assert(parsed->seen_count < 64);
		snprintf(parsed->seen[parsed->seen_count++], 128, "%s", name);
		snprintf(parsed->metric, sizeof(parsed->metric), "%s", name);
		parsed->helped = true;
		return;
	}
	cr_assert(!strcmp(word, "TYPE") && parsed->helped && !strcmp(name, parsed->metric), "%s", line);
	cr_assert(!strcmp(rest, "counter") || !strcmp(rest, "gauge"), "%s", line);
	cr_assert(text_ends_with(name, "_total") == !strcmp(rest, "counter"), "%s is a %s", name, rest);
	parsed->helped = false;
}

static struct parsed parse(struct arena *arena, const struct text *text)
{
	struct strings lines = strings_split(arena, text_string(text), '\n');
	struct parsed parsed = {0};

	cr_assert(text_ends_with(text_string(text), "\n"), "the last line ends as well");
	for (size_t i = 0; i + 1 < lines.count; i++)
		if (*lines.items[i] == '#')
			comment_check(&parsed, lines.items[i]);
		else
			sample_check(&parsed, lines.items[i]);
	return parsed;
}

TEST(prometheus, the_text_is_exactly_the_format)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(text_drop) struct text text = {0};
	struct instance_stats items[] = {
		{.name = "site-1",
			.fleet = "shop",
			.cgroup = {.cpu_us = {true, 1500042},
				.memory_bytes = {true, 4096},
				.cpu_limit_milli = {true, 250},
				.cpu_pressure_10s = {true, 1234}},
			.link = {.present = true, .rx_bytes = 7},
			.restarts = 2,
			.started_ms = 1700000000007,
			.health = HEALTH_HEALTHY},
		{.name = "odd\"\\\nname", .cgroup = {.cpu_us = {true, 2000000}}, .health = HEALTH_UNHEALTHY},
	};
	struct stats_sample sample = {items, ARRAY_SIZE(items)};
	struct instance_status stopped = {.name = "off", .state = INSTANCE_STOPPED};
	struct instance_list list = {&stopped, 1};

	stats_prometheus(&text, &sample, &list);
	parse(&arena, &text);
	static const char *const expected[] = {
		"# HELP warren_instance_cpu_seconds_total Processor time used by the present run.\n",
		"# TYPE warren_instance_cpu_seconds_total counter\n",
		"warren_instance_cpu_seconds_total{name=\"site-1\",fleet=\"shop\"} 1.500042\n",
		"warren_instance_cpu_seconds_total{name=\"odd\\\"\\\\\\nname\",fleet=\"\"} 2\n",
		"warren_instance_cpu_limit_processors{name=\"site-1\",fleet=\"shop\"} 0.25\n",
		"warren_instance_cpu_pressure_ratio{name=\"site-1\",fleet=\"shop\"} 0.1234\n",
		"warren_instance_start_time_seconds{name=\"site-1\",fleet=\"shop\"} 1700000000.007\n",
		"warren_instance_restarts_total{name=\"site-1\",fleet=\"shop\"} 2\n",
		"warren_instance_network_receive_bytes_total{name=\"site-1\",fleet=\"shop\"} 7\n",
		"warren_instance_healthy{name=\"site-1\",fleet=\"shop\"} 1\n",
		"warren_instance_healthy{name=\"odd\\\"\\\\\\nname\",fleet=\"\"} 0\n",
		"warren_instance_state{name=\"off\",fleet=\"\",state=\"stopped\"} 1\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		cr_assert(strstr(text_string(&text), expected[i]), "%s not in %s", expected[i], text_string(&text));
	cr_assert(!strstr(text_string(&text), "swap_bytes"), "a metric without samples is not announced");
}

TEST(prometheus, of_a_running_host_parses)
{
	struct test_host test;
	AUTO(text_drop) struct text text = {0};
	struct stats_sample sample;
	struct instance_list list = {0};
	struct error err;

	test_host_open(&test);
	struct instance_spec spec = test_spec(&test, "web", "exec sleep 1000");

	spec.resources.cpus_milli = (struct optional){true, 250};
	test_run(&test, &spec);
	ASSERT_OK(
		instance_stats_read(&test.arena, &test.host, &(struct strings){0}, STATS_DETAILS, NULL, &sample, &err));
	stats_prometheus(&text, &sample, &list);
	cr_assert(parse(&test.arena, &text).samples > 8);
	if (test.host.cgroups.available[CGROUP_CPU])
		cr_assert(strstr(text_string(&text), "cpu_limit_processors{name=\"web\",fleet=\"\"} 0.25\n"), "%s",
			text_string(&text));
	test_host_close(&test);
}
