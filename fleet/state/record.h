/* The facts of an instance on disk, one file per writer, so that no two processes ever rewrite the same one:
 *
 *   instances/<name>/record.json   what it was given at its creation: slot, network, address. Written
 *                                  again only when a stopped one changes its network.
 *   instances/<name>/desired       what its owner wants: "running", "stopped", "paused". Written by commands.
 *   instances/<name>/exit.json     how its last run ended. Written by whoever holds monitor.lock.
 *   instances/<name>/ends.log      the last ends, with what the log said before (ends.c). Written with exit.json.
 *   instances/<name>/exit.last.json  the same, put aside when the next run begins.
 *   live/<name>/run.json           the present run; on tmpfs. Exists exactly while there is something to clean up.
 *   live/<name>/health.json        what its health check says (health.h). Written by whoever holds monitor.lock.
 *   live/<name>/held.json          its ports are at its stand-in. Written by the command that replaces it.
 *   live/<name>/killed             the signal that `kill` sent last.
 *   live/<name>/halted             it is to end only for now, with the host or to be started anew: what its owner wants
 *                                  stays as it is.
 *   live/<name>/ports.json         the ports as bound, when they were changed while it runs: these count, not those of
 *                                  run.json. Written by whoever holds the instance's lock.
 *
 * All are replaced whole (temporary file + rename). Whether something runs is never stored: the kernel is asked. */
#ifndef WARREN_FLEET_STATE_RECORD_H
#define WARREN_FLEET_STATE_RECORD_H

#include "base/arena.h"
#include "base/decode.h"
#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "fleet/fleet.h"

struct record {
	int64_t created_ms;
	unsigned slot;
	const char *network;	  /* a defined network's name; NULL: host's or none */
	unsigned network_number;  /* fixed for as long as an address of the network is taken */
	struct in_addr address;	  /* 0.0.0.0 without a network */
	struct in6_addr address6; /* ::: none */
};

/* A small record by its table: written whole or not at all, read leniently. For the files above and their like. */
MUST_CHECK int record_fields_write(int dir, const char *name, const struct field *fields, const void *from,
	enum file_durability durability, struct error *err);
/* ERROR_MISSING when there is none. */
MUST_CHECK int record_fields_read(
	struct arena *arena, int dir, const char *name, const struct field *fields, void *into, struct error *err);

/* ERROR_MISSING when there is none. */
MUST_CHECK int record_write(int dir, const struct record *record, struct error *err);
MUST_CHECK int record_read(struct arena *arena, int dir, struct record *out, struct error *err);
uint32_t record_id_base(const struct record *record);
static inline bool record_has_ipv6(const struct record *record)
{
	return record->network && !IN6_IS_ADDR_UNSPECIFIED(&record->address6);
}
struct link_rates resources_rates(const struct resources_spec *resources);
/* What it may send, if it has a right to lift the limit at its end; else 0. */
uint64_t resources_policed(const struct instance_spec *spec);
struct endpoint record_endpoint(const struct record *record);

MUST_CHECK int desired_write(int dir, enum desired_state state, struct error *err);
/* Absent or unreadable: stopped. */
enum desired_state desired_read(int dir);

struct run {
	bool started; /* false: its program has not been seen to run yet */
	struct process_id init, monitor;
	int64_t started_ms; /* CLOCK_REALTIME */
	int64_t restarts;   /* by the restart policy, since the start command */
	int64_t log_dropped_bytes;
	uint64_t sources;   /* sources_digest() of what it read when it started */
	struct port *ports; /* as bound */
	size_t port_count;
	bool other_boot; /* read only: written before the last reboot */
};
MUST_CHECK int run_write(int live, const struct run *run, struct error *err);
MUST_CHECK int run_read(struct arena *arena, int live, struct run *out, struct error *err);
MUST_CHECK int run_ports_write(int live, const struct port *ports, size_t count, struct error *err);
/* Puts what was written so into run; false: nothing was. */
bool run_ports_read(struct arena *arena, int live, struct run *run);
/* Absent is fine. */
void run_forget(int live);

/* live/<name>/held.json: its published ports are at its stand-in for the moment (stand_in.h), so its next start notes
 * them as its own, numbers and all, and publishes none. Counts only while the stand-in exists. */
MUST_CHECK int held_write(int live, const struct port *ports, size_t count, struct error *err);
/* Into run's ports; false: none are held. */
bool held_read(struct arena *arena, int live, struct run *run);
void held_forget(int live); /* absent is fine */

/* end_reason_names as the files have them: "out_of_memory". */
extern const char *const end_reason_words[];
MUST_CHECK int exit_write(int dir, const struct exit_record *exit, struct error *err);
/* The last end: of exit.json, else of exit.last.json; *over is true when it was exit.json, so nothing has run since.
 * None: reason END_NONE. A damaged one reads as none. */
void exit_read(struct arena *arena, int dir, struct exit_record *out, bool *over);
/* A new run begins. */
void exit_put_aside(int dir);

MUST_CHECK int killed_write(int live, int signal, struct error *err);
int killed_read(int live); /* 0: nobody */
void killed_forget(int live);

enum halt { HALT_NONE, HALT_WITH_HOST, HALT_TO_START };
MUST_CHECK int halted_write(int live, enum halt halt, struct error *err);
enum halt halted_read(int live);
void halted_forget(int live);

#endif
