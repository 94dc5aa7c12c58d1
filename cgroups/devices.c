/* Device rules: their check, and cgroup v1's list.
 *
 * v1's devices controller keeps a default and exceptions, and has no order: in a list that refuses by default, a
 * refusal only takes away an exception of exactly the same numbers. Rules are therefore brought into that form here
 * (device_list_make), and a sequence it cannot express is refused with the two rules named, instead of allowing more
 * than was asked for, which is what writing the rules one by one does. */
#include "cgroups/devices.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "cgroups/knobs.h"

#define RULES_MAX 512
#define ACCESS_ALL (CGROUP_DEVICE_READ | CGROUP_DEVICE_WRITE | CGROUP_DEVICE_MKNOD)
#define NUMBER_MAX UINT32_MAX
#define RULE_TEXT 40

static const char *number_text(int64_t number, char text[12])
{
	if (number < 0)
		return "*";
	snprintf(text, 12, "%u", (unsigned)number);
	return text;
}

/* As devices.allow and devices.deny want it: "c 1:3 rwm". */
static const char *rule_text(const struct cgroup_device_rule *rule, char text[RULE_TEXT])
{
	char major[12], minor[12];

	snprintf(text, RULE_TEXT, "%c %s:%s %s%s%s", rule->type, number_text(rule->major, major),
		number_text(rule->minor, minor), rule->access & CGROUP_DEVICE_READ ? "r" : "",
		rule->access & CGROUP_DEVICE_WRITE ? "w" : "", rule->access & CGROUP_DEVICE_MKNOD ? "m" : "");
	return text;
}

static bool rule_is_valid(const struct cgroup_device_rule *rule)
{
	return (rule->type == 'a' || rule->type == 'b' || rule->type == 'c') && rule->major >= -1 &&
	       rule->major <= NUMBER_MAX && rule->minor >= -1 && rule->minor <= NUMBER_MAX && rule->access &&
	       !(rule->access & ~(unsigned)ACCESS_ALL);
}

int devices_check(const struct cgroup_limits *limits, bool v1, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct device_list unused;

	if (limits->devices.count > RULES_MAX)
		return fail(err, ERROR_USAGE, "devices: %zu rules; at most %d", limits->devices.count, RULES_MAX);
	for (size_t i = 0; i < limits->devices.count; i++)
		if (!rule_is_valid(&limits->devices.items[i]))
			return fail(err, ERROR_USAGE,
				"devices[%zu]: a rule has type a, b or c, numbers from 0 to 4294967295 (-1: any) and "
				"at "
				"least one access of r, w and m",
				i);
	return v1 && limits->devices.count ? device_list_make(&arena, limits, &unused, err) : 0;
}

static bool number_covers(int64_t wide, int64_t narrow)
{
	return wide == -1 || wide == narrow;
}

static bool rule_covers(const struct cgroup_device_rule *wide, const struct cgroup_device_rule *narrow)
{
	return wide->type == narrow->type && number_covers(wide->major, narrow->major) &&
	       number_covers(wide->minor, narrow->minor);
}

static bool rule_overlaps(const struct cgroup_device_rule *a, const struct cgroup_device_rule *b)
{
	return a->type == b->type && (number_covers(a->major, b->major) || number_covers(b->major, a->major)) &&
	       (number_covers(a->minor, b->minor) || number_covers(b->minor, a->minor));
}

static bool rule_is_same(const struct cgroup_device_rule *a, const struct cgroup_device_rule *b)
{
	return a->type == b->type && a->major == b->major && a->minor == b->minor;
}

static void exception_add(struct device_list *list, const struct cgroup_device_rule *rule)
{
	for (size_t i = 0; i < list->exceptions.count; i++)
		if (rule_is_same(&list->exceptions.items[i], rule)) {
			list->exceptions.items[i].access |= rule->access;
			return;
		}
	list->exceptions.items[list->exceptions.count++] = *rule;
}

/* Takes the rule's access out of the exceptions it covers; one that it covers in part cannot be said. */
static int exceptions_cut(struct device_list *list, const struct cgroup_device_rule *rule, struct error *err)
{
	char text[RULE_TEXT], other[RULE_TEXT];
	size_t kept = 0;

	for (size_t i = 0; i < list->exceptions.count; i++) {
		struct cgroup_device_rule exception = list->exceptions.items[i];

		if (rule_covers(rule, &exception))
			exception.access &= ~rule->access;
		else if (rule_overlaps(rule, &exception) && rule->access & exception.access)
			return fail(err, ERROR_SYSTEM,
				"devices: \"%s\" makes an exception within \"%s\"; cgroup v1 cannot",
				rule_text(rule, text), rule_text(&exception, other));
		if (exception.access)
			list->exceptions.items[kept++] = exception;
	}
	list->exceptions.count = kept;
	return 0;
}

static int list_add(struct device_list *list, const struct cgroup_device_rule *rule, struct error *err)
{
	if (rule->allow == list->allow)
		return exceptions_cut(list, rule, err);
	exception_add(list, rule);
	return 0;
}

int device_list_make(
	struct arena *arena, const struct cgroup_limits *limits, struct device_list *out, struct error *err)
{
	*out = (struct device_list){.allow = false};
	out->exceptions.items = arena_new_array(arena, 2 * limits->devices.count, struct cgroup_device_rule);
	for (size_t i = 0; i < limits->devices.count; i++) {
		struct cgroup_device_rule rule = limits->devices.items[i];
		bool both = rule.type == 'a';

		if (both && rule.major == -1 && rule.minor == -1 && rule.access == ACCESS_ALL) {
			out->allow = rule.allow;
			out->exceptions.count = 0;
			continue;
		}
		/* v1 reads any 'a' as all devices and all access, so a narrower one becomes two rules. */
		rule.type = both ? 'b' : rule.type;
		if (list_add(out, &rule, err) < 0)
			return -1;
		rule.type = 'c';
		if (both && list_add(out, &rule, err) < 0)
			return -1;
	}
	return 0;
}

static bool rule_parse(const char *line, struct cgroup_device_rule *out)
{
	char major[12], minor[12], access[4];
	struct error unused;

	*out = (struct cgroup_device_rule){.major = -1, .minor = -1};
	if (sscanf(line, "%c %11[0-9*]:%11[0-9*] %3[rwm]", &out->type, major, minor, access) != 4)
		return false;
	if (strcmp(major, "*") != 0 && number_parse(major, 0, NUMBER_MAX, &out->major, &unused) < 0)
		return false;
	if (strcmp(minor, "*") != 0 && number_parse(minor, 0, NUMBER_MAX, &out->minor, &unused) < 0)
		return false;
	for (const char *c = access; *c; c++)
		out->access |= *c == 'r' ? CGROUP_DEVICE_READ : *c == 'w' ? CGROUP_DEVICE_WRITE : CGROUP_DEVICE_MKNOD;
	return true;
}

/* A list that allows by default shows "a *:* rwm" and hides its exceptions (devcgroup_seq_show()). */
void device_list_parse(struct arena *arena, const char *text, struct device_list *out)
{
	struct strings lines = strings_split(arena, text, '\n');

	*out = (struct device_list){.allow = false};
	out->exceptions.items = arena_new_array(arena, lines.count, struct cgroup_device_rule);
	for (size_t i = 0; i < lines.count; i++) {
		struct cgroup_device_rule rule;

		if (!rule_parse(lines.items[i], &rule) || !rule_is_valid(&rule))
			continue;
		rule.allow = true;
		if (rule.type == 'a')
			out->allow = true;
		else
			exception_add(out, &rule);
	}
}

static const char *list_file(bool allow)
{
	return allow ? "devices.allow" : "devices.deny";
}

/* The kernel takes one rule a write. */
static int list_line(int fd, bool allow, const char *line, struct error *err)
{
	if (write_retried(fd, line, strlen(line)) < 0)
		return fail_errno(err, "devices: write \"%s\" to %s", line, list_file(allow));
	return 0;
}

static int list_open(int dir, bool allow, struct error *err)
{
	int fd = openat(dir, list_file(allow), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? fail_errno(err, "devices: open %s", list_file(allow)) : fd;
}

/* What is in list and not in other: allowed or denied. */
static int list_difference(
	int dir, const struct device_list *list, const struct device_list *other, bool allow, struct error *err)
{
	auto_fd fd = list->exceptions.count ? list_open(dir, allow, err) : -1;
	char text[RULE_TEXT];

	if (list->exceptions.count && fd < 0)
		return -1;
	for (size_t i = 0; i < list->exceptions.count; i++) {
		struct cgroup_device_rule rule = list->exceptions.items[i];

		for (size_t j = 0; other && j < other->exceptions.count; j++)
			if (rule_is_same(&rule, &other->exceptions.items[j]))
				rule.access &= ~other->exceptions.items[j].access;
		if (rule.access && list_line(fd, allow, rule_text(&rule, text), err) < 0)
			return -1;
	}
	return 0;
}

static int list_write_whole(int dir, const struct device_list *list, struct error *err)
{
	auto_fd fd = list_open(dir, list->allow, err);

	if (fd < 0 || list_line(fd, list->allow, "a", err) < 0)
		return -1;
	return list_difference(dir, list, NULL, !list->allow, err);
}

static int list_change(int dir, const struct device_list *from, const struct device_list *to, struct error *err)
{
	if (list_difference(dir, to, from, true, err) < 0)
		return -1;
	return list_difference(dir, from, to, false, err);
}

int device_list_write(int dir, const struct device_list *list, bool live, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	char text[KNOB_SIZE];
	struct device_list now;
	struct error ignored;

	if (!live)
		return list_write_whole(dir, list, err);
	if (knob_read(dir, "devices.list", text, sizeof(text)) < 0)
		return fail_errno(err, "devices: read devices.list");
	device_list_parse(&arena, text, &now);
	if ((list->allow || now.allow ? list_write_whole(dir, list, err) : list_change(dir, &now, list, err)) == 0)
		return 0;
	/* The exceptions of one that allows by default are not shown. */
	if (now.allow || list_write_whole(dir, &now, &ignored) < 0)
		log_warn("devices: the rules there were could not be put back");
	return -1;
}
