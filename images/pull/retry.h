/* How often and when a request is tried again.
 *
 * Delays double, and a random part of each keeps a thousand hosts that were turned away together from coming back
 * together. What the server asks for (Retry-After) goes first, if it is bearable. */
#ifndef WARREN_IMAGES_PULL_RETRY_H
#define WARREN_IMAGES_PULL_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "images/pull/http.h"

struct retry_policy {
	unsigned attempts; /* in all */
	int64_t base_ms;   /* the first delay is between half of this and all of it */
};
#define RETRY_DEFAULT ((struct retry_policy){.attempts = 5, .base_ms = 500})

struct retry {
	const struct retry_policy *policy;
	unsigned made; /* attempts so far */
};

/* After an attempt that gave result (0 or -1, as http_fetch): 1 after a wait, when another is to be made. 0: the
 * reply is good, or bad for good, or this was the last one. sink (may be NULL) is asked during the wait whether anybody
 * still wants the bytes: -1 with its error when nobody does. */
MUST_CHECK int retry_wait(
	struct retry *retry, int result, const struct http_reply *reply, struct sink *sink, struct error *err);

/* The delay before attempt `made` + 1, for a given random number. */
int64_t retry_delay_ms(const struct retry *retry, const struct http_reply *reply, uint32_t random);

#endif
