#include <sched.h>

#include "base/cleanup.h"
#include "netns/netns.h"
#include "netns/ruleset.h"
#include "tests/test.h"

#define CHAIN(table, name, hook, policy)                                                                               \
	"table " table " {\nchain " name " {\ntype filter hook " hook " priority 0; policy " policy ";\n}\n}\n"

TEST(foreign, finds_chains_that_drop_what_is_forwarded_and_no_others)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings chains;
	struct error err;

	NEEDS_ROOT();
	cr_assert(unshare(CLONE_NEWNET) == 0);
	ASSERT_OK(net_foreign_drops(&arena, &chains, &err));
	cr_assert(chains.count == 0);
	ASSERT_OK(ruleset_text_load(CHAIN("ip filter", "FORWARD", "forward", "drop") CHAIN("inet wall", "f", "forward",
					    "drop") CHAIN("inet wall", "g", "forward", "accept") CHAIN("ip filter",
					    "INPUT", "input", "drop") CHAIN("ip6 filter", "FORWARD", "forward", "drop")
					    CHAIN("inet warren", "forward", "forward", "drop"),
		&err));
	ASSERT_OK(net_foreign_drops(&arena, &chains, &err));
	cr_assert(chains.count == 2 && strings_contain(&chains, "ip filter FORWARD") &&
			  strings_contain(&chains, "inet wall f"),
		"%zu chains", chains.count);
	/* What the doctor advises is a rule that nft takes. */
	ASSERT_OK(ruleset_text_load("insert rule ip filter FORWARD iifgroup 30465-34559 accept\n"
				    "insert rule inet wall f oifgroup 30465-34559 accept\n",
		&err));
}
