#include <sched.h>

#include "base/cleanup.h"
#include "netns/netns.h"
#include "netns/table/ruleset.h"
#include "tests/test.h"

#define CHAIN(table, name, hook, policy)                                                                               \
	"table " table " {\nchain " name " {\ntype filter hook " hook " priority 0; policy " policy ";\n}\n}\n"

static struct strings drops(struct arena *arena, enum packet_way way)
{
	struct strings chains;
	struct error err;

	ASSERT_OK(net_foreign_drops(arena, way, &chains, &err));
	return chains;
}

TEST(foreign, finds_chains_that_drop_what_is_forwarded_and_no_others)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings chains;
	struct error err;

	NEEDS_ROOT();
	cr_assert(unshare(CLONE_NEWNET) == 0);
	cr_assert(drops(&arena, WAY_FORWARD).count == 0);
	ASSERT_OK(ruleset_text_load(
		CHAIN("ip filter", "FORWARD", "forward", "drop") CHAIN("inet wall", "f", "forward", "drop")
			CHAIN("inet wall", "g", "forward", "accept") CHAIN("ip filter", "INPUT", "input", "drop") CHAIN(
				"ip6 filter", "FORWARD", "forward", "drop") CHAIN("inet wall", "o", "output", "drop")
				CHAIN("inet warren", "forward", "forward", "drop"),
		&err));
	chains = drops(&arena, WAY_FORWARD);
	cr_assert(chains.count == 3 && strings_contain(&chains, "ip filter FORWARD") &&
			  strings_contain(&chains, "inet wall f") && strings_contain(&chains, "ip6 filter FORWARD"),
		"%zu chains", chains.count);
	chains = drops(&arena, WAY_INPUT);
	cr_assert(chains.count == 1 && strings_contain(&chains, "ip filter INPUT"));
	chains = drops(&arena, WAY_OUTPUT);
	cr_assert(chains.count == 1 && strings_contain(&chains, "inet wall o"));
	/* What the doctor advises is a rule that nft takes. */
	ASSERT_OK(ruleset_text_load("insert rule ip filter FORWARD iifgroup 30465-34559 accept\n"
				    "insert rule inet wall f oifgroup 30465-34559 accept\n",
		&err));
}

/* As firewalld ends its chains; a rule with a condition says nothing about instances. */
TEST(foreign, finds_chains_that_drop_by_a_rule_without_a_condition)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings chains;
	struct error err;
	static const struct {
		const char *rule;
		bool drops, optional; /* optional: kernels may lack its module */
	} rows[] = {
		{"counter drop", true, false},
		{"log prefix \"x\" drop", true, true},
		{"reject with icmpx admin-prohibited", true, true},
		{"ip saddr 192.0.2.1 drop", false, false},
		{"accept", false, false},
		{"ct state invalid counter drop", false, false},
		{"iifname \"lo\" accept", false, false},
	};

	NEEDS_ROOT();
	cr_assert(unshare(CLONE_NEWNET) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *text = arena_format(&arena,
			"table inet t%zu {\nchain c {\ntype filter hook forward priority 0; policy accept;\n%s\n}\n}\n",
			i, rows[i].rule);
		const char *chain = arena_format(&arena, "inet t%zu c", i);

		if (ruleset_text_load(text, &err) < 0) {
			cr_assert(rows[i].optional, "%s: %s", rows[i].rule, err.text);
			continue;
		}
		chains = drops(&arena, WAY_FORWARD);
		cr_assert(strings_contain(&chains, chain) == rows[i].drops, "%s", rows[i].rule);
	}
}
