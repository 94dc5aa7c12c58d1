/* Any bytes as a line of the file of events: passed over, or an event with a time, whose strings end. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "base/cleanup.h"
#include "fleet/events/events.h"

static size_t length_of(const char *text)
{
	return text ? strlen(text) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct event event;

	if (!event_parse(&arena, (const char *)data, size, &event))
		return 0;
	FUZZ_ASSERT(event.at_ms > 0 && event.kind <= EVENT_BOOT);
	FUZZ_ASSERT(
		length_of(event.name) + length_of(event.fleet) + length_of(event.reason) + length_of(event.detail) <=
		size);
	return 0;
}
