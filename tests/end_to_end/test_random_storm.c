/* Eight who type at once, ten minutes long, whatever comes to their minds, about fifty instances, a fleet and three
 * networks, while commands, monitors and first processes are killed at any moment. Every command does its work or says
 * why not; what was promised is there at the end; and when all is taken away nothing is left.
 *
 * What was promised: nobody ever removes the instances kept-…, and each of the eight has a label of his own on them.
 * What he set last and was told was done must be what is there. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "base/process.h"
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_remains.h"
#include "tests/end_to_end/support_victims.h"
#include "tests/end_to_end/support_weather.h"
#include "tests/test.h"

enum { PROCESSES = 8, NAMES = 50, KEPT = 3, NETWORKS = 3, VOLUMES = 3, FILES = 3 };
#define WORDS_MAX 16
#define STORM_MS 1000
#define FULL_STORM_MS 600000
#define FULL_WEATHER_MS 120000
#define KILL_EVERY_MS 150
#define SMALL_DISK "size=64M"

#define SLEEPER "\"image\": \"host\", \"command\": [\"sleep\", \"infinity\"], \"stop_grace_period\": 0"
#define SHOP(instances)                                                                                                \
	"{\"version\": 1, \"name\": \"shop\", \"networks\": {\"inside\": {}},\n\"instances\": {" instances "}}\n"
static const char *const fleets[FILES] = {
	SHOP("\"s\": {" SLEEPER ", \"replicas\": 5, \"network\": \"inside\", \"resources\": {\"pids\": 50}}"),
	SHOP("\"s\": {" SLEEPER ", \"replicas\": 3, \"network\": \"inside\", \"resources\": {\"pids\": 60}, "
	     "\"environment\": {\"A\": \"1\"}}, \"t\": {" SLEEPER ", \"ports\": [\"8090:80\"]}"),
	SHOP("\"s\": {" SLEEPER ", \"replicas\": 4}"),
};

/* What is shared with the test: each writes his own row. */
struct promise {
	int value; /* that he was told was set */
	int tried; /* a later one that may have been: its command was killed */
};

struct thrower {
	struct playground *here;
	unsigned number;
	uint64_t random;
	struct promise *promises; /* KEPT of them */
	unsigned counter;
	/* The words of the present command, and where made-up ones are kept. */
	const char *words[WORDS_MAX];
	size_t count;
	char texts[WORDS_MAX][96];
};

static unsigned dice(struct thrower *thrower, unsigned sides)
{
	thrower->random = thrower->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(thrower->random >> 33) % sides;
}

/* --- what can come to one's mind ---------------------------------------------------------------------------------- */

/* In it, NAME stands for one of the fifty, ANY for that, for one of the kept or of the fleet; the others as they say.
 */
static const char *const commands[] = {
	"run -d --name NAME --network none --restart always host sleep 1000",
	"run -d --name NAME host sleep 1000",
	"run -d --name NAME --network NETWORK -p PORT:80 --stop-timeout 0s host sleep 1000",
	"run -d --rm --name NAME --network none host sleep 0.05",
	"create --name NAME --network NETWORK host sleep 1000",
	"start ANY",
	"start NAME NAME NAME",
	"stop -t 0s ANY",
	"stop -t 0s NAME NAME",
	"restart -t 0s ANY",
	"kill ANY",
	"kill -s TERM NAME",
	"pause ANY",
	"resume ANY",
	"rm NAME",
	"rm -f NAME",
	"rm -f NAME NAME",
	"rename NAME NAME",
	"exec ANY true",
	"exec -w /tmp ANY sh -c sleep\\ 0.05",
	"set --pids-limit NUMBER ANY",
	"set --memory 64M --label-add a=NUMBER NAME",
	"set -p PORT:80 NAME",
	"set --publish-rm 80 NAME",
	"set --restart always NAME",
	"set --allow-restart environment.A=NUMBER NAME",
	"snapshot create NAME one",
	"snapshot restore NAME one",
	"snapshot rm NAME one",
	"clone NAME NAME",
	"image prune",
	"network create NETWORK",
	"network rm NETWORK",
	"network prune --force",
	"network set NETWORK --isolated yes",
	"apply -q FILE",
	"apply -q FILE",
	"apply -q -j 3 FILE",
	"plan FILE",
	"rollback -q shop",
	"down -q shop",
	"stop -t 0s s-1 s-2 s-3",
	"rm -f s-2 t",
	"list --json",
	"stats --no-stream",
	"inspect ANY",
	"logs ANY",
	"usage",
	"why ANY",
	"capacity",
	"run -d --name NAME --network none --restart always --health-cmd true --health-interval 200ms host sleep 1000",
	"run -d --name NAME --network NETWORK --idle 1s -p PORT:80 --stop-timeout 0s host sleep 1000",
	"run -d --name NAME --network none -v VOLUME:/data --disk 20M host sleep 1000",
	"run -d --name NAME --pull never --network none --stop-timeout 0s made:NUMBER sleep 1000",
	"run -d --name NAME --network none --stop-timeout 0s base:1 sleep 1000",
	"run -d --name NAME --network NETWORK --ephemeral --stop-timeout 0s base:1 sleep 1000",
	"run -d --name NAME --network shared:NAME host sleep 1000",
	"commit -q NAME made:NUMBER",
	"image rm made:NUMBER",
	"cp FILE ANY:/tmp/here",
	"cp ANY:/etc/hostname -",
	"export --delta -o OUT NAME",
	"volume rm VOLUME",
	"volume prune",
	"volume list",
	"network list",
	"network set NETWORK --label a=NUMBER",
	"network set NETWORK --add-subnet 10.NUMBER.0.0/16",
	"set --egress 10M --ingress none NAME",
	"set idle=2s NAME",
	"set --health-interval 1s NAME",
	"set --disk 30M NAME",
	"set --memory none --cpus 0.5 ANY",
	"healthcheck run ANY",
	"check",
	"check --repair",
	"boot",
	"history shop",
	"restart -t 0s NAME NAME ANY",
	"rollback -q shop 1",
};

/* What a word stands for. */
static void kind_fill(struct thrower *thrower, const char *kind, char text[64])
{
	static const char *const fleet[] = {"s-1", "s-2", "s-3", "s-4", "s-5", "t"};
	unsigned any = dice(thrower, 4);

	if (!strcmp(kind, "NAME") || (!strcmp(kind, "ANY") && any < 2))
		snprintf(text, 64, "i-%u", dice(thrower, NAMES));
	else if (!strcmp(kind, "ANY") && any == 2)
		snprintf(text, 64, "kept-%u", dice(thrower, KEPT));
	else if (!strcmp(kind, "ANY"))
		snprintf(text, 64, "%s", fleet[dice(thrower, ARRAY_SIZE(fleet))]);
	else if (!strcmp(kind, "NETWORK"))
		snprintf(text, 64, "net-%u", dice(thrower, NETWORKS));
	else if (!strcmp(kind, "VOLUME"))
		snprintf(text, 64, "vol-%u", dice(thrower, VOLUMES));
	else if (!strcmp(kind, "OUT"))
		snprintf(text, 64, "%s/out", thrower->here->directory.path);
	else if (!strcmp(kind, "FILE"))
		snprintf(text, 64, "%s/shop-%u.json", thrower->here->directory.path, dice(thrower, FILES));
	else
		snprintf(text, 64, "%u", (!strcmp(kind, "PORT") ? 20000 : 20) + dice(thrower, 20));
}

/* Words of which a part stands for something: "PORT:80", "a=NUMBER". */
static void word_fill(struct thrower *thrower, const char *word, size_t length, char text[96])
{
	static const char *const kinds[] = {"NAME", "ANY", "NETWORK", "VOLUME", "OUT", "FILE", "PORT", "NUMBER"};
	char whole[96], meant[64];

	snprintf(whole, sizeof(whole), "%.*s", (int)length, word);
	for (char *space = strstr(whole, "\\ "); space; space = strstr(whole, "\\ "))
		memmove(space, space + 1, strlen(space));
	snprintf(text, 96, "%s", whole);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *part = strstr(whole, kinds[i]);

		if (!part)
			continue;
		kind_fill(thrower, kinds[i], meant);
		snprintf(text, 96, "%.*s%s%s", (int)(part - whole), whole, meant, part + strlen(kinds[i]));
		return;
	}
}

static void command_make(struct thrower *thrower, const char *line)
{
	thrower->count = 0;
	while (*line && thrower->count < WORDS_MAX - 1) {
		const char *end = line;

		while (*end && (*end != ' ' || end[-1] == '\\'))
			end++;
		word_fill(thrower, line, (size_t)(end - line), thrower->texts[thrower->count]);
		thrower->words[thrower->count] = thrower->texts[thrower->count];
		thrower->count++;
		line = *end ? end + 1 : end;
	}
	thrower->words[thrower->count] = NULL;
}

/* --- throwing ----------------------------------------------------------------------------------------------------- */

/* 0, busy and missing are answers. So is a plan that has something to do, a program that somebody killed, and what a
 * kill of a monitor, of a first process or of what an apply has just started leads to. */
static bool is_answer(const struct thrower *thrower, const struct run_result *run)
{
	static const char *const said[] = {"died while starting it", "first process died", "Connection reset by peer",
		"ended right after its start", "there are no ports to publish", "is published twice",
		"has no image of the store below it", "has no health check", "nobody can see who calls it",
		"overlaps 10.", "is published by", "because it has snapshots", "is ephemeral",
		"it shares the network of", "No space left on device", "no space", "Cannot allocate memory",
		"project quotas", "no link of its own to limit"};
	bool is_exec = !strcmp(thrower->words[0], "exec");

	if (run->status == 0 || run->status == 3 || run->status == 4 || (is_exec && run->status >= 125))
		return true;
	if (!strcmp(thrower->words[0], "plan") && run->status == 2)
		return true;
	/* They say how others are. */
	if (run->status == 1 && (!strcmp(thrower->words[0], "healthcheck") || !strcmp(thrower->words[0], "check")) &&
		!*run->err)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(said); i++)
		if (strstr(run->err, said[i]))
			return true;
	return false;
}

static void blame_command(const struct thrower *thrower, const struct run_result *run)
{
	fprintf(stderr, "status %d%s:", run->status, run->timed_out ? " (did not end)" : "");
	for (size_t i = 0; i < thrower->count; i++)
		fprintf(stderr, " %s", thrower->words[i]);
	fprintf(stderr, "\n%s", run->err);
}

/* One of ten is killed. False: it went wrong. */
static bool throw_one(struct thrower *thrower)
{
	bool is_killed = dice(thrower, 10) == 0;
	struct run_options options = {.timeout_ms = is_killed ? 1 + dice(thrower, 100) : SLOWLY(60000)};

	command_make(thrower, commands[dice(thrower, ARRAY_SIZE(commands))]);
	auto_run run = playground_warren(thrower->here, thrower->words, &options);
	if ((is_killed && run.timed_out) || (!run.timed_out && is_answer(thrower, &run)))
		return true;
	blame_command(thrower, &run);
	return false;
}

static bool throw_promise(struct thrower *thrower)
{
	unsigned kept = dice(thrower, KEPT);
	struct promise *promise = &thrower->promises[kept];
	bool is_killed = dice(thrower, 4) == 0;
	struct run_options options = {.timeout_ms = is_killed ? 1 + dice(thrower, 50) : SLOWLY(60000)};

	command_make(thrower, "set -q --label-add KEY kept");
	snprintf(thrower->texts[3], 96, "by-%u=%u", thrower->number, ++thrower->counter);
	snprintf(thrower->texts[4], 96, "kept-%u", kept);
	promise->tried = (int)thrower->counter;
	auto_run run = playground_warren(thrower->here, thrower->words, &options);
	if (run.status == 0 && !run.timed_out)
		promise->value = promise->tried;
	if (run.timed_out ? is_killed : is_answer(thrower, &run))
		return true;
	blame_command(thrower, &run);
	return false;
}

/* Told by whoever looks for something: how long, and another order of things. */
static int64_t number_from(const char *name, int64_t otherwise)
{
	const char *text = getenv(name);

	return text ? atoll(text) : otherwise;
}

static _Noreturn void thrower_main(struct playground *here, unsigned number, int64_t end_ms, struct promise *promises)
{
	uint64_t seed = 88172645463325252u + (uint64_t)number_from("WARREN_STORM_SEED", 0) * 7919u;
	struct thrower thrower = {
		.here = here, .number = number, .random = seed + number * 1000003u, .promises = promises};
	bool well = true;

	while (clock_ms() < end_ms)
		well &= dice(&thrower, 8) ? throw_one(&thrower) : throw_promise(&thrower);
	_exit(!well);
}

/* How many of them met a command that failed otherwise than by being refused. */
static unsigned storm(struct playground *here, int64_t length_ms, const struct weather *weather,
	struct promise promises[PROCESSES][KEPT])
{
	int64_t end_ms = clock_ms() + length_ms;
	pid_t pids[PROCESSES], pid;
	unsigned running = PROCESSES, wrong = 0, tick = 0;
	int status;

	for (unsigned i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		cr_assert(pids[i] >= 0);
		if (pids[i] == 0)
			thrower_main(here, i, end_ms, promises[i]);
	}
	while (running) {
		poll(NULL, 0, KILL_EVERY_MS);
		if (clock_ms() < end_ms)
			victim_kill(here->parent, (unsigned)clock_ms());
		weather_change(here, weather, tick++);
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			for (unsigned i = 0; i < PROCESSES; i++)
				if (pids[i] == pid) {
					running--;
					wrong += status != 0;
				}
	}
	weather_change(here, weather, 0);
	return wrong;
}

/* --- afterwards --------------------------------------------------------------------------------------------------- */

static struct run_result say(const struct playground *here, const char *const *words)
{
	remains_reap();
	return playground_warren(here, words, &(struct run_options){.reaps = true, .timeout_ms = SLOWLY(120000)});
}

#define SAY(here, ...) say(here, (const char *const[]){__VA_ARGS__, NULL})
#define SAY_OK(here, ...)                                                                                              \
	do {                                                                                                           \
		auto_run said = SAY(here, __VA_ARGS__);                                                                \
		cr_assert(said.status == 0, "status %d: %s%s", said.status, said.out, said.err);                       \
	} while (0)

static const struct json *labels_of(struct playground *here, unsigned kept)
{
	const char *name = arena_format(&here->arena, "kept-%u", kept);
	auto_run run = SAY(here, "inspect", name);
	struct json_doc doc;
	struct error err;

	cr_assert(run.status == 0, "%s is lost: %s", name, run.err);
	ASSERT_OK(json_parse(&here->arena, "inspect", run.out, run.out_length, JSON_PLAIN, &doc, &err));
	return json_get(json_get(doc.root->first, "spec"), "labels");
}

static void expect_promises(struct playground *here, struct promise promises[PROCESSES][KEPT])
{
	for (unsigned kept = 0; kept < KEPT; kept++) {
		const struct json *labels = labels_of(here, kept);

		for (unsigned i = 0; i < PROCESSES; i++) {
			const struct promise *promise = &promises[i][kept];
			const struct json *label =
				!labels ? NULL : json_get(labels, arena_format(&here->arena, "by-%u", i));
			int value = label && label->text ? atoi(label->text) : 0;

			cr_assert(value >= promise->value && value <= promise->tried,
				"kept-%u has %d of process %u, who was told that it has %d (and tried %d)", kept, value,
				i, promise->value, promise->tried);
		}
	}
}

/* What only a monitor's killer left is put right, and then nothing is found; a killed apply is gone on with. */
static void expect_clean(struct playground *here)
{
	const char *file = arena_format(&here->arena, "%s/shop-0.json", here->directory.path);

	SAY_OK(here, "apply", "-q", file);
	SAY_OK(here, "plan", file);
	auto_run repaired = SAY(here, "check", "--repair");
	fprintf(stderr, "%s", repaired.out);
	cr_assert(repaired.status == 0, "not repaired: %s%s", repaired.out, repaired.err);
	auto_run check = SAY(here, "check");
	cr_assert(check.status == 0 && !*check.out, "after the repair: %s%s", check.out, check.err);
	auto_run list = SAY(here, "list");
	cr_assert(!strstr(list.out, "damaged"), "%s", list.out);
}

static void all_remove(struct playground *here)
{
	auto_run down = SAY(here, "down", "-q", "shop");
	cr_assert(down.status == 0 || down.status == 3, "%s", down.err);
	SAY_OK(here, "rm", "-f", "--all");
	for (int i = 0; i < NETWORKS; i++) {
		auto_run removed = SAY(here, "network", "rm", arena_format(&here->arena, "net-%d", i));
		cr_assert(removed.status == 0 || removed.status == 3, "%s", removed.err);
	}
	for (int i = 0; i < VOLUMES; i++) {
		auto_run removed = SAY(here, "volume", "rm", arena_format(&here->arena, "vol-%d", i));
		cr_assert(removed.status == 0 || removed.status == 3, "%s", removed.err);
	}
	SAY_OK(here, "image", "prune", "--all");
}

/* A small root of the store, of which images can be made. */
static void base_import(struct playground *here)
{
	static const char script[] =
		"cd \"$1\"; mkdir -p base/bin base/etc base/tmp; cp \"$(command -v busybox)\" base/bin/busybox\n"
		"for name in sh sleep true; do ln -sf busybox base/bin/$name; done\n"
		"echo storm > base/etc/hostname; tar -C base -cf base.tar .";
	auto_run made = RUN("sh", "-ec", script, "sh", here->directory.path);

	cr_assert(made.status == 0, "%s", made.err);
	SAY_OK(here, "image", "import", arena_format(&here->arena, "%s/base.tar", here->directory.path), "base:1");
}

/* Everything that a host keeps once it has had it. */
static char *before_take(struct playground *here)
{
	remains_adopt();
	SAY_OK(here, "apply", "-q", arena_format(&here->arena, "%s/shop-1.json", here->directory.path));
	SAY_OK(here, "network", "create", "net-0");
	base_import(here);
	SAY_OK(here, "run", "-d", "--name", "i-2", "--network", "none", "-v", "vol-0:/data", "base:1", "sleep", "1000");
	SAY_OK(here, "commit", "i-2", "made:1");
	SAY_OK(here, "run", "-d", "--name", "i-1", "--network", "net-0", "host", "sleep", "1000");
	SAY_OK(here, "check", "--repair");
	all_remove(here);
	return remains_describe(here->root, here->parent);
}

static void kept_make(struct playground *here)
{
	for (int i = 0; i < KEPT; i++)
		SAY_OK(here, "run", "-d", "--name", arena_format(&here->arena, "kept-%d", i), "--restart", "always",
			"host", "sleep", "1000");
}

static void files_write(struct playground *here)
{
	for (int i = 0; i < FILES; i++)
		run_write_file(here->directory.path, arena_format(&here->arena, "shop-%d.json", i), 0600, fleets[i]);
}

static void expect_storm(struct playground *here, const struct weather *weather, int64_t full_ms)
{
	int64_t length_ms = number_from("WARREN_STORM_MS", getenv("WARREN_TEST_ALL_POINTS") ? full_ms : STORM_MS);
	size_t size = sizeof(struct promise) * PROCESSES * KEPT;
	struct promise(*promises)[KEPT] = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert(promises != MAP_FAILED);
	files_write(here);
	auto_free char *before = before_take(here);
	kept_make(here);
	base_import(here);
	unsigned wrong = storm(here, length_ms, weather, promises);
	expect_clean(here);
	expect_promises(here, promises);
	all_remove(here);
	auto_free char *difference = remains_await(here->root, here->parent, before);
	if (difference)
		remains_end();
	cr_assert(!difference, "%s", difference);
	munmap(promises, size);
	cr_assert(wrong == 0, "%u of %d met a command that failed otherwise than by being refused", wrong, PROCESSES);
}

TEST(fleet_storm, of_commands_and_kills_loses_nothing_and_leaves_nothing, .fini = playground_rescue,
	.timeout = SLOWLY(1500))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground here = playground_new();

	expect_storm(&here, &(struct weather){0}, FULL_STORM_MS);
}

TEST(fleet_storm, on_a_disk_that_is_full_and_with_little_memory_neither, .fini = playground_rescue,
	.timeout = SLOWLY(1500))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground here = playground_new();

	remains_adopt(); /* and a mount table of our own */
	cr_assert(mount("storm", here.root, "tmpfs", 0, SMALL_DISK) == 0, "%s", strerror(errno));
	expect_storm(&here, &(struct weather){.has_small_disk = true, .has_little_memory = true}, FULL_WEATHER_MS);
	WARREN_OK(&here, "rm", "-f", "--all");
	cr_assert(umount2(here.root, MNT_DETACH) == 0);
}
