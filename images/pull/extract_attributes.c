/* Extended attributes of an archive's entry.
 *
 * A capability of a program belongs to the image, and so do user.* ones. What names a rule of this host (labels of its
 * security modules, ACLs of its users, trusted.*) is left out. The marks of overlay file systems are refused: an
 * archive that brings them wants to change how we put layers together. */
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "images/pull/extract.h"

#define VALUE_MAX (64 << 10) /* xattr(7) */

enum rule { TAKEN, TAKEN_ON_FILES, LEFT_OUT, REFUSED };

static const struct row {
	const char *prefix;
	enum rule rule;
} rows[] = {
	{"trusted.overlay.", REFUSED},
	{"user.overlay.", REFUSED},
	{"security.capability", TAKEN_ON_FILES},
	{"user.", TAKEN},
	{"", LEFT_OUT},
};

static enum rule rule_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (text_starts_with(name, rows[i].prefix))
			return rows[i].rule;
	return LEFT_OUT;
}

/* A file system without user.* attributes, or with too little room for them, makes no image unusable. */
static bool can_do_without(const char *name)
{
	return text_starts_with(name, "user.") &&
	       (errno == EOPNOTSUPP || errno == ENOSPC || errno == E2BIG || errno == ERANGE || errno == EPERM);
}

static int attribute_set(struct extract *extract, int fd, const struct extract_entry *entry,
	const struct extract_attribute *attribute, struct error *err)
{
	enum rule rule = rule_of(attribute->name);

	if (rule == REFUSED)
		return fail(err, ERROR_USAGE,
			"has the attribute %.80s, a mark of overlay file systems, which no image may bring",
			attribute->name);
	if (rule == LEFT_OUT || (rule == TAKEN_ON_FILES && !S_ISREG(entry->mode))) {
		extract_leave_out(extract, "%.80s: attribute %.60s", entry->path, attribute->name);
		return 0;
	}
	if (attribute->length > VALUE_MAX)
		return fail(err, ERROR_USAGE, "attribute %.80s: %zu bytes, at most %d", attribute->name,
			attribute->length, VALUE_MAX);
	if (fsetxattr(fd, attribute->name, attribute->value, attribute->length, 0) == 0)
		return 0;
	if (!can_do_without(attribute->name))
		return fail_errno(err, "set attribute %.80s", attribute->name);
	extract_leave_out(extract, "%.80s: attribute %.60s", entry->path, attribute->name);
	return 0;
}

int extract_attributes(struct extract *extract, int fd, const struct extract_entry *entry, struct error *err)
{
	for (size_t i = 0; i < entry->attribute_count; i++)
		if (attribute_set(extract, fd, entry, &entry->attributes[i], err) < 0)
			return -1;
	return 0;
}
