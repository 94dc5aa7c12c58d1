/* The parts of an audit: facts gathered once, then one small function per question. Only fleet/audit*.c include this.
 */
#ifndef WARREN_FLEET_HOST_AUDIT_H
#define WARREN_FLEET_HOST_AUDIT_H

#include "fleet/fleet.h"
#include "fleet/state/instance.h"

struct audit_facts {
	const struct instance_spec *wanted;
	const struct spec *compiled; /* what its next start would be given */
	const struct spec *usual;    /* what an instance gets that asks for nothing */

	/* As the kernel has it when it runs, else from `compiled`. */
	bool running;
	uint64_t capabilities; /* bounding set: what root inside can have */
	bool no_new_privileges, filtered;
	bool own[NS_COUNT];
	uint32_t id_base;
	uid_t uid; /* inside, of its first process */
	struct cgroup_limits limits;
	struct strings writable; /* "TYPE on PATH" of mounts beyond the usual ones that can be written */
	bool root_read_only, ephemeral;
	bool asked; /* it has a health check, of its own or of its image */
	bool alone; /* no other instance can reach it over its network */
};

struct auditor {
	struct arena *arena;
	struct audit *audit;
	struct audit_facts facts;
};

/* One more row; why NULL: the verdict must be AUDIT_OK. */
void audit_add(struct auditor *auditor, const char *id, const char *topic, enum audit_verdict verdict,
	const char *found, const char *why);
/* "a b c" or `none`. */
const char *audit_join(struct arena *arena, const struct strings *words, const char *none);

/* audit_facts.c */
MUST_CHECK int audit_facts_compile(struct arena *arena, const struct instance_spec *spec, uint32_t id_base,
	struct audit_facts *out, struct error *err);
MUST_CHECK int audit_facts_from_kernel(struct arena *arena, struct host *host, const struct instance_status *status,
	struct audit_facts *facts, struct error *err);

/* audit_rights.c: who it is and what the kernel lets it do. audit_reach.c: what of the host it sees, uses, answers on.
 */
void audit_rights(struct auditor *auditor);
void audit_reach(struct auditor *auditor);

#endif
