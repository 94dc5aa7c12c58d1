/* Trying again; see retry.h. */
#include "images/pull/retry.h"

#include <sys/random.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"

#define DELAY_MAX_MS 30000
#define ASKED_MAX_MS 120000 /* longer waits are for people to decide */
#define SLICE_MS 100
#define UNREACHED_ATTEMPTS 2 /* a name that does not exist will not soon */

/* RFC 9110: what may pass by itself. */
static bool status_is_passing(long status)
{
	static const long passing[] = {408, 425, 429, 500, 502, 503, 504};

	for (size_t i = 0; i < ARRAY_SIZE(passing); i++)
		if (passing[i] == status)
			return true;
	return false;
}

static bool is_worthwhile(const struct retry *retry, int result, const struct http_reply *reply)
{
	if (retry->made >= retry->policy->attempts || reply->retry_after_ms > ASKED_MAX_MS)
		return false;
	if (result == 0)
		return status_is_passing(reply->status);
	if (reply->failure == HTTP_NOT_REACHED)
		return retry->made < UNREACHED_ATTEMPTS;
	return reply->failure == HTTP_FAILED_ON_THE_WAY;
}

int64_t retry_delay_ms(const struct retry *retry, const struct http_reply *reply, uint32_t random)
{
	unsigned doublings = retry->made > 1 ? retry->made - 1 : 0;
	int64_t delay = doublings < 16 ? retry->policy->base_ms << doublings : DELAY_MAX_MS;

	if (reply->retry_after_ms >= 0)
		return reply->retry_after_ms + random % (uint32_t)(retry->policy->base_ms + 1);
	if (delay > DELAY_MAX_MS)
		delay = DELAY_MAX_MS;
	return delay / 2 + (int64_t)(random % (uint64_t)(delay / 2 + 1));
}

static int slices_sleep(int64_t delay_ms, struct sink *sink, struct error *err)
{
	int64_t end = clock_deadline_ms(delay_ms), now;

	while ((now = clock_ms()) < end) {
		int64_t left = end - now < SLICE_MS ? end - now : SLICE_MS;

		if (sink && sink->write(sink, "", 0, err) < 0)
			return -1;
		nanosleep(&(struct timespec){.tv_nsec = (long)left * 1000000}, NULL);
	}
	return 0;
}

int retry_wait(struct retry *retry, int result, const struct http_reply *reply, struct sink *sink, struct error *err)
{
	uint32_t random = 0;
	int64_t delay;

	retry->made++;
	if (!is_worthwhile(retry, result, reply))
		return 0;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint32_t)clock_ms();
	delay = retry_delay_ms(retry, reply, random);
	if (result < 0)
		log_debug("%s; again in %lld ms", err->text, (long long)delay);
	else
		log_debug("status %ld; again in %lld ms", reply->status, (long long)delay);
	return slices_sleep(delay, sink, err) < 0 ? -1 : 1;
}
