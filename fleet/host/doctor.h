/* One look at the host, in sections; private to this folder. Each section adds its findings and goes on whatever it
 * meets. */
#ifndef WARREN_FLEET_HOST_DOCTOR_H
#define WARREN_FLEET_HOST_DOCTOR_H

#include "fleet/fleet.h"

struct examination {
	struct arena *arena;
	const struct doctor_request *request;
	struct doctor_report *report;
	size_t room;
	const char *group;		    /* of the section that looks now */
	const char *lib, *run, *log, *root; /* paths of our directories, which need not exist; root as in --root */
	bool is_root;
};

/* A new finding of the present group. found and wanted may be NULL; texts are literals or in the arena. The caller adds
 * the rest. The pointer is valid until the next one. */
struct finding *finding_add(struct examination *examination, enum finding_state state, const char *name,
	const char *found, const char *wanted);

/* Small kernel files: the text without its line break, or NULL; a number, or unset. */
const char *knob_text(struct examination *examination, const char *path);
struct optional knob_value(struct examination *examination, const char *path);
/* The sum of a column over all processors, of a table as in /proc/net/stat: a line of names, then a line of hexadecimal
 * numbers for each; 0 without such a column. */
uint64_t column_sum(struct arena *arena, const char *table, const char *name);

/* Runs an attempt in a process of its own, which may enter namespaces, hang or crash. 1: it worked; 0: it failed, *err
 * says how; -1: nobody knows, *err says why. note: what it wants to tell when it worked. */
#define TRIAL_NOTE_SIZE 256
struct trial {
	int (*run)(void *context, char note[TRIAL_NOTE_SIZE], struct error *err);
	void *context;
	int64_t timeout_ms; /* 0: a minute */
	char note[TRIAL_NOTE_SIZE];
};
int trial_run(struct trial *trial, struct error *err);
/* The finding that such a result makes: ok, `failed` or unknown. */
enum finding_state trial_state(const struct examination *examination, int result, enum finding_state failed);

/* The nearest directory on the way up that exists: where a directory of ours would be made. */
const char *nearest_directory(struct examination *examination, const char *path);

/* The sysctls that many instances share, by number; false behind the last. enough: for so many instances, by the
 * formulae of examine_limits(); -1: it is not there, or does not depend on their number. */
struct limit_room {
	const char *name;
	int64_t value, base, each, enough;
};
bool limit_room_read(size_t i, struct limit_room *out);

void examine_kernel(struct examination *examination);
void examine_rights(struct examination *examination);
void examine_cgroups(struct examination *examination);
void examine_storage(struct examination *examination);
void examine_network(struct examination *examination);
void examine_limits(struct examination *examination);
void examine_instances(struct examination *examination);

#endif
