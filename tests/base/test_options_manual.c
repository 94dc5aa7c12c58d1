/* The page that comes out of the tables. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/options.h"
#include "tests/base/support_commands.h"
#include "tests/test.h"

static char *page_make(void)
{
	static const struct manual_section sections[] = {
		{"DESCRIPTION", "A first paragraph - with a dash.\n.A second one."}, {"FILES", "none"}, {0}};
	static const struct manual manual = {.program = "sample",
		.title = "SAMPLE",
		.purpose = "show what it can",
		.section = 8,
		.sections = sections};
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	program_manual(out, &manual, sample_commands, sample_global_options);
	fclose(out);
	return text;
}

TEST(manual, has_what_the_tables_have)
{
	static const char *const parts[] = {
		".TH \"SAMPLE\" 8 \"\" \"sample\" \"System Administration\"\n.SH NAME\nsample \\- show what it can\n",
		".SH DESCRIPTION\nA first paragraph \\- with a dash.\n.P\n\\&.A second one.\n.SH GLOBAL OPTIONS\n",
		".TP\n\\fB\\-\\-root\\fR \\fIDIR\\fR\ndirectory of the state\n.TP\n\\fB\\-D\\fR, \\fB\\-\\-debug\\fR\n",
		".SS run\n\\fBsample run\\fR [options] IMAGE [COMMAND…]\n.P\nStart a new instance.\n.TP\n",
		".EX\nsample run \\-d host\nsample run host \\-\\- sh\n.EE\n",
		"Also called \\fBps\\fR.\n",
		".SS image\n\\fBsample image\\fR COMMAND [options] …\n",
		".SS image tag\n\\fBsample image tag\\fR IMAGE NAME\n",
		"\n.SH FILES\nnone\n",
	};
	auto_free char *page = page_make();
	const char *at = page;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const char *found = strstr(at, parts[i]);

		cr_assert(found, "not there, or not in its place: %s\n%s", parts[i], page);
		at = found;
	}
}

TEST(manual, keeps_hidden_things_hidden)
{
	auto_free char *page = page_make();

	cr_assert(!strstr(page, "hidden") && !strstr(page, "secret"), "%s", page);
}
