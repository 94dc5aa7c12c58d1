/* Which instances a command means: names, shell patterns and labels; and the order in which people expect them. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "fleet/state/instance.h"
#include "fleet/state/select.h"

#define INSTANCES_MAX 65536

/* --- order -------------------------------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Two runs of digits by value: leading zeros aside the longer is larger, else the first difference decides. */
static int digits_compare(const char **a, const char **b)
{
	const char *start_a, *start_b;
	int difference;

	while (**a == '0')
		(*a)++;
	while (**b == '0')
		(*b)++;
	start_a = *a;
	start_b = *b;
	while (is_digit(**a))
		(*a)++;
	while (is_digit(**b))
		(*b)++;
	if (*a - start_a != *b - start_b)
		return *a - start_a < *b - start_b ? -1 : 1;
	difference = strncmp(start_a, start_b, (size_t)(*a - start_a));
	return difference;
}

int instance_name_compare(const char *a, const char *b)
{
	const char *whole_a = a, *whole_b = b;

	while (*a && *b) {
		int difference;

		if (is_digit(*a) && is_digit(*b)) {
			difference = digits_compare(&a, &b);
		} else {
			difference = (unsigned char)*a - (unsigned char)*b;
			a++;
			b++;
		}
		if (difference)
			return difference;
	}
	if (*a || *b)
		return *a ? 1 : -1;
	return strcmp(whole_a, whole_b); /* "a-01" and "a-1" */
}

static int names_compare(const void *a, const void *b)
{
	return instance_name_compare(*(const char *const *)a, *(const char *const *)b);
}

int instance_names(struct arena *arena, const struct host *host, struct strings *out, struct error *err)
{
	struct strings all = {0};

	*out = (struct strings){0};
	if (host->instances < 0) /* only looked at, and nothing is there */
		return 0;
	if (dir_list(arena, host->instances, INSTANCES_MAX, &all, err) < 0)
		return blame(err, "list the instances");
	for (size_t i = 0; i < all.count; i++)
		if (*all.items[i] != '.')
			strings_add(arena, out, all.items[i]);
	if (out->count)
		qsort(out->items, out->count, sizeof(out->items[0]), names_compare);
	return 0;
}

/* --- selection ---------------------------------------------------------------------------------------------------- */

static bool is_pattern(const char *text)
{
	return strpbrk(text, "*?[") != NULL;
}

static bool matches_any(const struct strings *patterns, const char *name)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (fnmatch(patterns->items[i], name, 0) == 0)
			return true;
	return patterns->count == 0;
}

/* "k": the label is there; "k=v": and has that value. */
static bool label_matches(const struct pairs *labels, const char *wanted)
{
	const char *equals = strchr(wanted, '=');
	size_t length = equals ? (size_t)(equals - wanted) : strlen(wanted);

	for (size_t i = 0; i < labels->count; i++) {
		const struct pair *label = &labels->items[i];

		if (strlen(label->name) == length && !memcmp(label->name, wanted, length))
			return !equals || text_equal(label->value, equals + 1);
	}
	return false;
}

static bool has_labels(const struct host *host, const char *name, const struct strings *wanted)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_instance instance = INSTANCE_EMPTY;
	struct instance_spec spec;
	struct error ignored;

	if (!wanted->count)
		return true;
	if (instance_find((struct host *)host, name, &instance, &ignored) < 0 ||
		instance_spec_load(&arena, instance.dir, name, &spec, &ignored) < 0)
		return false;
	for (size_t i = 0; i < wanted->count; i++)
		if (!label_matches(&spec.labels, wanted->items[i]))
			return false;
	return true;
}

/* A plain name that is not there is a mistake; a pattern that matches nothing is not. */
static int names_check(struct host *host, const struct strings *patterns, struct error *err)
{
	for (size_t i = 0; i < patterns->count; i++) {
		auto_instance instance = INSTANCE_EMPTY;

		if (!is_pattern(patterns->items[i]) && instance_find(host, patterns->items[i], &instance, err) < 0)
			return -1;
	}
	return 0;
}

int instance_select(struct arena *arena, struct host *host, const struct strings *patterns,
	const struct strings *labels, struct strings *names, struct error *err)
{
	struct strings all;

	*names = (struct strings){0};
	if (names_check(host, patterns, err) < 0 || instance_names(arena, host, &all, err) < 0)
		return -1;
	for (size_t i = 0; i < all.count; i++)
		if (matches_any(patterns, all.items[i]) && has_labels(host, all.items[i], labels))
			strings_add(arena, names, all.items[i]);
	return 0;
}
