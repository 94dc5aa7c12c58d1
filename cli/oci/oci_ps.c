/* ps: the processes of a container in the layout of ps(1), as runc prints them: the host's ps is run with the options
 * behind the id, or -ef, and the lines of the container's processes are passed on. On a host without a ps they are
 * listed more plainly. As JSON it is their pids alone, which is what engines ask for, and no program is run for it. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "cgroups/cgroups.h"
#include "cli/oci/oci.h"
#include "runtime/runtime.h"

struct ps_options {
	const char *format;
};
static const struct option ps_table[] = {
	OPTION_TEXT("format", 'f', "FORMAT", "table (default) or json", struct ps_options, format),
	END_OF_OPTIONS,
};

#define COMMAND_LINE_MAX 4096
#define LISTING_MAX ((size_t)64 << 20)

static int pids_read(struct oci_cli *cli, const char *id, struct cgroup_pids *pids, struct error *err)
{
	AUTO(container_close) struct container container = {.dir = -1};

	if (container_open(&cli->arena, cli->root_dir, id, &container, err) < 0)
		return -1;
	return container_pids(&cli->arena, &container, pids, err);
}

static void print_json(const struct cgroup_pids *pids)
{
	printf("[");
	for (size_t i = 0; i < pids->count; i++)
		printf("%s%d", i ? "," : "", pids->items[i]);
	printf("]\n");
}

/* --- the host's ps ------------------------------------------------------------------------------------------------ */

static const char *program_find(void)
{
	static const char *const places[] = {"/usr/bin/ps", "/bin/ps", "/usr/local/bin/ps"};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return places[0];
}

static int ps_read(size_t count, char *const *options, struct arena *arena, struct text *out, struct error *err)
{
	static const char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", NULL};
	const char **argv = arena_new_array(arena, count + 3, const char *);
	const struct helper ps = {.argv = argv,
		.program = program_find(),
		.env = environment,
		.timeout_ms = -1,
		.answer_max = LISTING_MAX};
	int status = 0;

	argv[0] = "ps";
	argv[1] = count ? NULL : "-ef";
	for (size_t i = 0; i < count; i++)
		argv[1 + i] = options[i];
	if (process_run(&ps, out, &status, err) < 0)
		return -1;
	return status ? fail(err, ERROR_SYSTEM, "ps: exit status %d", oci_exit_status(status)) : 0;
}

/* Fields of a line stand apart by blanks; those before the one with the pid have none in themselves. */
static const char *field_find(const char *line, size_t index)
{
	line += strspn(line, " ");
	for (; index > 0; index--) {
		line += strcspn(line, " ");
		line += strspn(line, " ");
	}
	return line;
}

static bool pid_column(const char *title, size_t *out)
{
	for (size_t i = 0; *field_find(title, i); i++) {
		const char *field = field_find(title, i);

		if (strncmp(field, "PID", 3) == 0 && (field[3] == ' ' || field[3] == '\0')) {
			*out = i;
			return true;
		}
	}
	return false;
}

static bool is_listed(const struct cgroup_pids *pids, const char *field)
{
	for (size_t i = 0; i < pids->count; i++) {
		char text[16];
		size_t length = (size_t)snprintf(text, sizeof(text), "%d", pids->items[i]);

		if (strncmp(field, text, length) == 0 && (field[length] == ' ' || field[length] == '\0'))
			return true;
	}
	return false;
}

static int print_table(
	struct arena *arena, const struct cgroup_pids *pids, size_t count, char *const *options, struct error *err)
{
	AUTO(text_drop) struct text text = {0};
	struct strings lines;
	size_t column;

	if (ps_read(count, options, arena, &text, err) < 0)
		return -1;
	lines = strings_split(arena, text_string(&text), '\n');
	if (lines.count == 0 || !pid_column(lines.items[0], &column))
		return fail(err, ERROR_USAGE, "ps: what these options print has no column PID");
	printf("%s\n", lines.items[0]);
	for (size_t i = 1; i < lines.count; i++) {
		if (is_listed(pids, field_find(lines.items[i], column)))
			printf("%s\n", lines.items[i]);
	}
	return 0;
}

/* --- without one -------------------------------------------------------------------------------------------------- */

/* The command line as the process shows it, arguments joined by blanks; control characters would move the cursor. */
static const char *command_line(struct arena *arena, pid_t pid)
{
	const char *path = arena_format(arena, "/proc/%d/cmdline", pid);
	char buffer[COMMAND_LINE_MAX];
	ssize_t length;

	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, buffer, sizeof(buffer));
	if (length <= 0)
		return "-";
	if (buffer[length - 1] == '\0')
		length--;
	for (ssize_t i = 0; i < length; i++) {
		if ((unsigned char)buffer[i] < ' ' || buffer[i] == 0x7f)
			buffer[i] = buffer[i] == '\0' ? ' ' : '?';
	}
	return arena_bytes(arena, buffer, (size_t)length);
}

static void print_plain(struct arena *arena, const struct cgroup_pids *pids)
{
	printf("%-8s%s\n", "PID", "CMD");
	for (size_t i = 0; i < pids->count; i++)
		printf("%-8d%s\n", pids->items[i], command_line(arena, pids->items[i]));
}

/* --- the command -------------------------------------------------------------------------------------------------- */

/* What stands behind the id is for ps, but for our own option, whose values ps does not know. */
static size_t format_take(struct ps_options *how, size_t count, char *const *words)
{
	const char *value = count == 1 && text_starts_with(words[0], "--format=") ? words[0] + strlen("--format=")
			    : count == 2 && strcmp(words[0], "--format") == 0	  ? words[1]
										  : NULL;

	if (!value || (strcmp(value, "json") != 0 && strcmp(value, "table") != 0))
		return count;
	how->format = value;
	return 0;
}

static int ps_run(void *context, void *options, size_t count, char **operands, struct error *err)
{
	struct ps_options *how = options;
	struct oci_cli *cli = context;
	struct cgroup_pids pids = {0};
	size_t further = format_take(how, count - 1, operands + 1);
	bool json = how->format && strcmp(how->format, "json") == 0;

	if (how->format && !json && strcmp(how->format, "table") != 0)
		return fail(err, ERROR_USAGE, "--format %s: must be table or json", how->format);
	if (id_check(operands[0], err) < 0 || oci_cli_open(cli, err) < 0 || pids_read(cli, operands[0], &pids, err) < 0)
		return -1;
	if (json) {
		print_json(&pids);
		return 0;
	}
	if (print_table(&cli->arena, &pids, further, operands + 1, err) == 0)
		return 0;
	if (further || err->errnum != ENOENT)
		return -1;
	print_plain(&cli->arena, &pids);
	return 0;
}

const struct command oci_ps_command = {
	.name = "ps",
	.operands = "[options] ID [PS-OPTION…]",
	.summary = "print the processes of a container, with the host's pids, by the host's ps",
	.example = "warren-oci ps --format json web",
	.options = ps_table,
	.options_size = sizeof(struct ps_options),
	.stop_at_operand = true,
	.operands_min = 1,
	.operands_max = SIZE_MAX,
	.run = ps_run,
};
