#include "base/cleanup.h"
#include "base/options.h"
#include "tests/base/support_commands.h"
#include "tests/test.h"

static void expect_help(const char *command, const char *expected)
{
	auto_free char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (command)
		command_help(out, "sample", sample_command(command));
	else
		program_help(out, "sample", "shows how it is done", sample_commands, sample_global_options);
	fclose(out);
	cr_assert_str_eq(text, expected);
}

TEST(help, of_a_command)
{
	expect_help("run", "sample run: start a new instance\n"
			   "\n"
			   "Usage: sample run [options] IMAGE [COMMAND…]\n"
			   "\n"
			   "Options:\n"
			   "  -d, --detach             run in the background\n"
			   "  -i, --interactive        keep standard input open\n"
			   "  -t, --tty                give it a terminal\n"
			   "  -n, --name NAME          name of the instance\n"
			   "  -e, --env NAME=VALUE     environment variable; this one has a help text that\n"
			   "                           is long enough to be wrapped, twice even, so that the\n"
			   "                           second column can be seen to stay where it is\n"
			   "      --env-file FILE      read environment variables from a file\n"
			   "      --pids-limit N       most processes\n"
			   "  -m, --memory SIZE        most memory\n"
			   "      --stop-timeout TIME  time to end in\n"
			   "      --level low|high     a level\n"
			   "      --a-rather-long-option-name AND-ITS-VALUE\n"
			   "                           stands alone\n"
			   "  -h, --help               show this help\n"
			   "\n"
			   "Example:\n"
			   "  sample run -d host\n"
			   "  sample run host -- sh\n");
}

TEST(help, of_a_command_with_an_alias_and_no_example)
{
	expect_help("list", "sample list: show the instances\n"
			    "\n"
			    "Usage: sample list [options]\n"
			    "Alias: sample ps\n"
			    "\n"
			    "Options:\n"
			    "  -q, --quiet              names only\n"
			    "  -a, --all                also what isn't running\n"
			    "      --format table|json  form of the output\n"
			    "  -h, --help               show this help\n");
}

TEST(help, of_the_program_leaves_out_hidden_commands)
{
	expect_help(NULL, "sample: shows how it is done\n"
			  "\n"
			  "Usage: sample [options] COMMAND …\n"
			  "\n"
			  "Commands:\n"
			  "  run       start a new instance\n"
			  "  list, ps  show the instances\n"
			  "  stop      stop instances\n"
			  "  apply     make it so\n"
			  "  image     images of instances\n"
			  "\n"
			  "Options:\n"
			  "      --root DIR  directory of the state\n"
			  "  -D, --debug     say more\n"
			  "  -h, --help      show this help\n"
			  "\n"
			  "\"sample COMMAND --help\" says more about a command.\n");
}
