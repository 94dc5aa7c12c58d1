/* The host that instances live on: its directories, what happens when it comes up and goes down, whether it is as the
 * records say, and what it lacks. */
#ifndef WARREN_FLEET_HOST_H
#define WARREN_FLEET_HOST_H

#include "base/arena.h"
#include "base/error.h"
#include "cgroups/cgroups.h"
#include "fleet/spec.h"
#include "netns/netns.h"

/* --- directories ----------------------------------------------------------------------------------------------- */

struct host_options {
	const char *root;	   /* NULL: /run/warren, /var/lib/warren, /var/log/warren; else <root>/{run,lib,log} */
	const char *cgroup_parent; /* "name", "/path", "delegated"; NULL: as in earlier commands, else "warren" */
	bool read_only;		   /* nothing is made or put right; what is missing counts as empty */
};

struct host {
	char *run_path, *lib_path, *log_path, *cgroup_parent;
	int run, lib, log;
	int instances; /* <lib>/instances: <name>/{record.json, spec.json, u/, w/, …}, 0700 */
	int live;      /* <run>/instances: <name>/{out, err, monitor.lock, lock}; gone with a reboot */
	int fleets;    /* <lib>/fleets */
	struct net_state net;
	struct cgroup_host cgroups;
	/* The caller's own arena, or NULL: monitors are forks of the caller and give back what they do not need. */
	struct arena *caller_arena;
	bool swept;		  /* leftovers of killed commands were looked for by this process */
	struct net_session *lent; /* while many are ended: see host_network_lend() of instance.h */
};

/* Opens, making what is missing (0700 root) unless it is to be read only. After a reboot rebuilds the bitmaps from the
 * records. ERROR_SYSTEM without root, also for reading. */
MUST_CHECK int host_open(const struct host_options *options, struct host *out, struct error *err);
void host_close(struct host *host);
/* Removes what killed commands left behind: half-made and half-removed instances, and, when no instance is left at all,
 * what the last one would have taken with it (the network's host part, control groups). For commands that find nothing
 * to do; the others do it by themselves. Failures are logged. */
void host_clean(struct host *host);
/* Deletes what only instances that are gone had in the store, and what killed commands were making or deleting there:
 * layers, volumes. For commands that remove something. Failures are logged. */
void host_store_clean(struct host *host);

/* --- coming up, going down ------------------------------------------------------------------------------------- */

struct boot_request {
	unsigned parallel; /* 0: twice the processors */
	bool dry_run;	   /* only done() is called, for what would be started or stopped */
	void (*done)(void *context, const char *name, const struct error *result);
	void *context;
};
/* Starts what should run: what its owner wants running (or paused), "autostart" is true of, and ended with the host or
 * would be restarted by its policy. In the order of dependencies, then of priority. Gives the number of failures; *err
 * the first. What runs already is left alone. */
MUST_CHECK int host_boot(struct host *host, const struct boot_request *request, struct error *err);
/* Stops all that runs, dependants first, without changing what owners want: host_boot() starts the same again. */
MUST_CHECK int host_halt(struct host *host, const struct boot_request *request, struct error *err);

/* --- records against kernel ------------------------------------------------------------------------------------ */

/* Something that nobody has any more, or that somebody should have and has not. */
struct check_finding {
	const char *kind; /* "slot", "link", "cgroup", "leftover" … */
	const char *name; /* of the instance, or of the thing */
	const char *text; /* what is wrong with it, in one line */
	bool repaired;
	const char *failure; /* why it was not, when it was tried; NULL */
};
struct check_report {
	struct check_finding *items;
	size_t count, left; /* left: not repaired */
};
/* Compares the records with the kernel and with what was given away. Commands may be at work meanwhile: what is seen
 * twice, a moment apart, counts. repair: puts right what can be without a decision of somebody's. */
MUST_CHECK int host_check(
	struct arena *arena, struct host *host, bool repair, struct check_report *out, struct error *err);

/* --- volumes --------------------------------------------------------------------------------------------------- */

/* Named volumes and the instances that have them. */
struct volume_list;
MUST_CHECK int host_volumes(struct host *host, struct arena *arena, struct volume_list *out, struct error *err);
/* Makes a volume before anybody has it: true in *made, or false when it was there, as it is with its labels. Labels for
 * one that is there: ERROR_BUSY. */
MUST_CHECK int host_volume_create(
	struct host *host, const char *name, const struct pairs *labels, bool *made, struct error *err);
/* ERROR_BUSY when an instance has it. */
MUST_CHECK int host_volume_remove(struct host *host, const char *name, struct error *err);
/* Deletes those that an image asked for and no instance has, with `named` others that no instance has, too; the names.
 */
MUST_CHECK int host_volumes_prune(
	struct host *host, struct arena *arena, bool named, struct strings *removed, struct error *err);

/* --- doctor ---------------------------------------------------------------------------------------------------- */

enum finding_state {
	FINDING_OK,
	FINDING_NOTE,	 /* worth knowing; nothing is wrong */
	FINDING_WARNING, /* works, but not all of it, or not for so many */
	FINDING_MISSING, /* needed, and not there */
	FINDING_UNKNOWN, /* could not be looked at: mostly for want of rights */
};
#define FINDING_STATES (FINDING_UNKNOWN + 1)
extern const char *const finding_state_names[]; /* "ok", "note", "warning", "missing", "unknown" */

struct finding {
	enum finding_state state;
	const char *group, *name; /* "limits", "kernel.pid_max" */
	const char *found;	  /* in a few words; never NULL */
	const char *wanted;	  /* NULL: it is only told */
	const char *why;	  /* what it is for, how `wanted` was reckoned; NULL: speaks for itself */
	const char *remedy;	  /* what to do, exactly; NULL: nothing, or for what is
				     unknown, to become root */
	const char *setting;	  /* "kernel.pid_max = 65536" when a line of sysctl.conf(5) is the remedy, else NULL */
};

struct doctor_request {
	struct host_options where;
	struct optional instances;	/* how many are planned; unset: those of the file, else those that exist */
	const struct fleet_file *fleet; /* what it asks for is judged too; NULL: none */
};

struct doctor_report {
	struct finding *items;
	size_t count;
	int64_t instances; /* the number that was judged for */
	size_t counts[FINDING_STATES];
};

/* Looks at all that instances need of this host, trying what can be tried in places that are gone afterwards. Changes
 * nothing (the kernel may load modules), needs nothing, and does not fail: what cannot be looked at is a finding as
 * well. Needs no host_open(), and no root for most. */
void host_examine(struct arena *arena, const struct doctor_request *request, struct doctor_report *report);

#endif
