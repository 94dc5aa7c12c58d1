/* A property of a unit as it travels to warren-systemd: a name, a D-Bus type, and its values as text. */
#include <string.h>

#include "base/cleanup.h"
#include "cgroups/systemd.h"

#define NAME_MIN 3
#define NAME_MAX_LENGTH 64
#define VALUE_MAX 8192
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

void systemd_property_put(struct arena *arena, struct systemd_properties *list, const struct systemd_property *property)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].name, property->name) == 0) {
			list->items[i] = *property;
			return;
		}
	/* Doubled each time it is full, so that a list of the largest size costs no more than twice its memory. */
	if ((list->count & (list->count - 1)) == 0) {
		struct systemd_property *more =
			arena_new_array(arena, list->count ? 2 * list->count : 1, struct systemd_property);

		if (list->count)
			memcpy(more, list->items, list->count * sizeof(*more));
		list->items = more;
	}
	list->items[list->count++] = *property;
}

void systemd_property_set(struct arena *arena, struct systemd_properties *list, const char *name, const char *type,
	const char *value, int since)
{
	struct systemd_property property = {.name = name, .type = type, .since = since};

	strings_add(arena, &property.values, value);
	systemd_property_put(arena, list, &property);
}

/* --- the check ---------------------------------------------------------------------------------------------------- */

static int boolean_check(const char *value, struct error *err)
{
	if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
		return 0;
	return fail(err, ERROR_USAGE, "\"%s\" is neither true nor false", value);
}

/* As strtod(3) reads it, in characters that no locale changes. */
static int double_check(const char *value, struct error *err)
{
	char *end;

	if (strspn(value, "0123456789+-.eE") == strlen(value) && *value) {
		(void)strtod(value, &end);
		if (!*end)
			return 0;
	}
	return fail(err, ERROR_USAGE, "\"%s\" is no number", value);
}

static const struct {
	char type;
	int64_t min, max;
} integers[] = {
	{'y', 0, UINT8_MAX},
	{'n', INT16_MIN, INT16_MAX},
	{'q', 0, UINT16_MAX},
	{'i', INT32_MIN, INT32_MAX},
	{'u', 0, UINT32_MAX},
	{'x', INT64_MIN, INT64_MAX},
};

static int value_check(char type, const char *value, struct error *err)
{
	int64_t integer;
	uint64_t natural;

	for (size_t i = 0; i < ARRAY_SIZE(integers); i++)
		if (integers[i].type == type)
			return number_parse(value, integers[i].min, integers[i].max, &integer, err);
	switch (type) {
	case 'b':
		return boolean_check(value, err);
	case 't':
		return number_parse_u64(value, UINT64_MAX, &natural, err);
	case 'd':
		return double_check(value, err);
	case 's':
		return strlen(value) > VALUE_MAX ? fail(err, ERROR_USAGE, "text of %zu bytes", strlen(value)) : 0;
	case 'o':
		/* sd-bus refuses a malformed one before it is sent. */
		return *value == '/' ? 0 : fail(err, ERROR_USAGE, "\"%s\" is no path of an object", value);
	default:
		return fail(err, ERROR_USAGE, "type '%c' is not supported", type);
	}
}

/* The types that values take in turn, or NULL; count: how many values there are. */
static const char *type_cycle(const char *type, size_t count)
{
	if (type[0] == 'a' && (strcmp(type, "a(st)") == 0 || strcmp(type, "a(ss)") == 0))
		return count % 2 ? NULL : type[3] == 't' ? "st" : "ss";
	if (type[0] == 'a' && type[1] && !type[2])
		return type + 1;
	return type[0] && !type[1] && count == 1 ? type : NULL;
}

int systemd_property_check(const struct systemd_property *property, struct error *err)
{
	size_t length = strlen(property->name);
	const char *cycle = type_cycle(property->type, property->values.count);

	if (length < NAME_MIN || length > NAME_MAX_LENGTH || strspn(property->name, LETTERS) != length)
		return fail(err, ERROR_USAGE, "property \"%.80s\": a name has %d to %d letters and nothing else",
			property->name, NAME_MIN, NAME_MAX_LENGTH);
	if (property->values.count > SYSTEMD_VALUES_MAX)
		return fail(err, ERROR_USAGE, "property %s: %zu values, at most %d", property->name,
			property->values.count, SYSTEMD_VALUES_MAX);
	if (!cycle)
		return fail(err, ERROR_USAGE, "property %s: %zu values of type \"%.16s\" are not supported",
			property->name, property->values.count, property->type);
	for (size_t i = 0; i < property->values.count; i++)
		if (value_check(cycle[i % strlen(cycle)], property->values.items[i], err) < 0)
			return blame(err, "property %s", property->name);
	return 0;
}
