/* warren cp with an archive at standard input or output. What a copy does else is in tests/fleet/test_copy.c. */
#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_registry.h"
#include "tests/test.h"

/* Runs the script in the playground's directory; $warren in it is the program with its options. */
static struct run_result script(struct playground *world, const char *text)
{
	const char *whole = arena_format(&world->arena, "warren='%s --root %s --cgroup-parent %s'\n%s", WARREN_PROGRAM,
		world->root, world->parent, text);

	return run_program((const char *const[]){"sh", "-eu", "-c", whole, NULL},
		&(struct run_options){.directory = world->directory.path, .timeout_ms = SLOWLY(60000)});
}
#define ASSERT_SCRIPT(world, text)                                                                                     \
	do {                                                                                                           \
		auto_run done = script(world, text);                                                                   \
		cr_assert(done.status == 0, "status %d: %s%s", done.status, done.out, done.err);                       \
	} while (0)

static void one_run(struct playground *world)
{
	WARREN_OK(world, "run", "-d", "--name", "one", "--network", "none", "host", "sh", "-c",
		"mkdir -p /srv/site/deep /srv/empty; echo old > /srv/site/deep/page; ln -s site /srv/link; echo ready; "
		"exec "
		"sleep 1000");
	instance_await_log(world, "one", "ready\n");
}

static const char into[] =
	"umask 022; mkdir -p new/deep; echo new > new/deep/page; echo more > new/more; chmod 4755 new/more\n"
	"ln -s more new/link; tar --owner=33 --group=33 -C new -cf new.tar deep more link\n"
	"gzip -k new.tar\n"
	"$warren cp - one:/srv/site < new.tar\n"
	"$warren cp -a - one:/srv/empty < new.tar.gz\n"
	"look() { $warren exec one sh -c 'cd $0; cat deep/page more link; stat -c %u:%a deep/page more' $1; }\n"
	"[ \"$(look /srv/site)\" = \"$(printf 'new\\nmore\\nmore\\n0:644\\n0:755')\" ]\n"
	"[ \"$(look /srv/empty)\" = \"$(printf 'new\\nmore\\nmore\\n33:644\\n33:4755')\" ]\n";

static const char out[] =
	"$warren cp one:/srv/site - > site.tar\n"
	"[ \"$(tar -tf site.tar | tr '\\n' ' ')\" = 'site/ site/deep/ site/deep/page site/link site/more ' ]\n"
	"$warren cp one:/srv/site/. - | tar -xOf - deep/page | grep -x new\n"
	"[ \"$($warren cp one:/srv/link - | tar -tvf - | cut -c1)\" = l ]\n"
	"$warren cp -L one:/srv/link - | tar -tf - | grep -x link/deep/page\n"
	"$warren cp -a one:/srv/empty/more - | tar --numeric-owner -tvf - | grep '^-rwxr-xr-x 33/33 '\n"
	"$warren cp one:/srv/site - | $warren cp - one:/srv/empty\n"
	"[ \"$($warren exec one cat /srv/empty/site/deep/page)\" = new ]\n";

TEST(copy, an_archive_goes_in_and_comes_out, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground world = playground_new();

	one_run(&world);
	ASSERT_SCRIPT(&world, into);
	ASSERT_SCRIPT(&world, out);
	/* A stopped one, too. */
	WARREN_OK(&world, "stop", "-t", "0", "one");
	ASSERT_SCRIPT(
		&world, "$warren cp - one:/srv < new.tar; $warren cp one:/srv/deep/page - | tar -xO | grep -x new");
}

TEST(copy, a_bad_archive_changes_nothing_and_leaves_nothing, .fini = playground_rescue, .timeout = SLOWLY(60))
{
	NEEDS_A_FAST_PROCESSOR();
	static const struct {
		const char *script, *words;
		int status;
	} cases[] = {
		{"mkdir -p d; echo x > d/x; tar -cPf up.tar d/../d/x; $warren cp - one:/srv < up.tar",
			"leads out of the image", 2},
		{"tar -cf t.tar d; head -c 700 t.tar | $warren cp - one:/srv", "Damaged tar archive", 2},
		{"echo no archive | $warren cp - one:/srv", "Unrecognized archive", 2},
		{"$warren cp - one:/srv/absent < t.tar", "/srv/absent: there is no such directory", 3},
		{"$warren cp - one:/srv/site/deep/page < t.tar", "no such directory", 3},
		{"$warren cp - none:/srv < t.tar", "no instance \"none\"", 3},
		{"$warren cp one:/srv/absent -", "/srv/absent", 3},
	};
	auto_playground world = playground_new();

	one_run(&world);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_run run = script(&world, cases[i].script);

		cr_expect(run.status == cases[i].status, "%s: status %d: %s", cases[i].script, run.status, run.err);
		cr_expect(strstr(run.err, cases[i].words), "%s: %s", cases[i].script, run.err);
		cr_expect_str_eq(run.out, "", "%s", cases[i].script);
	}
	ASSERT_SCRIPT(&world, "[ -z \"$(ls -A root/var/lib/warren/tmp 2>/dev/null || ls -A root/lib/tmp)\" ]");
	ASSERT_SCRIPT(&world, "[ \"$($warren exec one ls -A /srv | tr '\\n' ' ')\" = 'empty link site ' ]");
}
