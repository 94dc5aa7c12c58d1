/* A container's record on disk, and what is derived from it and the kernel.
 *
 *   <root>/<id>/cgroup        a link whose text is the path of its cgroup, or "system:" or "user:" and the absolute
 * path of a scope's, which is there as soon as systemd has made it <root>/<id>/process       a link "pid:start time" of
 * its first process; absent until there is one <root>/<id>/facts.json    what never changes <root>/<id>/config.json the
 * specification it was made from <root>/<id>/start.sock, start.lock   while it waits for "start"
 *
 * The two links are records of one call: made whole or not at all, and readable when everything else is damaged. The
 * directory is filled under a hidden name and renamed to <id>, which claims the name. Its lock is a flock on the
 * directory itself. Status is never stored. */
#ifndef WARREN_RUNTIME_STATE_H
#define WARREN_RUNTIME_STATE_H

#include "base/arena.h"
#include "base/error.h"
#include "runtime/runtime.h"

#define STATE_START_SOCKET "start.sock"
#define STATE_START_LOCK "start.lock"
#define STATE_CONFIG "config.json"
#define STATE_LOCK_WAIT_MS 10000

/* Claims the name: a locked directory with facts, config and the cgroup's path. config: a path in the caller's view.
 * ERROR_BUSY when there is one of that name. Gives the directory. */
MUST_CHECK int state_claim(int root, const struct container_facts *facts, const char *config, struct error *err);
/* Notes that the cgroup is elsewhere, or, for NULL, that there is none. */
MUST_CHECK int state_note_cgroup(int dir, const char *path, struct error *err);
/* Writes facts.json anew: something was made for it later that its end must remove. */
MUST_CHECK int state_note_facts(int dir, const struct container_facts *facts, struct error *err);
/* Notes the cgroup of a scope, whose path nobody knows before it is there. */
MUST_CHECK int state_note_scope(int dir, const struct container_facts *facts, struct error *err);
/* Notes the first process. */
MUST_CHECK int state_note_process(int dir, const struct process_id *id, struct error *err);

/* Opens the record, locked when `lock`. ERROR_MISSING: `container "x" does not exist`. */
MUST_CHECK int state_open(int root, const char *id, bool lock, struct error *err);
/* Reads everything but the status. ERROR_USAGE when the record is damaged; the two links are filled in even then.
 * ERROR_SYSTEM when it cannot be read now. */
MUST_CHECK int state_read(struct arena *arena, int dir, const char *id, struct container_facts *out, struct error *err);
/* A record's texts: of its two links, NULL where there is none, and of facts.json. */
struct state_texts {
	const char *cgroup, *process, *facts;
	size_t facts_length;
};
/* state_read() of what was read already. The texts must lie in the arena, or live as long. */
MUST_CHECK int state_parse(struct arena *arena, const struct state_texts *texts, const char *id,
	struct container_facts *out, struct error *err);
/* locked: the caller holds the record's lock, so nobody is creating it. -1 when it cannot be said now. */
MUST_CHECK int state_status(
	int dir, const struct container_facts *facts, bool locked, enum container_status *out, struct error *err);

/* True when the record of this descriptor has been removed meanwhile. */
bool state_is_removed(int dir);
/* Removes the record. */
MUST_CHECK int state_remove(int root, int dir, const char *id, struct error *err);
/* Removes what creations left that were killed before they had claimed a name. */
void state_sweep(int root);
/* Names of all records. */
MUST_CHECK int state_names(struct arena *arena, int root, struct strings *names, struct error *err);

/* The compact JSON that hooks get on stdin; malloc()ed. */
char *state_hook_json(const struct container_facts *facts, const char *status, pid_t pid, size_t *length);

#endif
