/* What an instance may be given: capabilities, settings of the kernel, programs that run for it. */
#include "fleet/spec/spec_check.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "fleet/spec/network_mode.h"

static int check_capability(const char *name, struct error *err)
{
	unsigned number;

	return !strcasecmp(name, "ALL") ? 0 : capability_parse(name, &number, err);
}

int check_cap_add(const struct instance_spec *spec, size_t *index, struct error *err)
{
	for (*index = 0; *index < spec->cap_add.count; ++*index) {
		const char *name = spec->cap_add.items[*index];

		if (check_capability(name, err) < 0)
			return -1;
		if (strings_contain(&spec->cap_drop, name))
			return fail(err, ERROR_USAGE, "\"%s\" is in \"cap_drop\" too", name);
	}
	return 0;
}

int check_cap_drop(const struct instance_spec *spec, size_t *index, struct error *err)
{
	CHECK_ITEMS(spec->cap_drop, index, check_capability(spec->cap_drop.items[*index], err));
}

int check_seccomp(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	if (strcmp(spec->seccomp, "default") && strcmp(spec->seccomp, "unconfined"))
		return fail(err, ERROR_USAGE, "\"%s\" is not \"default\" or \"unconfined\"", spec->seccomp);
	return 0;
}

int check_apparmor(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	return spec->apparmor ? line_check("AppArmor profile", spec->apparmor, err) : 0;
}

int check_selinux(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	return spec->selinux ? line_check("SELinux context", spec->selinux, err) : 0;
}

/* Settings that belong to the instance's own namespaces; all others are the host's. */
static const char *const sysctls_allowed[] = {"kernel.shmmax", "kernel.shmall", "kernel.shmmni",
	"kernel.shm_rmid_forced", "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem"};

static bool sysctl_is_allowed(const char *name)
{
	if (text_starts_with(name, "net.") || text_starts_with(name, "fs.mqueue.") || text_starts_with(name, "user."))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(sysctls_allowed); i++)
		if (!strcmp(name, sysctls_allowed[i]))
			return true;
	return false;
}

/* The name becomes a path below /proc/sys: dots are the slashes. */
static bool sysctl_is_well_formed(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	return *name && !name[strspn(name, letters)] && *name != '.' && !text_ends_with(name, ".") &&
	       !strstr(name, "..");
}

static int check_sysctl(const struct instance_spec *spec, const struct pair *sysctl, struct error *err)
{
	if (!sysctl_is_well_formed(sysctl->name))
		return fail(err, ERROR_USAGE, "\"%s\" is not the name of a sysctl such as net.core.somaxconn",
			sysctl->name);
	if (!sysctl_is_allowed(sysctl->name))
		return fail(err, ERROR_USAGE, "%s belongs to the whole host, not to an instance", sysctl->name);
	if (text_starts_with(sysctl->name, "net.") && !strcmp(spec->network, "host"))
		return fail(err, ERROR_USAGE, "%s would be the host's: the network is \"host\"", sysctl->name);
	if (text_starts_with(sysctl->name, "net.") && network_is_joined(spec->network))
		return fail(err, ERROR_USAGE, "%s is set by who made the network \"%s\"", sysctl->name, spec->network);
	return line_check("value", sysctl->value, err);
}

int check_sysctls(const struct instance_spec *spec, size_t *index, struct error *err)
{
	CHECK_ITEMS(spec->sysctls, index, check_sysctl(spec, &spec->sysctls.items[*index], err));
}

static int check_hook_list(const struct spec_hook *hooks, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (path_check_absolute("path", hooks[i].path, err) < 0)
			return -1;
		for (size_t k = 0; k < hooks[i].env.count; k++)
			if (!strchr(hooks[i].env.items[k], '='))
				return fail(err, ERROR_USAGE, "env \"%s\": expected NAME=VALUE", hooks[i].env.items[k]);
	}
	return 0;
}

int check_hooks(const struct instance_spec *spec, size_t *index, struct error *err)
{
	(void)index;
	for (size_t i = 0; i < HOOK_KINDS; i++)
		if (check_hook_list(spec->hooks.of[i].items, spec->hooks.of[i].count, err) < 0)
			return -1;
	return 0;
}
