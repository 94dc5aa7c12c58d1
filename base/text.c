/* Growable text, lists of strings, pairs, and UTF-8. */
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A name, or more than malloc(3) keeps for the next one of that size (1032 bytes): what it keeps are pages of a heap. */
static size_t capacity_for(size_t needed)
{
	size_t capacity = needed <= 64 ? 64 : 2048;

	while (capacity < needed)
		capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
	return capacity;
}

static void text_reserve(struct text *text, size_t more)
{
	size_t needed;

	if (__builtin_add_overflow(text->length, more, &needed) || __builtin_add_overflow(needed, 1, &needed))
		memory_exhausted();
	if (text->data && needed <= text->capacity)
		return;
	text->capacity = capacity_for(needed);
	text->data = realloc(text->data, text->capacity);
	if (!text->data)
		memory_exhausted();
}

void text_append_bytes(struct text *text, const char *bytes, size_t length)
{
	text_reserve(text, length);
	if (length)
		memcpy(text->data + text->length, bytes, length);
	text->length += length;
	text->data[text->length] = '\0';
}

void text_append(struct text *text, const char *string)
{
	text_append_bytes(text, string, strlen(string));
}

void text_appendv(struct text *text, const char *format, va_list args)
{
	va_list again;
	int length;

	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	assert(length >= 0);
	text_reserve(text, (size_t)length);
	vsnprintf(text->data + text->length, (size_t)length + 1, format, args);
	text->length += (size_t)length;
}

void text_appendf(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_appendv(text, format, args);
	va_end(args);
}

const char *text_string(const struct text *text)
{
	return text->data ? text->data : "";
}

void text_clear(struct text *text)
{
	text->length = 0;
	if (text->data)
		text->data[0] = '\0';
}

void text_drop(struct text *text)
{
	int saved = errno;

	free(text->data);
	*text = (struct text){0};
	errno = saved;
}

char *text_format(const char *format, ...)
{
	struct text text = {0};
	va_list args;

	va_start(args, format);
	text_appendv(&text, format, args);
	va_end(args);
	return text.data;
}

/* Lists have no member for their capacity, and callers may fill in items by hand. What was allocated here is therefore
 * marked in front: only a marked array may have room behind its last item, any other is copied before it grows. */
struct room {
	uintptr_t mark; /* the address of the items, turned around */
	size_t capacity;
};

static bool has_room(const struct arena *arena, const void *items, size_t needed)
{
	const struct room *room;

	if (!items || !arena_holds(arena, (const char *)items - sizeof(*room)))
		return false;
	room = (const struct room *)items - 1;
	return room->mark == ~(uintptr_t)items && needed <= room->capacity;
}

/* Gives the items with room for `needed` of them, moved when there was none. */
static void *grow(struct arena *arena, void *items, size_t count, size_t needed, size_t size)
{
	size_t capacity = needed < 4 ? 4 : needed * 2;
	struct room *room;

	if (has_room(arena, items, needed))
		return items;
	room = arena_alloc(arena, sizeof(*room) + capacity * size);
	*room = (struct room){.mark = ~(uintptr_t)(room + 1), .capacity = capacity};
	if (count)
		memcpy(room + 1, items, count * size);
	return room + 1;
}

void strings_add(struct arena *arena, struct strings *list, const char *item)
{
	/* One for the item, one for the NULL at the end. */
	list->items = grow(arena, list->items, list->count, list->count + 2, sizeof(*list->items));
	list->items[list->count++] = item;
	list->items[list->count] = NULL;
}

bool strings_contain(const struct strings *list, const char *item)
{
	for (size_t i = 0; i < list->count; i++)
		if (text_equal(list->items[i], item))
			return true;
	return false;
}

struct strings strings_split(struct arena *arena, const char *text, char separator)
{
	struct strings list = {0};

	for (;;) {
		const char *end = strchrnul(text, separator);

		strings_add(arena, &list, arena_bytes(arena, text, (size_t)(end - text)));
		if (!*end)
			return list;
		text = end + 1;
	}
}

void pairs_set(struct arena *arena, struct pairs *pairs, const char *name, const char *value)
{
	for (size_t i = 0; i < pairs->count; i++) {
		if (!strcmp(pairs->items[i].name, name)) {
			pairs->items[i].value = value;
			return;
		}
	}
	pairs->items = grow(arena, pairs->items, pairs->count, pairs->count + 1, sizeof(*pairs->items));
	pairs->items[pairs->count++] = (struct pair){name, value};
}

const char *pairs_get(const struct pairs *pairs, const char *name)
{
	for (size_t i = 0; i < pairs->count; i++)
		if (!strcmp(pairs->items[i].name, name))
			return pairs->items[i].value;
	return NULL;
}

bool text_starts_with(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

bool text_ends_with(const char *text, const char *suffix)
{
	size_t length = strlen(text), suffix_length = strlen(suffix);

	return length >= suffix_length && !strcmp(text + length - suffix_length, suffix);
}

bool text_equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

size_t utf8_length(const char *bytes, size_t length)
{
	const unsigned char *b = (const unsigned char *)bytes;
	size_t size = b[0] < 0x80 ? 1 : b[0] < 0xc2 ? 0 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : b[0] < 0xf5 ? 4 : 0;

	if (size > length)
		return 0;
	for (size_t i = 1; i < size; i++)
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	if (size == 3 && ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f)))
		return 0;
	if (size == 4 && ((b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] > 0x8f)))
		return 0;
	return size;
}
