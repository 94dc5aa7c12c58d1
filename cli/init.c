/* init: a first fleet file, with comments, that works as it is. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/cli.h"

#define INIT_FILE "warren.json"
#define INIT_FLEET "web"

static const struct option no_options[] = {END_OF_OPTIONS};

/* "%1$s" is the file, "%2$s" the fleet. What is commented out is what a user most often wants next. */
static const char template[] =
	"// What this host shall run.\n"
	"//\n"
	"//     warren validate %1$s    is it right?\n"
	"//     warren plan %1$s        what would change?\n"
	"//     warren apply %1$s       make it so; again after each change: it does the least that is needed\n"
	"//     warren down %2$s             stop all of it and take it away\n"
	"//\n"
	"// Every key: docs/fleet-file.md, or man 5 warren-fleet.\n"
	"{\n"
	"  \"version\": 1,\n"
	"  \"name\": \"%2$s\",\n"
	"\n"
	"  // What every instance has, unless it says otherwise.\n"
	"  \"defaults\": {\n"
	"    \"resources\": { \"cpus\": 0.5, \"memory\": \"64M\", \"pids\": 64 },\n"
	"    \"logging\": { \"max_size\": \"1M\", \"max_files\": 2 }\n"
	"  },\n"
	"\n"
	"  \"instances\": {\n"
	"    \"site\": {\n"
	"      // The programs of this machine itself, read-only; or any image: \"nginx:1.27\", \"debian:12\".\n"
	"      \"image\": \"host\",\n"
	"      \"command\": [\"nginx\", \"-g\", \"daemon off;\"],\n"
	"\n"
	"      // Port 8080 of this machine, and of it alone, is port 80 of the site. \"0.0.0.0:80:80\" serves the "
	"world.\n"
	"      \"ports\": [\"8080:80\"],\n"
	"\n"
	"      // The page it shows.\n"
	"      \"configs\": [\n"
	"        { \"content\": \"<h1>It works</h1>\\n\", \"target\": \"/var/www/html/index.html\", \"mode\": \"0444\" "
	"}\n"
	"      ],\n"
	"      // Or a directory beside this file, instead of \"configs\":\n"
	"      // \"volumes\": [\"./public:/var/www/html:ro\"],\n"
	"\n"
	"      // More of the same, as site-1, site-2 and site-3; ${index} is the number:\n"
	"      // \"replicas\": 3, \"ports\": [\"808${index}:80\"],\n"
	"\n"
	"      // What it writes elsewhere is kept in memory and gone with it.\n"
	"      \"read_only\": true,\n"
	"      \"tmpfs\": [\"/var/lib/nginx:size=8M,mode=0755\", \"/var/log/nginx:size=1M,mode=0755\"]\n"
	"    }\n"
	"  }\n"
	"}\n";

/* "shop.json" and "sites/shop.json" are the fleet "shop", the default file and directories are "web". */
static const char *fleet_name(struct arena *arena, const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	const char *name =
		text_ends_with(base, ".json") ? arena_bytes(arena, base, strlen(base) - strlen(".json")) : base;

	if (!strcmp(base, INIT_FILE))
		return INIT_FLEET;
	return name_check("fleet name", name, err) < 0 ? NULL : name;
}

static const char *file_path(struct arena *arena, const char *operand)
{
	struct stat st;

	if (!operand)
		return INIT_FILE;
	if (text_ends_with(operand, "/") || (stat(operand, &st) == 0 && S_ISDIR(st.st_mode)))
		return arena_format(arena, "%s%s" INIT_FILE, operand, text_ends_with(operand, "/") ? "" : "/");
	return operand;
}

static int init_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct cli *cli = context;
	const char *path = file_path(&cli->arena, count ? operands[0] : NULL), *fleet, *text;
	auto_fd fd = -1;

	(void)options;
	fleet = fleet_name(&cli->arena, path, err);
	if (!fleet)
		return blame(err, "%s", path);
	text = arena_format(&cli->arena, template, path, fleet);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 && errno == EEXIST)
		return fail(err, ERROR_BUSY, "%s: is there already; give another name, or remove it", path);
	if (fd < 0)
		return fail_errno(err, "%s", path);
	if (write_all(fd, text, strlen(text)) < 0) {
		fail_errno(err, "%s", path);
		unlink(path);
		return -1;
	}
	printf("%s: the fleet \"%s\"; look at it, then: warren apply %s\n", path, fleet, path);
	return 0;
}

const struct command init_command = {
	.name = "init",
	.operands = "[FILE|DIR]",
	.summary = "write a first fleet file, with comments (default: " INIT_FILE ")",
	.example = "warren init\nwarren init shop.json",
	.options = no_options,
	.operands_max = 1,
	.run = init_run,
};
