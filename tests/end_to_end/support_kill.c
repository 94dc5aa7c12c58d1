#include "tests/end_to_end/support_kill.h"

#include "base/text.h"

#define FLEET(instances)                                                                                               \
	"{\"version\": 1, \"name\": \"shop\", \"networks\": {\"inside\": {}},\n\"instances\": {" instances "}}\n"
#define SLEEP                                                                                                          \
	"\"image\": \"host\", \"command\": [\"sleep\", \"1000\"], \"network\": \"inside\", \"stop_grace_period\": 0"
/* Nobody waits to see whether it stays well. */
#define SOON "\"monitor\": \"100ms\""
/* Who leads a port to somebody waits until that one listens. */
#define SERVE                                                                                                          \
	"\"image\": \"host\", \"command\": [\"busybox\", \"httpd\", \"-f\", \"-p\", \"80\"], \"network\": "            \
	"\"inside\", "                                                                                                 \
	"\"stop_grace_period\": 0"
/* Two that share a port, one changed after the other. */
#define PAIR SERVE ", \"replicas\": 2, \"ports\": [\"8095:80\"], \"update\": {\"parallel\": 1, " SOON "}"
/* Those who have come are waited for. */
#define DRAINED                                                                                                        \
	SERVE ", \"replicas\": 2, \"ports\": [\"8095:80\"], \"update\": {\"parallel\": 1, \"drain\": \"300ms\", " SOON \
	      "}"
/* One that nobody misses: the next one takes over its port. */
#define SITE SERVE ", \"read_only\": true, \"ports\": [\"8096:80\"], \"update\": {" SOON "}"
#define ENVIRONMENT(value) ", \"environment\": {\"A\": \"" value "\"}"
/* An image of the store, which asks for a volume. */
#define VOLUMED                                                                                                        \
	"\"image\": \"made:1\", \"command\": [\"/bin/busybox\", \"sleep\", \"1000\"], \"network\": \"none\", "         \
	"\"stop_grace_period\": 0"
#define ALL                                                                                                            \
	SLEEP ", \"ports\": [\"8097:80\", \"8098:81/udp\"], \"volumes\": [\"data:/data\", \"./volume:/host\"], "       \
	      "\"configs\": [{\"source\": \"FLEET.json\", \"target\": \"/etc/it.json\"}], \"tmpfs\": [\"/srv\"], "     \
	      "\"healthcheck\": {\"test\": [\"CMD\", \"true\"], \"interval\": \"1s\"}, \"labels\": {\"a\": \"b\"}, "   \
	      "\"resources\": {\"memory\": \"64M\", \"pids\": 50, \"cpus\": 1, \"egress\": \"50M\"}, "                 \
	      "\"restart\": \"always\""

static const struct {
	const char *name, *text;
} fleets[] = {
	{"FLEET", FLEET("\"a\": {" SLEEP ", \"replicas\": 3}")},
	/* Some go, one comes. */
	{"OTHER", FLEET("\"a\": {" SLEEP ENVIRONMENT("1") ", \"resources\": {\"pids\": 60}}")},
	{"PAIR", FLEET("\"a\": {" PAIR "}")},
	{"LIVE", FLEET("\"a\": {" PAIR ", \"resources\": {\"pids\": 60}, \"labels\": {\"a\": \"b\"}}")},
	{"RESTART", FLEET("\"a\": {" PAIR ENVIRONMENT("2") "}")},
	{"RECREATE", FLEET("\"a\": {" PAIR ", \"etc_from_host\": [\"/etc/services\"]}")},
	{"DRAINED", FLEET("\"a\": {" DRAINED "}")},
	{"DRAINED-2", FLEET("\"a\": {" DRAINED ENVIRONMENT("2") "}")},
	{"SITE", FLEET("\"a\": {" SITE "}")},
	{"ROLLED", FLEET("\"a\": {" SITE ENVIRONMENT("2") "}")},
	{"VOLUMED", FLEET("\"a\": {" VOLUMED "}")},
	{"ALL", "{\"version\": 1, \"name\": \"shop\", \"networks\": {\"inside\": {}}, \"volumes\": {\"data\": {}},\n"
		"\"instances\": {\"a\": {" ALL "}}}\n"},
};

static void sweep_word(struct sweep *sweep, const char *word, const char *put)
{
	for (size_t i = 0; i + 2 < SWEEP_WORDS; i += 2)
		if (!sweep->words[i]) {
			sweep->words[i] = word;
			sweep->words[i + 1] = put;
			return;
		}
	cr_assert(false, "more words than %d", SWEEP_WORDS);
}

static void fleets_write(struct sweep *sweep, struct playground *playground)
{
	for (size_t i = 0; i < ARRAY_SIZE(fleets); i++) {
		const char *name = arena_format(&playground->arena, "%s.json", fleets[i].name);

		run_write_file(playground->directory.path, name, 0600, fleets[i].text);
		sweep_word(sweep, fleets[i].name,
			arena_format(&playground->arena, "%s/%s", playground->directory.path, name));
	}
}

/* The smallest root in which something can run. */
static void tree_make(const char *directory)
{
	auto_run made =
		RUN("sh", "-ec", "mkdir -p $1/tree/bin; cp $(command -v busybox) $1/tree/bin/busybox", "sh", directory);

	cr_assert(made.status == 0, "%s", made.err);
}

void sweep_warren(struct sweep sweep)
{
	auto_playground playground = playground_new();
	const char *directory = playground.directory.path;
	const char *const program[] = {
		sweep_program(), "--root", playground.root, "--cgroup-parent", playground.parent};

	run_write_file(directory, "volume/file", 0600, "");
	tree_make(directory);
	sweep_word(&sweep, "VOLUME", arena_format(&playground.arena, "%s/volume:/data", directory));
	sweep_word(&sweep, "dir:HOME", arena_format(&playground.arena, "dir:%s/volume", directory));
	sweep_word(&sweep, "dir:TREE", arena_format(&playground.arena, "dir:%s/tree", directory));
	fleets_write(&sweep, &playground);
	memcpy(sweep.program, program, sizeof(program));
	sweep.state = playground.root;
	sweep.cgroup = playground.parent;
	sweep.list[0] = "list";
	sweep.list[1] = "--json";
	sweep.state_key = "state";
	sweep.missing_status = 3;
	sweep_run(&sweep);
}
