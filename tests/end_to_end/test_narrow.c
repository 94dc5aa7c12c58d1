/* On a terminal of 80 columns nothing goes over the edge, where a terminal would break it in the middle of a word; in a
 * pipe nothing is shortened for it. */
#include <string.h>

#include "base/text.h"
#include "tests/end_to_end/support_instance.h"
#include "tests/end_to_end/support_session.h"
#include "tests/test.h"

#define WORDS_MAX 32
#define EDGE 80
#define NAME "a-name-nearly-as-long-as-names-of-sites-are"

static const char fleet[] =
	"{\"version\": 1, \"name\": \"shop\", \"volumes\": {\"a-volume\": {}},\n"
	"\"networks\": {\"a-network-with-a-long-name\": {\"subnet\": \"10.44.0.0/16\", \"isolated\": true}},\n"
	"\"instances\": {\"broken\": {\"image\": \"host\", \"network\": \"a-network-with-a-long-name\",\n"
	"\"environment\": {\"LONG\": \"a value of several words that goes on and on until it is over the line's "
	"end\"},\n"
	"\"volumes\": [{\"type\": \"volume\", \"source\": \"a-volume\", \"target\": \"/d\"}],\n"
	"\"command\": [\"/no/such/program/in/the/whole/of/the/file/system\"], \"restart\": \"no\"}}}\n";

/* Widths of what is left when colours and other sequences are taken away; a line that is written over counts anew. */
static void assert_narrow(const char *name, const char *text)
{
	size_t width = 0;

	for (const char *at = text; *at; at++) {
		if (*at == '\033' && at[1] == '[') {
			at += 2 + strspn(at + 2, "?0123456789;");
			continue;
		}
		width = *at == '\n' || *at == '\r' ? 0 : width + (((unsigned char)*at & 0xC0) != 0x80);
		cr_assert(width <= EDGE, "%s goes over the edge:\n%s", name, text);
	}
}

struct shown {
	const char *words[4];
	const char *has; /* NULL: anything */
	int status;	 /* -1: any */
};

static void assert_shown(struct playground *here, const struct shown *row)
{
	const char *argv[WORDS_MAX] = {WARREN_PROGRAM, "--root", here->root, "--cgroup-parent", here->parent};
	struct session session;

	for (size_t i = 0; i < ARRAY_SIZE(row->words) && row->words[i]; i++)
		argv[5 + i] = row->words[i];
	session_open(&session, argv);
	int status = session_end(&session);
	auto_free char *seen = strdup(text_string(&session.seen));

	session_drop(&session);
	cr_assert(row->status < 0 || status == row->status, "%s: status %d:\n%s", row->words[0], status, seen);
	cr_assert(!row->has || strstr(seen, row->has), "%s has no \"%s\":\n%s", row->words[0], row->has, seen);
	assert_narrow(row->words[0], seen);
}

TEST(narrow, terminals_get_what_they_have_place_for, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground here = playground_new();
	auto_free char *file = text_format("%s/shop.json", here.directory.path);
	const struct shown rows[] = {
		{{"plan", file}, "create: when the first instance", 2},
		{{"plan", "--expand", file}, "\r\n          ", 2},
		{{"apply", file}, "execute\r\n", 1},
		{{"plan", file}, "its last start failed", 2},
		{{"list"}, "\r\n    execute /no/such/program/", 0},
		{{"stats", "--no-stream", "-i", "50ms"}, "MEMORY", 0},
		{{"top", "--once", "-i", "100ms"}, "MEMORY", 0},
		{{"audit", NAME, "broken"}, "\r\n    files that tell or decide about the host:", 1},
		{{"capacity", "--all"}, "more fit by what is used", 0},
		{{"history", "shop"}, "unfinished", 0},
		{{"network", "list"}, "a-network-with-a-long-name", 0},
		{{"volume", "list"}, "a-volume", 0},
		{{"image", "list"}, "NAME", 0},
		{{"events"}, "reason=start_failed", 0},
		{{"why", "broken"}, "start failed", 0},
		{{"doctor"}, "Judged for", -1},
		{{"doctor", "--no-such-option-as-this-one", "and a", "long line"}, "unknown option", 2},
	};

	run_write_file(here.directory.path, "shop.json", 0600, fleet);
	WARREN_OK(&here, "run", "-d", "--name", NAME, "-p", "8080:80", "-p", "8443:443", "-v", "/etc:/hostetc:noidmap",
		"host", "--", "sleep", "1000");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_shown(&here, &rows[i]);
	auto_run piped = WARREN(&here, "list");
	cr_assert(strstr(piped.out, "IMAGE") && strstr(piped.out, "8080->80/tcp, 127.0.0.1:8443->443/tcp"), "%s",
		piped.out);
	auto_run down = WARREN(&here, "down", "shop");
	cr_assert(down.status == 0, "%s", down.err);
}

TEST(narrow, top_draws_the_columns_that_the_screen_has_place_for, .fini = playground_rescue, .timeout = SLOWLY(120))
{
	NEEDS_A_FAST_PROCESSOR();
	auto_playground here = playground_new();
	auto_session session;

	WARREN_OK(&here, "run", "-d", "--name", NAME, "--network", "none", "host", "--", "sleep", "1000");
	session_open(&session, (const char *[]){WARREN_PROGRAM, "--root", here.root, "--cgroup-parent", here.parent,
				       "top", "-i", "100ms", NULL});
	session_await(&session, "CPU%  MEMORY");
	session_await(&session, NAME);
	session_resize(&session, 24, 200);
	session_await(&session, "FLEET\033[0m");
	session_type(&session, "q");
	cr_assert(session_end(&session) == 0);
}
