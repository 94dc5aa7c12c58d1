/* What instances print. */
#ifndef WARREN_FLEET_LOGS_H
#define WARREN_FLEET_LOGS_H

#include "base/arena.h"
#include "base/error.h"
#include "fleet/host.h"

struct logs_options {
	bool follow, timestamps;
	bool names;			    /* each line behind the name of its instance */
	bool colour;			    /* names in colours, for a terminal */
	struct optional tail;		    /* last n lines of each */
	struct optional since_ms, until_ms; /* CLOCK_REALTIME */
};
/* Writes the lines of all of them in the order of their times: stdout's to descriptor out, stderr's to errout. follow:
 * until all have ended, until_ms has passed, or the caller is interrupted. Of several, one without a log of ours is
 * passed over with a warning. */
MUST_CHECK int instances_logs(struct host *host, const struct strings *names, const struct logs_options *options,
	int out, int errout, struct error *err);
/* The same of one; without a log of ours: ERROR_USAGE with where it is. */
MUST_CHECK int instance_logs(struct host *host, const char *name, const struct logs_options *options, int out,
	int errout, struct error *err);

#endif
