/* The same as test_kill.c for what instances have in common: networks, volumes and images, while some use them. */
#include "tests/end_to_end/support_kill.h"

/* --- networks ----------------------------------------------------------------------------------------------------- */

#define NETWORK                                                                                                        \
	{                                                                                                              \
		"network", "create", "n"                                                                               \
	}
#define NO_NETWORK                                                                                                     \
	{                                                                                                              \
		"network", "rm", "n"                                                                                   \
	}
KILL_TEST(network_create, .command = NETWORK, .again = NETWORK, .clear = NO_NETWORK, .states = "", .width = 20)
KILL_TEST(network_rm, .before = NETWORK, .command = NO_NETWORK, .again = NETWORK, .clear = NO_NETWORK, .states = "",
	.width = 20)
#define WITH_NETWORK .before = NETWORK, .again = NETWORK, .clear = NO_NETWORK
KILL_TEST(network_set, WITH_NETWORK, .command = {"network", "set", "--isolated", "yes", "--service", "udp/53", "n"},
	.next = {"network", "set", "--isolated", "no", "n"}, .states = "", .width = 20)

/* One that runs in it, another that it is about. */
#define RUN_IN_NETWORK                                                                                                 \
	{                                                                                                              \
		"run", "-d", "--name", "a", "--network", "n", "-p", "8091:80", "host", "sleep", "1000"                 \
	}
#define IN_NETWORK                                                                                                     \
	.once = {NETWORK}, .before = RUN_IN_NETWORK, .again = RUN_IN_NETWORK, .rare = true, .clear = REMOVE,           \
	.states = ENDING
KILL_TEST(network_set_while_it_is_used, IN_NETWORK,
	.command = {"network", "set", "--isolated", "yes", "--service", "udp/53", "n"},
	.next = {"network", "set", "--isolated", "no", "n"}, .after = "a=running", .proof = {"check"}, .width = 20)
KILL_TEST(network_set_of_a_subnet, IN_NETWORK, .command = {"network", "set", "--add-subnet", "10.77.0.0/24", "n"},
	.next = {"network", "set", "--isolated", "yes", "n"}, .after = "a=running", .proof = {"check"}, .width = 20)
KILL_TEST(network_create_beside_another, IN_NETWORK,
	.command = {"network", "create", "back", "--internal", "--link", "n"}, .next = {"restart", "-t", "0s", "a"},
	.after = "a=running", .proof = {"check"}, .tidy = {{"network", "rm", "back"}}, .width = 20)
KILL_TEST(network_rm_beside_another, IN_NETWORK, .then = {"network", "create", "back", "--link", "n"},
	.command = {"network", "rm", "back"}, .next = {"restart", "-t", "0s", "a"}, .after = "a=running",
	.proof = {"check"}, .tidy = {{"network", "rm", "back"}}, .width = 20)
KILL_TEST(rm_of_the_last_in_a_network, .rare = true, .before = NETWORK, .then = RUN_IN_NETWORK, .command = REMOVE,
	.next = REMOVE_ALL, .after = "", .proof = {"check"}, .again = NETWORK, .clear = NO_NETWORK, .states = ENDING,
	.width = 20)

/* --- volumes ------------------------------------------------------------------------------------------------------ */

#define WITH_VOLUME                                                                                                    \
	{                                                                                                              \
		"run", "-d", "--name", "a", "-v", "data:/data", "host", "sleep", "1000"                                \
	}
KILL_TEST(volume_rm, .before = WITH_VOLUME, .then = REMOVE, .command = {"volume", "rm", "data"}, .next = WITH_VOLUME,
	.after = "a=running", .again = WITH_VOLUME, .clear = REMOVE, .tidy = {{"volume", "rm", "data"}},
	.states = "running", .width = 20)

/* An image that asks for a volume. */
#define IMPORT                                                                                                         \
	{                                                                                                              \
		"image", "import", "dir:TREE", "kept:1"                                                                \
	}
#define IMAGE                                                                                                          \
	.rare = true,                                                                                                  \
	.once = {IMPORT, {"create", "--name", "m", "--network", "none", "kept:1", "/bin/busybox", "true"},             \
		{"commit", "-c", "VOLUME /data", "m", "made:1"}, {"rm", "m"}}
#define RUN_IMAGE                                                                                                      \
	{                                                                                                              \
		"run", "-d", "--name", "a", "--network", "none", "made:1", "/bin/busybox", "sleep", "1000"             \
	}
#define ON_IMAGE IMAGE, .before = RUN_IMAGE, .again = RUN_IMAGE, .clear = REMOVE
KILL_TEST(run_with_a_volume_of_its_image, IMAGE, .command = RUN_IMAGE, .again = RUN_IMAGE, .clear = REMOVE,
	.tidy = {{"volume", "prune"}}, .states = "created starting running stopped", .width = 40)
KILL_TEST(rm_with_a_volume_of_its_image, ON_IMAGE, .command = {"rm", "-f", "-v", "a"}, .tidy = {{"volume", "prune"}},
	.states = ENDING, .width = 20)
KILL_TEST(clone_with_a_volume, IMAGE,
	.before = {"run", "-d", "--name", "a", "--network", "none", "-v", "data:/other", "made:1", "/bin/busybox",
		"sleep", "1000"},
	.again = RUN_IMAGE, .command = {"clone", "a", "b"}, .next = {"clone", "a", "c"}, .clear = REMOVE_ALL,
	.tidy = {{"volume", "rm", "data"}, {"volume", "prune"}}, .states = "created running paused", .width = 40)

#define APPLY_VOLUMED                                                                                                  \
	{                                                                                                              \
		"apply", "-q", "VOLUMED"                                                                               \
	}
#define OF_A_FLEET                                                                                                     \
	IMAGE, .before = APPLY_VOLUMED, .next = APPLY_VOLUMED, .after = "a=running", .proof = {"plan", "VOLUMED"},     \
	       .again = APPLY_VOLUMED, .clear = DOWN, .tidy = {{"volume", "prune"}}, .states = ENDING
KILL_TEST(rm_with_a_volume_of_a_fleets_image, OF_A_FLEET, .command = {"rm", "-f", "-v", "a"}, .width = 20)
KILL_TEST(volume_prune, OF_A_FLEET, .then = DOWN, .command = {"volume", "prune"}, .width = 20)

/* --- images ------------------------------------------------------------------------------------------------------- */

#define FORGET                                                                                                         \
	{                                                                                                              \
		"image", "rm", "kept:1"                                                                                \
	}
#define IMPORTED .before = IMPORT, .again = IMPORT, .clear = FORGET, .proof = {"image", "verify"}, .states = ""
#define PRUNE                                                                                                          \
	{                                                                                                              \
		"image", "prune"                                                                                       \
	}
KILL_TEST(image_import, .command = IMPORT, .next = IMPORT, .proof = {"image", "verify"}, .again = IMPORT,
	.clear = FORGET, .tidy = {PRUNE}, .states = "", .width = 40)
KILL_TEST(image_rm, IMPORTED, .command = FORGET, .next = IMPORT, .tidy = {PRUNE}, .width = 20)
KILL_TEST(image_tag, IMPORTED, .command = {"image", "tag", "kept:1", "other:1"},
	.next = {"image", "tag", "kept:1", "other:1"}, .tidy = {{"image", "rm", "other:1"}, PRUNE}, .width = 20)
KILL_TEST(image_prune, IMPORTED, .command = {"image", "prune", "--all"}, .next = IMPORT, .tidy = {PRUNE}, .width = 20)
