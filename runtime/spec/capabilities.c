/* Names and numbers of capabilities and of resource limits.
 *
 * The table is ours and not libcap's: linking libcap's brings a constructor that asks the kernel for its last
 * capability at every start of the program. A test compares the two. */
#include <ctype.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/suggest.h"
#include "runtime/spec.h"

/* capabilities(7); the index is the number. Ends with NULL. */
static const char *const capability_names[] = {
	[CAP_CHOWN] = "CAP_CHOWN",
	[CAP_DAC_OVERRIDE] = "CAP_DAC_OVERRIDE",
	[CAP_DAC_READ_SEARCH] = "CAP_DAC_READ_SEARCH",
	[CAP_FOWNER] = "CAP_FOWNER",
	[CAP_FSETID] = "CAP_FSETID",
	[CAP_KILL] = "CAP_KILL",
	[CAP_SETGID] = "CAP_SETGID",
	[CAP_SETUID] = "CAP_SETUID",
	[CAP_SETPCAP] = "CAP_SETPCAP",
	[CAP_LINUX_IMMUTABLE] = "CAP_LINUX_IMMUTABLE",
	[CAP_NET_BIND_SERVICE] = "CAP_NET_BIND_SERVICE",
	[CAP_NET_BROADCAST] = "CAP_NET_BROADCAST",
	[CAP_NET_ADMIN] = "CAP_NET_ADMIN",
	[CAP_NET_RAW] = "CAP_NET_RAW",
	[CAP_IPC_LOCK] = "CAP_IPC_LOCK",
	[CAP_IPC_OWNER] = "CAP_IPC_OWNER",
	[CAP_SYS_MODULE] = "CAP_SYS_MODULE",
	[CAP_SYS_RAWIO] = "CAP_SYS_RAWIO",
	[CAP_SYS_CHROOT] = "CAP_SYS_CHROOT",
	[CAP_SYS_PTRACE] = "CAP_SYS_PTRACE",
	[CAP_SYS_PACCT] = "CAP_SYS_PACCT",
	[CAP_SYS_ADMIN] = "CAP_SYS_ADMIN",
	[CAP_SYS_BOOT] = "CAP_SYS_BOOT",
	[CAP_SYS_NICE] = "CAP_SYS_NICE",
	[CAP_SYS_RESOURCE] = "CAP_SYS_RESOURCE",
	[CAP_SYS_TIME] = "CAP_SYS_TIME",
	[CAP_SYS_TTY_CONFIG] = "CAP_SYS_TTY_CONFIG",
	[CAP_MKNOD] = "CAP_MKNOD",
	[CAP_LEASE] = "CAP_LEASE",
	[CAP_AUDIT_WRITE] = "CAP_AUDIT_WRITE",
	[CAP_AUDIT_CONTROL] = "CAP_AUDIT_CONTROL",
	[CAP_SETFCAP] = "CAP_SETFCAP",
	[CAP_MAC_OVERRIDE] = "CAP_MAC_OVERRIDE",
	[CAP_MAC_ADMIN] = "CAP_MAC_ADMIN",
	[CAP_SYSLOG] = "CAP_SYSLOG",
	[CAP_WAKE_ALARM] = "CAP_WAKE_ALARM",
	[CAP_BLOCK_SUSPEND] = "CAP_BLOCK_SUSPEND",
	[CAP_AUDIT_READ] = "CAP_AUDIT_READ",
	[CAP_PERFMON] = "CAP_PERFMON",
	[CAP_BPF] = "CAP_BPF",
	[CAP_CHECKPOINT_RESTORE] = "CAP_CHECKPOINT_RESTORE",
	NULL,
};

/* getrlimit(2). */
static const struct {
	const char *name;
	int resource;
} rlimit_names[] = {
	{"RLIMIT_AS", RLIMIT_AS},
	{"RLIMIT_CORE", RLIMIT_CORE},
	{"RLIMIT_CPU", RLIMIT_CPU},
	{"RLIMIT_DATA", RLIMIT_DATA},
	{"RLIMIT_FSIZE", RLIMIT_FSIZE},
	{"RLIMIT_LOCKS", RLIMIT_LOCKS},
	{"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
	{"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
	{"RLIMIT_NICE", RLIMIT_NICE},
	{"RLIMIT_NOFILE", RLIMIT_NOFILE},
	{"RLIMIT_NPROC", RLIMIT_NPROC},
	{"RLIMIT_RSS", RLIMIT_RSS},
	{"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
	{"RLIMIT_RTTIME", RLIMIT_RTTIME},
	{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
	{"RLIMIT_STACK", RLIMIT_STACK},
};

/* "net_admin" → "CAP_NET_ADMIN": the one spelling that is compared and guessed from. */
static const char *name_complete(const char *name, const char *prefix, char *buffer, size_t size)
{
	size_t length;

	if (strncasecmp(name, prefix, strlen(prefix)) == 0)
		name += strlen(prefix);
	length = (size_t)snprintf(buffer, size, "%s%s", prefix, name);
	for (size_t i = 0; i < length && i < size; i++)
		buffer[i] = (char)toupper((unsigned char)buffer[i]);
	return buffer;
}

int capability_parse(const char *name, unsigned *out, struct error *err)
{
	char complete[64];
	const char *near;

	name_complete(name, "CAP_", complete, sizeof(complete));
	for (unsigned i = 0; capability_names[i]; i++) {
		if (strcmp(capability_names[i], complete) == 0) {
			*out = i;
			return 0;
		}
	}
	near = suggest_from(complete, capability_names);
	if (near)
		return fail(err, ERROR_USAGE, "unknown capability \"%s\"; did you mean %s?", name, near);
	return fail(err, ERROR_USAGE, "unknown capability \"%s\"", name);
}

const char *capability_name(unsigned capability, char buffer[32])
{
	if (capability < ARRAY_SIZE(capability_names) - 1)
		return capability_names[capability];
	snprintf(buffer, 32, "CAP_%u", capability);
	return buffer;
}

uint64_t capabilities_all(void)
{
	unsigned next = ARRAY_SIZE(capability_names) - 1;

	/* A kernel newer than the table may know more: PR_CAPBSET_READ fails for what it does not know. */
	while (next < 63 && prctl(PR_CAPBSET_READ, next, 0, 0, 0) >= 0)
		next++;
	return (UINT64_C(1) << next) - 1;
}

static const char *rlimit_name_at(const void *context, size_t i)
{
	(void)context;
	return i < ARRAY_SIZE(rlimit_names) ? rlimit_names[i].name : NULL;
}

int rlimit_parse(const char *name, int *out, struct error *err)
{
	char complete[64];
	const char *near;

	name_complete(name, "RLIMIT_", complete, sizeof(complete));
	for (size_t i = 0; i < ARRAY_SIZE(rlimit_names); i++) {
		if (strcmp(rlimit_names[i].name, complete) == 0) {
			*out = rlimit_names[i].resource;
			return 0;
		}
	}
	near = suggest(complete, rlimit_name_at, NULL);
	if (near)
		return fail(err, ERROR_USAGE, "unknown resource limit \"%s\"; did you mean %s?", name, near);
	return fail(err, ERROR_USAGE, "unknown resource limit \"%s\"", name);
}

const char *rlimit_name(int resource, char buffer[24])
{
	for (size_t i = 0; i < ARRAY_SIZE(rlimit_names); i++) {
		if (rlimit_names[i].resource == resource)
			return rlimit_names[i].name;
	}
	snprintf(buffer, 24, "RLIMIT %d", resource);
	return buffer;
}
