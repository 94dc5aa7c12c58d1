/* Whoever comes from docker or LXC types what the fingers know. Where the meaning is the same the word is taken,
 * options and all; where it is not, the answer names the way that there is. They are in no help and no completion: what
 * is learned here are our own words. */
#include "cli/foreign.h"

#include <string.h>

#include "base/process.h"

static const struct {
	const char *word, *ours[2]; /* no words of ours: it is dropped */
} same[] = {
	{"attach", {"logs", "--follow"}},
	{"container", {NULL}},
	{"images", {"image", "list"}},
	{"import", {"image", "import"}},
	{"load", {"image", "import"}},
	{"ls", {"list"}},
	{"pull", {"image", "pull"}},
	{"rmi", {"image", "rm"}},
	{"save", {"image", "export"}},
	{"tag", {"image", "tag"}},
	{"unpause", {"resume"}},
	{"update", {"set"}},
	{"freeze", {"pause"}},
	{"unfreeze", {"resume"}},
	{"destroy", {"rm"}},
};

static const struct {
	const char *word, *instead;
} other[] = {
	{"build", "build images with any builder, and bring them by \"warren image import\""},
	{"compose", "a fleet file does that: \"warren init\", \"warren apply\""},
	{"console", "\"warren shell NAME\" is a terminal inside, \"warren logs -f NAME\" what it writes"},
	{"info", "\"warren doctor\" tells about this host, \"warren capacity\" what is left of it"},
	{"login", "see docs/registries.md: the files of docker and podman with credentials are read"},
	{"logout", "see docs/registries.md: the files of docker and podman with credentials are read"},
	{"push", "write it with \"warren image export\" and let another tool push that"},
	{"search", "registries have pages for that; \"warren image pull NAME\" fetches"},
	{"service", "an instance with \"replicas\" in a fleet file is that: \"warren init\", \"warren apply\""},
	{"stack", "a fleet file does that: \"warren init\", \"warren apply\""},
	{"system", "\"warren image prune\" and \"warren volume prune\" give space back, \"warren network prune\" "
		   "removes networks, \"warren check\" looks for what is left over"},
	{"uninstall", "\"warren down FLEET\" and \"warren rm --all\" remove what runs"},
	{"version", "\"warren --version\""},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void words_replace(struct arena *arena, const char *const ours[2], int *argc, char ***argv)
{
	char **words = arena_new_array(arena, (size_t)*argc + 2, char *);
	int count = 0;

	for (size_t i = 0; i < 2 && ours[i]; i++)
		words[count++] = (char *)arena_string(arena, ours[i]);
	for (int i = 1; i < *argc; i++)
		words[count++] = (*argv)[i];
	*argv = words;
	*argc = count;
}

int foreign_translate(struct arena *arena, int *argc, char ***argv, struct error *err)
{
	const char *word = (*argv)[0];

	for (size_t i = 0; i < COUNT(other); i++)
		if (!strcmp(word, other[i].word))
			return fail(err, ERROR_USAGE, "no command %s; %s", word, other[i].instead);
	for (size_t i = 0; i < COUNT(same); i++)
		if (!strcmp(word, same[i].word) && (same[i].ours[0] || *argc > 1)) {
			words_replace(arena, same[i].ours, argc, argv);
			return same[i].ours[0] ? 0 : foreign_translate(arena, argc, argv, err);
		}
	return 0;
}

/* --- behind our own commands -------------------------------------------------------------------------------------- */

/* "-9" and "-HUP", as with kill(1). Letters that are options here name no signal. */
static void signal_adapt(struct arena *arena, int *argc, char ***argv)
{
	char **words = *argv;
	struct error ignored;
	int number;

	for (int i = 1; i < *argc && strcmp(words[i], "--") != 0; i++)
		if (words[i][0] == '-' && signal_parse(words[i] + 1, &number, &ignored) == 0)
			words[i] = (char *)arena_format(arena, "--signal=%d", number);
}

/* A name or an option behind the group's word: it has one member only. */
static void healthcheck_adapt(struct arena *arena, int *argc, char ***argv)
{
	static const char *const ours[2] = {"healthcheck", "run"};
	const char *word = *argc > 1 ? (*argv)[1] : NULL;

	static const char *const own[] = {"run", "help", "--help", "-h"};

	for (size_t i = 0; i < COUNT(own); i++)
		if (!word || !strcmp(word, own[i]))
			return;
	words_replace(arena, ours, argc, argv);
}

static const struct {
	const char *command;
	void (*adapt)(struct arena *arena, int *argc, char ***argv);
} adapted[] = {{"kill", signal_adapt}, {"healthcheck", healthcheck_adapt}};

void foreign_adapt(struct arena *arena, int *argc, char ***argv)
{
	for (size_t i = 0; i < COUNT(adapted); i++)
		if (!strcmp((*argv)[0], adapted[i].command)) {
			adapted[i].adapt(arena, argc, argv);
			return;
		}
}
