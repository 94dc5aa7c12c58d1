/* What spans members of a specification, or what no decoder knows: checked once, before anything is made.
 *
 * In the order in which a reader would ask: process, namespaces and maps, mounts and paths, sysctls, the rest. */
#include "runtime/spec/spec_check.h"

#include <limits.h>
#include <net/if.h>
#include <seccomp.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/text.h"

/* Resolution stays in the root anyway; who writes ".." either expects to leave it or made a mistake. */
int spec_path_check(const char *what, const char *path, struct error *err)
{
	if (!path || *path != '/')
		return fail(err, ERROR_USAGE, "%s \"%s\": must be an absolute path", what, path ? path : "");
	if (strlen(path) >= PATH_MAX)
		return fail(err, ERROR_USAGE, "%s: path of %zu bytes, at most %d", what, strlen(path), PATH_MAX - 1);
	for (const char *at = path; *at; at = strchrnul(at + 1, '/')) {
		if (strncmp(at, "/..", 3) == 0 && (at[3] == '/' || at[3] == '\0'))
			return fail(err, ERROR_USAGE, "%s \"%s\": must not contain \"..\"", what, path);
	}
	return line_check(what, path, err);
}

int spec_variables_check(const char *key, const struct strings *env, struct error *err)
{
	for (size_t i = 0; i < env->count; i++) {
		if (!strchr(env->items[i], '=') || *env->items[i] == '=')
			return fail(err, ERROR_USAGE, "%s[%zu] \"%s\": is not NAME=value", key, i, env->items[i]);
	}
	return 0;
}

static int cgroup_path_check(const struct spec *spec, struct error *err)
{
	const char *path = spec->cgroup_path;

	if (!path)
		return 0;
	/* slice:prefix:name; whether that is wanted and right is known to who makes the cgroup. */
	if (strchr(path, ':'))
		return line_check("linux.cgroupsPath", path, err);
	for (const char *at = path; *at; at += strcspn(at, "/"), at += *at == '/') {
		size_t length = strcspn(at, "/");

		if ((length == 2 && memcmp(at, "..", 2) == 0) || (length == 1 && *at == '.'))
			return fail(
				err, ERROR_USAGE, "linux.cgroupsPath \"%s\": must not contain \".\" or \"..\"", path);
	}
	if (path[strspn(path, "/")] == '\0')
		return fail(err, ERROR_USAGE, "linux.cgroupsPath \"%s\": names the root cgroup", path);
	return line_check("linux.cgroupsPath", path, err);
}

static int hooks_check(const struct spec *spec, struct error *err)
{
	static const char *const names[HOOK_KINDS] = {
		"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"};

	for (size_t kind = 0; kind < HOOK_KINDS; kind++) {
		for (size_t i = 0; i < spec->hooks.of[kind].count; i++) {
			const struct spec_hook *hook = &spec->hooks.of[kind].items[i];

			if (text_is_empty(hook->path) || *hook->path != '/')
				return fail(err, ERROR_USAGE, "hooks.%s[%zu].path \"%s\": must be absolute",
					names[kind], i, hook->path ? hook->path : "");
			if (spec_variables_check("env", &hook->env, err) < 0)
				return blame(err, "hooks.%s[%zu]", names[kind], i);
			if (hook->timeout_s.set && hook->timeout_s.value <= 0)
				return fail(err, ERROR_USAGE, "hooks.%s[%zu].timeout %lld: must be positive",
					names[kind], i, (long long)hook->timeout_s.value);
		}
	}
	return 0;
}

static int seccomp_check(const struct spec *spec, struct error *err)
{
	const struct spec_seccomp *seccomp = spec->seccomp;

	if (!seccomp)
		return 0;
	if (seccomp->listener_metadata && !seccomp->listener_path)
		return fail(err, ERROR_USAGE, "linux.seccomp.listenerMetadata: is of use only with listenerPath");
	if (seccomp->default_action == SCMP_ACT_NOTIFY)
		return fail(err, ERROR_USAGE, "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY is for single calls");
	for (size_t i = 0; i < seccomp->rules.count; i++) {
		const struct seccomp_rule *rule = &seccomp->rules.items[i];

		if (rule->action != SCMP_ACT_NOTIFY)
			continue;
		if (!seccomp->listener_path)
			return fail(err, ERROR_USAGE,
				"linux.seccomp.syscalls[%zu]: SCMP_ACT_NOTIFY: needs a listenerPath", i);
		/* With the one the listener is told of the container, with the other the runtime of errors: who would
		 * answer cannot know of it yet. */
		if (strings_contain(&rule->names, "sendmsg") || strings_contain(&rule->names, "write"))
			return fail(err, ERROR_USAGE,
				"linux.seccomp.syscalls[%zu]: SCMP_ACT_NOTIFY: cannot be used for write and sendmsg",
				i);
	}
	return 0;
}

/* What the kernel takes as a device's name, but for patterns: nobody would know what became of them. */
static int device_name_check(const char *key, const char *name, struct error *err)
{
	size_t length = strlen(name);

	if (length == 0 || length >= IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return fail(err, ERROR_USAGE, "%s \"%s\": is no name of a network device", key, name);
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)name[i] <= ' ' || name[i] == 0x7f || strchr("/:%", name[i]))
			return fail(err, ERROR_USAGE, "%s \"%s\": is no name of a network device", key, name);
	}
	return 0;
}

static int net_devices_check(const struct spec *spec, struct error *err)
{
	for (size_t i = 0; i < spec->net_devices.count; i++) {
		const struct spec_net_device *device = &spec->net_devices.items[i];

		if (device_name_check("linux.netDevices", device->name, err) < 0 ||
			device_name_check("linux.netDevices.name", device->inside, err) < 0)
			return -1;
		for (size_t k = 0; k < i; k++)
			if (strcmp(spec->net_devices.items[k].inside, device->inside) == 0)
				return fail(err, ERROR_USAGE, "linux.netDevices: two become \"%s\"", device->inside);
	}
	if (spec->net_devices.count && !spec_namespace_is_own(spec, NS_NET))
		return fail(err, ERROR_USAGE, "linux.netDevices: needs a network namespace of the container's own");
	return 0;
}

/* config.md: "Keys MUST NOT be an empty string". */
static int annotations_check(const struct spec *spec, struct error *err)
{
	for (size_t i = 0; i < spec->annotations.count; i++)
		if (*spec->annotations.items[i].name == '\0')
			return fail(err, ERROR_USAGE, "annotations: a key is empty (its value is \"%s\")",
				spec->annotations.items[i].value);
	return 0;
}

static spec_checker *const checks[] = {
	spec_check_process,
	spec_check_namespaces,
	spec_check_files,
	spec_check_sysctls,
	cgroup_path_check,
	hooks_check,
	seccomp_check,
	net_devices_check,
	annotations_check,
};

int spec_check_rows(spec_checker *const *rows, size_t count, const struct spec *spec, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (rows[i](spec, err) < 0)
			return -1;
	}
	return 0;
}

int spec_check(const struct spec *spec, struct error *err)
{
	return spec_check_rows(checks, ARRAY_SIZE(checks), spec, err);
}

int spec_process_check(const struct spec_process *process, struct error *err)
{
	const struct spec spec = {.process = *process};

	return spec_check_process(&spec, err);
}
