/* What an instance may do and reach, judged row by row against the hardened default.
 *
 * Of a running one the kernel is asked, not the record: what was changed since its start, or by somebody else, shows.
 * Of one that is stopped, or only written in a file, the specification is compiled as a start would do it. */
#include "fleet/host/audit.h"

#include "base/cleanup.h"

const char *const audit_verdict_names[] = {"ok", "weak", "open", NULL};

#define ROWS_MAX 128 /* fewer than thirty questions, and one row for each capability, call family, port and volume */

void audit_add(struct auditor *auditor, const char *id, const char *topic, enum audit_verdict verdict,
	const char *found, const char *why)
{
	struct audit *audit = auditor->audit;

	audit->counts[verdict]++;
	if (audit->rows.count < ROWS_MAX)
		audit->rows.items[audit->rows.count++] =
			(struct audit_row){.id = id, .topic = topic, .verdict = verdict, .found = found, .why = why};
}

const char *audit_join(struct arena *arena, const struct strings *words, const char *none)
{
	AUTO(text_drop) struct text text = {0};

	for (size_t i = 0; i < words->count; i++)
		text_appendf(&text, "%s%s", i ? " " : "", words->items[i]);
	return words->count ? arena_string(arena, text_string(&text)) : none;
}

static void audit_run(struct auditor *auditor)
{
	struct audit *audit = auditor->audit;

	*audit = (struct audit){.running = auditor->facts.running};
	audit->rows.items = arena_new_array(auditor->arena, ROWS_MAX, struct audit_row);
	audit_rights(auditor);
	audit_reach(auditor);
}

int instance_spec_audit(struct arena *arena, const struct instance_spec *spec, const struct network_spec *network,
	struct audit *out, struct error *err)
{
	struct auditor auditor = {.arena = arena, .audit = out};

	if (audit_facts_compile(arena, spec, SLOT_ID_COUNT, &auditor.facts, err) < 0)
		return -1;
	auditor.facts.alone |= network && network->isolated;
	audit_run(&auditor);
	return 0;
}

/* The network's own record, not the file it once came from. */
static bool is_isolated(struct arena *arena, const struct host *host, const char *name)
{
	struct network network;
	struct error ignored;

	return network_load(arena, &host->net, name, &network, &ignored) == 0 && network.isolated;
}

int instance_audit(struct arena *arena, struct host *host, const char *name, struct audit *out, struct error *err)
{
	struct auditor auditor = {.arena = arena, .audit = out};
	struct instance_status status;
	struct error ignored;

	if (instance_status_read(arena, host, name, &status, err) < 0)
		return -1;
	if (!status.spec)
		return fail(err, ERROR_SYSTEM, "%s is damaged: %s", name, status.damage);
	if (audit_facts_compile(arena, status.spec, status.id_base, &auditor.facts, err) < 0)
		return -1;
	auditor.facts.alone |= is_isolated(arena, host, status.spec->network);
	auditor.facts.asked = instance_check_exists(host, name, &ignored) == 1;
	if (status.init.pid && audit_facts_from_kernel(arena, host, &status, &auditor.facts, err) < 0)
		return blame(err, "audit %s", name);
	audit_run(&auditor);
	return 0;
}
