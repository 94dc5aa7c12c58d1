/* The new mount API: every call's failure as one whole line, with the kernel's own reason where it gives one. */
#include "base/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467 /* of every architecture */
#endif

#define MESSAGE_SIZE 1024

/* Collects the error messages waiting in a file system context: each read(2) gives one, "e overlay: …", and ENODATA
 * ends them (fsopen(2): message retrieval). Warnings and notes are passed over. */
static void messages_read(int context, char messages[MESSAGE_SIZE])
{
	char line[512];
	size_t used = 0;
	ssize_t length;

	messages[0] = '\0';
	for (int i = 0; i < 16 && used < MESSAGE_SIZE - 1; i++) {
		length = read(context, line, sizeof(line) - 1);
		if (length < 0)
			return;
		while (length > 0 && line[length - 1] == '\n')
			length--;
		line[length] = '\0';
		if (strncmp(line, "e ", 2) != 0)
			continue;
		used += (size_t)snprintf(messages + used, MESSAGE_SIZE - used, "%s: ", line + 2);
	}
}

static int fail_with_messages(struct error *err, int context, const char *type, const char *step)
{
	int saved = errno;
	char messages[MESSAGE_SIZE];

	messages_read(context, messages);
	errno = saved;
	return fail_errno(err, "mount %s: %s%s", type, messages, step);
}

static int option_set(int context, const struct mount_option *option)
{
	if (option->value)
		return fsconfig(context, FSCONFIG_SET_STRING, option->name, option->value, 0);
	if (option->fd >= 0)
		return fsconfig(context, FSCONFIG_SET_FD, option->name, NULL, option->fd);
	return fsconfig(context, FSCONFIG_SET_FLAG, option->name, NULL, 0);
}

static int options_set(
	int context, const char *type, const struct mount_option *options, size_t count, struct error *err)
{
	char step[320];

	for (size_t i = 0; i < count; i++) {
		if (option_set(context, &options[i]) == 0)
			continue;
		snprintf(step, sizeof(step), "option %s%s%.256s", options[i].name, options[i].value ? "=" : "",
			options[i].value ? options[i].value : "");
		return fail_with_messages(err, context, type, step);
	}
	return 0;
}

/* From a context as fsopen(2) gives it; -1 is its failure. */
static int context_mount(int context, const char *type, const char *source, const struct mount_option *options,
	size_t count, uint64_t attr, struct error *err)
{
	int mount;

	if (context < 0)
		return fail_errno(err, "mount %s", type);
	if (source && fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return fail_with_messages(err, context, type, "source");
	if (options_set(context, type, options, count, err) < 0)
		return -1;
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail_with_messages(err, context, type, "create");
	mount = fsmount(context, FSMOUNT_CLOEXEC, (unsigned)attr);
	if (mount < 0)
		return fail_with_messages(err, context, type, "fsmount");
	return mount;
}

int filesystem_mount(const char *type, const char *source, const struct mount_option *options, size_t count,
	uint64_t attr, struct error *err)
{
	auto_fd context = fsopen(type, FSOPEN_CLOEXEC);

	return context_mount(context, type, source, options, count, attr, err);
}

int filesystem_mount_before_exec(const char *type, const char *source, const struct mount_option *options, size_t count,
	uint64_t attr, struct error *err)
{
	return context_mount(fsopen(type, FSOPEN_CLOEXEC), type, source, options, count, attr, err);
}

static const char *path_words(const char *path)
{
	return *path ? path : "the opened file";
}

int mount_clone(int dir, const char *path, bool recursive, struct error *err)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	int mount;

	if (recursive)
		flags |= AT_RECURSIVE;
	if (!*path)
		flags |= AT_EMPTY_PATH;
	mount = open_tree(dir, path, flags);
	if (mount < 0)
		return fail_errno(err, "clone the mount of %s", path_words(path));
	return mount;
}

/* EPERM is what the filters of old container engines say to calls that they do not know. */
static bool is_unknown_call(int errnum)
{
	return errnum == ENOSYS || errnum == EPERM;
}

int mount_clone_changed(int dir, const char *path, unsigned flags, const struct mount_attr *attr)
{
	static bool in_two_calls;
	auto_fd mount = -1;

	flags |= OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	if (!in_two_calls) {
		mount = (int)syscall(SYS_open_tree_attr, dir, path, flags, attr, sizeof(*attr));
		if (mount >= 0 || !is_unknown_call(errno))
			return take_fd(&mount);
	}
	mount = open_tree(dir, path, flags);
	if (mount < 0)
		return -1;
	in_two_calls = true;
	if (mount_setattr(mount, "", AT_EMPTY_PATH | (flags & AT_RECURSIVE), (struct mount_attr *)attr, sizeof(*attr)) <
		0)
		return -1;
	return take_fd(&mount);
}

int mount_change(int mount, bool recursive, uint64_t set, uint64_t clear, int userns, struct error *err)
{
	struct mount_attr attr = {.attr_set = set, .attr_clr = clear};
	unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);

	if (userns >= 0) {
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (uint64_t)userns;
	}
	if (mount_setattr(mount, "", flags, &attr, sizeof(attr)) < 0)
		return fail_errno(err, "%s", userns >= 0 ? "map the ids of a mount" : "change the flags of a mount");
	return 0;
}

int mount_attach(int mount, int dir, const char *path, struct error *err)
{
	unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (*path ? 0 : MOVE_MOUNT_T_EMPTY_PATH);

	if (move_mount(mount, "", dir, path, flags) < 0)
		return fail_errno(err, "attach a mount on %s", path_words(path));
	return 0;
}
