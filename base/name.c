/* Names that become file names, host names and lines of the kernel's files: checked before any of that. */
#include <string.h>

#include "base/text.h"

#define NAME_MAX_LENGTH 63 /* a DNS label, RFC 1035 */
#define ID_MAX_LENGTH 255  /* NAME_MAX */

static const char lower_and_digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char name_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
static const char id_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.-";

int name_check(const char *what, const char *name, struct error *err)
{
	size_t length = strlen(name);

	if (!length)
		return fail(err, ERROR_USAGE, "%s is empty", what);
	if (length > NAME_MAX_LENGTH)
		return fail(err, ERROR_USAGE, "%s \"%s\": longer than %d characters", what, name, NAME_MAX_LENGTH);
	if (!strchr(lower_and_digits, *name))
		return fail(err, ERROR_USAGE, "%s \"%s\": must begin with a lower-case letter or a digit", what, name);
	if (name[strspn(name, name_letters)])
		return fail(
			err, ERROR_USAGE, "%s \"%s\": only lower-case letters, digits and '-' are allowed", what, name);
	return 0;
}

int id_check(const char *id, struct error *err)
{
	size_t length = strlen(id);

	if (!length)
		return fail(err, ERROR_USAGE, "container id is empty");
	if (length > ID_MAX_LENGTH)
		return fail(err, ERROR_USAGE, "container id \"%s\": longer than %d characters", id, ID_MAX_LENGTH);
	if (*id == '.' || *id == '-')
		return fail(err, ERROR_USAGE, "container id \"%s\": must not begin with '%c'", id, *id);
	if (id[strspn(id, id_letters)])
		return fail(err, ERROR_USAGE,
			"container id \"%s\": only letters, digits, '_', '+', '.' and '-' are allowed", id);
	return 0;
}

int line_check(const char *what, const char *text, struct error *err)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			return fail(err, ERROR_USAGE, "%s \"%s\": control characters are not allowed (found 0x%02x)",
				what, text, *p);
	return 0;
}
