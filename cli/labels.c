/* "KEY=VALUE" of --label, for what is no instance: a key alone has an empty value. */
#include <string.h>

#include "cli/cli.h"

void labels_fill(struct arena *arena, const struct strings *words, struct pairs *out)
{
	for (size_t i = 0; i < words->count; i++) {
		const char *equals = strchr(words->items[i], '=');
		size_t length = strcspn(words->items[i], "=");

		pairs_set(arena, out, arena_bytes(arena, words->items[i], length), equals ? equals + 1 : "");
	}
}

const char *labels_text(struct arena *arena, const struct pairs *labels)
{
	const char *text = "";

	for (size_t i = 0; i < labels->count; i++)
		text = arena_format(
			arena, "%s%s%s=%s", text, *text ? "," : "", labels->items[i].name, labels->items[i].value);
	return text;
}
