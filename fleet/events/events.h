/* The file of events: writing and taking a line apart. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_EVENTS_EVENTS_H
#define WARREN_FLEET_EVENTS_EVENTS_H

#include "fleet/state/instance.h"

/* <run>/events/{log, log.1, lock}: log.1 is what log was before it was full. */
#define EVENTS_DIRECTORY "events"
#define EVENTS_FILE "log"
#define EVENTS_FILE_OLD "log.1"
#define EVENTS_LOCK "lock"
#define EVENTS_FILE_BYTES (2 << 20)
#define EVENTS_LINE_MAX 4096 /* PIPE_BUF, as for every line that several processes append */

/* An event of the instance; fleet is looked up in its specification. */
void instance_event(const struct instance *instance, enum event_kind kind, const char *reason, const char *detail);
/* The end of a run, and that memory was short when it was. */
void instance_event_end(const struct instance *instance, const struct exit_record *exit);

/* What one line says; false: it is none of ours. Strings lie in the arena. Fuzzed. */
bool event_parse(struct arena *arena, const char *line, size_t length, struct event *out);

#endif
