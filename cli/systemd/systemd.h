/* The files of the program warren-systemd: what is asked (systemd.c), systemd's side of it (systemd_units.c), and the
 * bus beneath (systemd_bus.c). Only these link libsystemd. */
#ifndef WARREN_CLI_SYSTEMD_H
#define WARREN_CLI_SYSTEMD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cgroups/systemd.h"

/* Of <systemd/sd-bus.h>, named as structs so that this header can be read where libsystemd is not. */
struct sd_bus;
struct sd_bus_message;

#define MANAGER_NAME "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE "org.freedesktop.systemd1.Manager"

/* A connection to a service manager. */
struct manager {
	struct sd_bus *bus;
	int parent; /* the socket to who asks; when it ends, so do we */
	enum systemd_bus which;
	int64_t deadline_ms; /* of the request under way */
};

MUST_CHECK int manager_connect(struct manager *manager, enum systemd_bus which, struct error *err);
void manager_drop(struct manager *manager);

/* The release number of systemd: 252. */
MUST_CHECK int manager_version(struct manager *manager, int *out, struct error *err);

/* An empty call of one of the manager's methods; the message is the caller's. NULL: failed. */
struct sd_bus_message *manager_method(struct manager *manager, const char *method, struct error *err);
/* Calls it. ERROR_MISSING: there is no such unit; ERROR_BUSY: there is one already. *reply (may be NULL) is the
 * caller's. */
MUST_CHECK int manager_call(
	struct manager *manager, struct sd_bus_message *call, struct sd_bus_message **reply, struct error *err);
/* Handles what the bus brings until *done. ERROR_BUSY when the request's time is out. The end of the parent ends this
 * process. */
MUST_CHECK int manager_wait(struct manager *manager, const bool *done, struct error *err);

/* A failed call of sd-bus's own, as our errors are. */
int fail_bus(struct error *err, int result, const char *what);

/* Carries out a request; fills answer->cgroup, which lies in the arena. */
MUST_CHECK int units_do(struct manager *manager, struct arena *arena, const struct systemd_request *request,
	struct systemd_answer *answer, struct error *err);

#endif
