#include "tests/end_to_end/support_ways.h"

#include <string.h>

#include "base/text.h"
#include "tests/test.h"

#define WORDS_MAX 32

const char *const way_names[] = {"run", "exec", "shell"};

void instance_start(struct playground *playground, const char *name)
{
	WARREN_OK(playground, "run", "-d", "--name", name, "-v", playground_probe_volume(playground), "host", "--",
		"sleep", "1000");
}

/* words…, then what `more` has between spaces */
static void words_add(struct playground *playground, const char **words, const char *more)
{
	struct strings parts = strings_split(&playground->arena, more, ' ');
	size_t count = 0;

	while (words[count])
		count++;
	cr_assert(count + parts.count < WORDS_MAX);
	for (size_t i = 0; i <= parts.count; i++)
		words[count + i] = i < parts.count ? parts.items[i] : NULL;
}

struct run_result probe_in(struct playground *playground, enum way way, const char *name, const char *probe,
	const struct run_options *options)
{
	const char *volume = playground_probe_volume(playground);
	const char *run[WORDS_MAX] = {"run", "--rm", "--name", "first", "-v", volume, "host", "--", PROBE};
	const char *exec[WORDS_MAX] = {"exec", name, PROBE};
	const char *shell[WORDS_MAX] = {"shell", name};
	const char *const *words[] = {run, exec, shell};
	struct run_options changed = options ? *options : (struct run_options){0};

	words_add(playground, run, probe);
	words_add(playground, exec, probe);
	if (way == BY_SHELL)
		changed.input = arena_format(&playground->arena, "exec /probe/test-end_to_end --probe %s\n", probe);
	return playground_warren(playground, words[way], &changed);
}

struct run_result probe_by(struct playground *playground, enum way way, const char *probe)
{
	return probe_in(playground, way, "inside", probe, NULL);
}

const char *value_of(struct playground *playground, const char *lines, const char *key)
{
	const char *line = arena_format(&playground->arena, "\n%s", lines);
	const char *found = strstr(line, arena_format(&playground->arena, "\n%s ", key));

	if (!found)
		return "";
	found += strlen(key) + 2;
	return arena_bytes(&playground->arena, found, strcspn(found, "\n"));
}

int count_of(const char *lines, const char *beginning)
{
	int count = 0;

	for (const char *at = lines; (at = strstr(at, beginning)); at++)
		count += at == lines || at[-1] == '\n';
	return count;
}
