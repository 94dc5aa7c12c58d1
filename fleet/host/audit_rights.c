/* Audit: who an instance is, and what the kernel lets it do. */
#include "fleet/host/audit.h"

#include <linux/capability.h>
#include <string.h>

#include "base/cleanup.h"
#include "runtime/runtime.h"

/* --- identity ----------------------------------------------------------------------------------------------------- */

static void user_namespace(struct auditor *a)
{
	const struct audit_facts *facts = &a->facts;

	if (!facts->own[NS_USER]) {
		audit_add(a, "2.9 5.31", "user namespace", AUDIT_OPEN, "the host's",
			"root inside is the host's root: give it an id range of its own (the default)");
		return;
	}
	audit_add(a, "2.9 5.31", "user namespace", AUDIT_OK,
		facts->id_base == SLOT_ID_COUNT && !facts->running
			? "its own range of ids"
			: arena_format(a->arena, "its own, ids %u to %u of the host", facts->id_base,
				  facts->id_base + (uint32_t)facts->wanted->id_count - 1),
		NULL);
}

static void user(struct auditor *a)
{
	if (a->facts.uid)
		audit_add(a, "4.1", "user", AUDIT_OK,
			a->facts.wanted->user ? a->facts.wanted->user : arena_format(a->arena, "%u", a->facts.uid),
			NULL);
	else if (a->facts.wanted->boot)
		audit_add(a, "4.1", "user", AUDIT_WEAK, "root",
			"an init must be root of its user namespace; give its services users of their own (User=)");
	else
		audit_add(a, "4.1", "user", AUDIT_WEAK, "root",
			"root of its user namespace; a server that needs no root: \"user\"");
}

/* --- capabilities ------------------------------------------------------------------------------------------------- */

/* What a capability beyond the default set lets root inside do. Those that are missing here are asked of the host's
 * user namespace by the kernel, and so give an instance nothing. */
static const struct meaning {
	unsigned capability;
	const char *text;
} meanings[] = {
	{CAP_AUDIT_WRITE, "nothing while it has a user namespace: drop it"},
	{CAP_DAC_READ_SEARCH, "reads every file of its own, whatever the modes"},
	{CAP_IPC_LOCK, "locks memory beyond its ulimit"},
	{CAP_IPC_OWNER, "reads and writes every System V object of its own"},
	{CAP_LEASE, "takes leases on all files of its own"},
	{CAP_NET_ADMIN, "changes its own addresses, routes and packet filter; much kernel code becomes reachable"},
	{CAP_NET_BROADCAST, "nothing: no kernel asks for it; drop it"},
	{CAP_NET_RAW, "forges packets of its own network: spoofed names and neighbours; for ping a sysctl does"},
	{CAP_SETFCAP, "gives its files capabilities, which count in its user namespace only"},
	{CAP_SYS_ADMIN, "mounts and makes namespaces of its own, undoes our masks and read-only mounts; the kernel's "
			"code for all that becomes reachable"},
	{CAP_SYS_BOOT, "ends itself by reboot(2); the host's is out of reach"},
	{CAP_SYS_PTRACE, "reads and changes every process of its own"},
	{CAP_SYS_RESOURCE, "nothing that counts on the host; some limits of its own"},
};

static const char *meaning_of(unsigned capability)
{
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (meanings[i].capability == capability)
			return meanings[i].text;
	return "nothing in a user namespace: the kernel asks for it on the host; drop it";
}

static void names_add(struct auditor *a, uint64_t set, struct strings *names)
{
	char buffer[32];

	for (unsigned i = 0; i < 64; i++)
		if (set >> i & 1)
			strings_add(
				a->arena, names, arena_string(a->arena, capability_name(i, buffer) + strlen("CAP_")));
}

static void capabilities(struct auditor *a)
{
	uint64_t has = a->facts.capabilities, usual = a->facts.usual->process.capabilities[CAPS_BOUNDING];
	struct strings kept = {0};
	char buffer[32];

	names_add(a, has & usual, &kept);
	audit_add(a, "5.4", "capabilities of the default set", AUDIT_OK, audit_join(a->arena, &kept, "none"), NULL);
	for (unsigned i = 0; i < 64; i++) {
		if (!((has & ~usual) >> i & 1))
			continue;
		audit_add(a, "5.4", "capability beyond the default", a->facts.own[NS_USER] ? AUDIT_WEAK : AUDIT_OPEN,
			arena_string(a->arena, capability_name(i, buffer) + strlen("CAP_")), meaning_of(i));
	}
	audit_add(a, "5.5", "all capabilities",
		(has & capabilities_all()) == capabilities_all() ? AUDIT_OPEN : AUDIT_OK,
		(has & capabilities_all()) == capabilities_all() ? "yes" : "no",
		(has & capabilities_all()) == capabilities_all() ? "name those that it needs in \"cap_add\"" : NULL);
}

static void no_new_privileges(struct auditor *a)
{
	if (a->facts.no_new_privileges)
		audit_add(a, "2.14 5.26", "no_new_privs", AUDIT_OK, "on", NULL);
	else
		audit_add(a, "2.14 5.26", "no_new_privs", AUDIT_WEAK, "off",
			"set-user-id programs (su, sudo) work, up to root of its user namespace: "
			"\"security\": {\"no_new_privileges\": true}");
	if (a->facts.no_new_privileges)
		audit_add(a, "4.8", "set-id programs", AUDIT_OK, "without effect", NULL);
	else
		audit_add(a, "4.8", "set-id programs", AUDIT_WEAK, "count inside", "as no_new_privs is off");
}

/* --- system calls ------------------------------------------------------------------------------------------------- */

static bool always_allows(const struct spec_seccomp *profile, const char *call)
{
	for (size_t i = 0; i < profile->rules.count; i++)
		if (!profile->rules.items[i].args.count &&
			profile->rules.items[i].action == profile->rules.items[0].action &&
			strings_contain(&profile->rules.items[i].names, call))
			return true;
	return false;
}

/* Calls that every argument may be given to here, and not in the default filter. */
static void calls_beyond(struct auditor *a, struct strings *out)
{
	const struct spec_seccomp *own = a->facts.compiled->seccomp, *usual = a->facts.usual->seccomp;
	const struct strings *names = &own->rules.items[0].names;

	for (size_t i = 0; i < names->count; i++)
		if (!always_allows(usual, names->items[i]))
			strings_add(a->arena, out, names->items[i]);
}

static void system_calls(struct auditor *a)
{
	struct strings opened = {0};

	if (!a->facts.filtered || !a->facts.compiled->seccomp) {
		audit_add(a, "5.22", "system calls", AUDIT_OPEN, "all",
			"every call of the host's kernel can be tried: leave \"seccomp\" at \"default\"");
		return;
	}
	if (!a->facts.wanted->boot) {
		audit_add(a, "5.22", "system calls", AUDIT_OK, "default filter", NULL);
		return;
	}
	calls_beyond(a, &opened);
	audit_add(a, "5.22", "system calls", AUDIT_WEAK, "filter for an init",
		arena_format(a->arena, "beyond the default: %s; clone and unshare of all namespaces but user and time",
			audit_join(a->arena, &opened, "none")));
}

static void labels(struct auditor *a)
{
	const struct spec_process *process = &a->facts.compiled->process;
	const char *label = process->apparmor_profile ? process->apparmor_profile : process->selinux_label;

	if (label)
		audit_add(a, "5.2 5.3", "AppArmor or SELinux label", AUDIT_OK, label, NULL);
	else if (!kernel_labels_programs())
		audit_add(a, "5.2 5.3", "AppArmor or SELinux label", AUDIT_OK, "this kernel has neither", NULL);
	else
		audit_add(a, "5.2 5.3", "AppArmor or SELinux label", AUDIT_WEAK, "none",
			"one wall more, beside ids, capabilities and the filter: \"security\": {\"apparmor\": "
			"PROFILE}, one that is loaded");
}

/* --- namespaces --------------------------------------------------------------------------------------------------- */

static const struct {
	enum spec_namespace ns;
	const char *id, *topic, *why;
} spaces[] = {
	{NS_NET, "5.10", "network namespace",
		"it sees the host's interfaces, connections and abstract sockets: name a network"},
	{NS_PID, "5.16", "pid namespace", "it sees the host's processes"},
	{NS_IPC, "5.17", "ipc namespace", "it sees the host's shared memory"},
	{NS_UTS, "5.21", "uts namespace", "it could rename the host"},
	{NS_MOUNT, "5.20", "mounts", "what it mounts would show on the host"},
	{NS_CGROUP, "5.25", "control group namespace", "it sees the host's control groups"},
};

static void namespaces(struct auditor *a)
{
	for (size_t i = 0; i < ARRAY_SIZE(spaces); i++) {
		bool own = a->facts.own[spaces[i].ns];

		audit_add(a, spaces[i].id, spaces[i].topic, own ? AUDIT_OK : AUDIT_OPEN, own ? "its own" : "the host's",
			own ? NULL : spaces[i].why);
	}
}

void audit_rights(struct auditor *auditor)
{
	user_namespace(auditor);
	user(auditor);
	capabilities(auditor);
	no_new_privileges(auditor);
	system_calls(auditor);
	labels(auditor);
	namespaces(auditor);
}
