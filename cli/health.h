/* The flags that say how one finds out whether an instance does its work: docker's and podman's names. */
#ifndef WARREN_CLI_HEALTH_H
#define WARREN_CLI_HEALTH_H

#include "base/options.h"
#include "fleet/spec.h"

struct health_options {
	bool disable;
	const char *command, *http, *on_failure;
	struct optional tcp, interval, timeout, start_period, start_interval, retries;
};

#define HEALTH_OPTIONS(type, member)                                                                                   \
	OPTION_TEXT("health-cmd", 0, "LINE", "health check: this line of the instance's shell gives 0", type,          \
		member.command),                                                                                       \
		OPTION_TEXT("health-http", 0, "URL", "health check: GET gives 2xx or 3xx, as in http://:80/", type,    \
			member.http),                                                                                  \
		OPTION_INTEGER("health-tcp", 0, "PORT", "health check: a connection comes about", type, member.tcp, 1, \
			65535),                                                                                        \
		OPTION_DURATION("health-interval", 0, "TIME", "from an answer to the next question (default: 30s)",    \
			type, member.interval),                                                                        \
		OPTION_DURATION(                                                                                       \
			"health-timeout", 0, "TIME", "a later answer is none (default: 5s)", type, member.timeout),    \
		OPTION_INTEGER("health-retries", 0, "NUMBER", "so many failures are an illness (default: 3)", type,    \
			member.retries, 1, 1000000),                                                                   \
		OPTION_DURATION("health-start-period", 0, "TIME", "failures that do not count (default: 10s)", type,   \
			member.start_period),                                                                          \
		OPTION_DURATION("health-start-interval", 0, "TIME", "between questions in that time (default: 1s)",    \
			type, member.start_interval),                                                                  \
		OPTION_TEXT("health-on-failure", 0, "ACTION", "when it is ill: restart, stop or none (default: none)", \
			type, member.on_failure),                                                                      \
		OPTION_FLAG("no-healthcheck", 0, "not even the image's health check", type, member.disable)

MUST_CHECK int health_fill(
	struct arena *arena, const struct health_options *options, struct health_spec *out, struct error *err);

#endif
