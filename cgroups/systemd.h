/* The cgroup driver by systemd: a container's cgroup is a transient scope, made, changed and stopped over D-Bus.
 *
 * No program that links this folder links libsystemd. Whoever wants a scope starts a small program of ours,
 * warren-systemd, which speaks with systemd in its stead; they talk in JSON over a pair of sockets. A scope cannot be
 * without a process, so warren-systemd is its first member. It stays until it is dropped, which is when the container's
 * first process has been born in the scope's cgroup; and as it ends when its parent does, a half-made scope is empty
 * then, and systemd removes it. See docs/decisions/013. */
#ifndef WARREN_CGROUPS_SYSTEMD_H
#define WARREN_CGROUPS_SYSTEMD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/decode.h"
#include "base/error.h"
#include "base/text.h"
#include "cgroups/cgroups.h"

enum systemd_bus { SYSTEMD_SYSTEM, SYSTEMD_USER };
extern const char *const systemd_bus_names[]; /* "system", "user" */
/* The manager that is responsible for us: the user's, unless we are root of the initial user namespace. */
enum systemd_bus systemd_bus_choose(void);

/* --- names -------------------------------------------------------------------------------------------------------- */

#define SYSTEMD_UNIT_MAX 255

struct systemd_name {
	const char *unit;  /* "libpod-1.scope" */
	const char *slice; /* "machine-web.slice"; "-.slice" is the root */
	const char *path;  /* below the manager's own cgroup: "machine.slice/machine-web.slice/libpod-1.scope" */
};

/* linux.cgroupsPath as systemd's runtimes have it, slice:prefix:name. NULL or "": warren-oci-<id>.scope in the default
 * slice, where an empty slice also leads: system.slice, or user.slice of a user's manager. Strings lie in the arena.
 * ERROR_USAGE names the part that is wrong. */
MUST_CHECK int systemd_name_parse(struct arena *arena, const char *cgroups_path, const char *id, enum systemd_bus bus,
	struct systemd_name *out, struct error *err);
/* "a-b-c.slice" → "a.slice/a-b.slice/a-b-c.slice", "-.slice" → "" (systemd.slice(5)). NULL with ERROR_USAGE. */
const char *systemd_slice_expand(struct arena *arena, const char *slice, struct error *err);
/* A scope's name in characters that systemd takes, of at most SYSTEMD_UNIT_MAX bytes. */
MUST_CHECK int systemd_unit_check(const char *unit, struct error *err);

/* --- properties --------------------------------------------------------------------------------------------------- */

/* A D-Bus value: one of the basic types b y n q i u x t d s o, an array of one of them ("as", "ay"), or pairs: "a(st)",
 * "a(ss)". values: booleans "true" and "false", numbers in decimal; of pairs two each. */
struct systemd_property {
	const char *name, *type;
	struct strings values;
	int since; /* the version of systemd that has it first: left out where that is older. 0: any from 244 on */
};
struct systemd_properties {
	struct systemd_property *items;
	size_t count;
};
#define SYSTEMD_PROPERTIES_MAX 128
#define SYSTEMD_VALUES_MAX 2048

/* Adds a property of one value, or puts it in the place of the one of that name. */
void systemd_property_set(struct arena *arena, struct systemd_properties *list, const char *name, const char *type,
	const char *value, int since);
/* The same for a property that is ready. */
void systemd_property_put(
	struct arena *arena, struct systemd_properties *list, const struct systemd_property *property);
/* Refuses what is no property: name, type, values that are not of it. */
MUST_CHECK int systemd_property_check(const struct systemd_property *property, struct error *err);

/* Adds what of the limits systemd can express, those in `unified` included. What it cannot (oom_group before 253,
 * burst, devices) is only written to the cgroup's files by cgroup_create() and cgroup_set(), as all of it is. A limit
 * of processors is rounded up to whole percents, the only ones that survive systemd's own files. ERROR_USAGE for a list
 * of processors beyond what systemd takes. */
MUST_CHECK int systemd_properties_add_limits(
	struct arena *arena, struct systemd_properties *list, const struct cgroup_limits *limits, struct error *err);
/* Adds those of the annotations "org.systemd.property.NAME", whose values are GVariant text: "uint64 5", "'text'",
 * "['a', 'b']". TimeoutStopSec and its like count in seconds and become TimeoutStopUSec. ERROR_USAGE names it. */
MUST_CHECK int systemd_properties_add_annotations(
	struct arena *arena, struct systemd_properties *list, const struct pairs *annotations, struct error *err);
/* GVariant text → type and values; `@as []`, `[uint64 1, 2]`. Anything nested deeper is refused. */
MUST_CHECK int systemd_variant_parse(
	struct arena *arena, const char *text, struct systemd_property *out, struct error *err);

/* --- what is asked of warren-systemd ------------------------------------------------------------------------------ */

#define SYSTEMD_MESSAGE_MAX 65536

enum systemd_verb {
	SYSTEMD_START, /* a transient scope of that name with the helper as its member; the answer has its cgroup */
	SYSTEMD_SET,   /* properties of a unit that is there */
	SYSTEMD_STOP,  /* a unit that may be there; returns when systemd has forgotten it */
};
struct systemd_request {
	int verb, bus; /* enum systemd_verb, enum systemd_bus */
	const char *unit;
	struct systemd_properties properties;
	int64_t timeout_ms; /* for systemd's work; at most 10 minutes */
};
struct systemd_answer {
	const char *cgroup; /* of START: as /proc/self/cgroup has it, "/system.slice/x.scope" */
	const char *error;  /* NULL: done */
	int kind;	    /* enum error_kind of the error */
};

/* Compact JSON, malloc()ed. The decoders are strict: unknown keys, wrong types and values out of range are refused. */
char *systemd_request_encode(const struct systemd_request *request, size_t *length) __attribute__((returns_nonnull));
MUST_CHECK int systemd_request_decode(
	struct arena *arena, const char *text, size_t length, struct systemd_request *out, struct error *err);
char *systemd_answer_encode(const struct systemd_answer *answer, size_t *length) __attribute__((returns_nonnull));
MUST_CHECK int systemd_answer_decode(
	struct arena *arena, const char *text, size_t length, struct systemd_answer *out, struct error *err);

/* --- the helper --------------------------------------------------------------------------------------------------- */

/* The program warren-systemd: the one beside our own program file, or the installed one; never by PATH. Must belong to
 * root or to us and be writable by nobody else. Gives a descriptor, close-on-exec. ERROR_MISSING says where it was
 * looked for. */
MUST_CHECK int systemd_helper_find(struct error *err);
bool systemd_helper_is_there(void);
/* Finds it now and lets later calls find the same, also after this program has executed itself anew from a place that
 * has no directory (runtime's guard). The descriptor stays open and passes through execve until systemd_helper_seal().
 * Gives it. */
MUST_CHECK int systemd_helper_keep(struct error *err);
void systemd_helper_seal(void);

struct systemd_helper {
	int socket, pidfd;
};
#define SYSTEMD_HELPER_NONE ((struct systemd_helper){.socket = -1, .pidfd = -1})
MUST_CHECK int systemd_helper_start(struct systemd_helper *out, struct error *err);
/* Asks and waits for the answer, at most a little longer than the request's own time. *cgroup (may be NULL): the
 * answer's. */
MUST_CHECK int systemd_helper_ask(struct systemd_helper *helper, struct arena *arena,
	const struct systemd_request *request, const char **cgroup, struct error *err);
/* Ends and reaps it: a scope that it is the only member of goes. */
void systemd_helper_drop(struct systemd_helper *helper);

/* Starts a helper, asks once, and ends it. */
MUST_CHECK int systemd_ask(const struct systemd_request *request, struct error *err);

#endif
