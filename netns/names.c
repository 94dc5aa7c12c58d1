/* Names of instances: one hosts file a network, in a directory that every instance of the network sees.
 *
 * A directory and not the file is shared, because a file bound alone would stay the old one after a rename. Locked is
 * the directory above, which no instance sees: one that could open it could hold its lock for ever. */
#include "netns/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define HOSTS_DIR "hosts"
#define HOSTS_FILE "hosts"
#define HOSTS_SIZE_MAX (16 << 20)

static const char hosts_head[] = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

/* --- places ------------------------------------------------------------------------------------------------------- */

static int hosts_root(const struct net_state *state, struct error *err)
{
	return dir_create(state->run, HOSTS_DIR, 0755, err);
}

/* The directory above those that instances see; all networks share the lock. */
static int hosts_lock(int root, struct error *err)
{
	auto_fd fd = dir_open(root, ".", err);

	if (fd < 0 || lock_exclusive(fd, -1, err) < 0)
		return -1;
	return take_fd(&fd);
}

static int hosts_write(int dir, const struct text *text, struct error *err)
{
	return file_replace(dir, HOSTS_FILE, 0644, FILE_VOLATILE, text_string(text), text->length, err);
}

static int hosts_write_first(int root, int dir, struct error *err)
{
	AUTO(text_drop) struct text text = {0};
	auto_fd lock = -1;

	if (faccessat(dir, HOSTS_FILE, F_OK, 0) == 0)
		return 0;
	lock = hosts_lock(root, err);
	if (lock < 0)
		return -1;
	if (faccessat(dir, HOSTS_FILE, F_OK, 0) == 0)
		return 0;
	text_append(&text, hosts_head);
	return hosts_write(dir, &text, err);
}

static int hosts_open(int root, const char *network, struct error *err)
{
	auto_fd dir = dir_create(root, network, 0755, err);

	if (dir < 0 || hosts_write_first(root, dir, err) < 0)
		return -1;
	return take_fd(&dir);
}

int hosts_directory(const struct net_state *state, const char *network, struct error *err)
{
	auto_fd root = -1, dir = -1;

	if (name_check("network", network, err) < 0)
		return -1;
	root = hosts_root(state, err);
	if (root < 0)
		return blame(err, "hosts directory of network %s", network);
	dir = hosts_open(root, network, err);
	if (dir < 0)
		return blame(err, "hosts directory of network %s", network);
	int path = openat(root, network, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (path < 0)
		return fail_errno(err, "open the hosts directory of network %s", network);
	return path;
}

int hosts_forget(const struct net_state *state, const char *network, struct error *err)
{
	auto_fd root = -1;

	if (!network)
		return tree_remove(state->run, HOSTS_DIR, err);
	root = hosts_root(state, err);
	return root < 0 ? -1 : tree_remove(root, network, err);
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

/* The line without its break; *rest moves behind it. False at the end. */
static bool line_next(const char **rest, const char **line, size_t *length)
{
	*line = *rest;
	*length = strcspn(*rest, "\n");
	*rest += *length + ((*rest)[*length] == '\n');
	return **line != '\0';
}

static bool line_is(const char *line, size_t length, const char *expected)
{
	return strlen(expected) == length && memcmp(line, expected, length) == 0;
}

static bool line_starts(const char *line, size_t length, const char *start)
{
	return strlen(start) <= length && memcmp(line, start, strlen(start)) == 0;
}

/* Copies the lines for which drop is false, that is which do not begin with `start`. True when one was left out. */
static bool lines_copy_without(const char *content, const char *start, struct text *into)
{
	const char *line;
	bool dropped = false;
	size_t length;

	while (line_next(&content, &line, &length)) {
		if (line_starts(line, length, start)) {
			dropped = true;
			continue;
		}
		text_append_bytes(into, line, length);
		text_append(into, "\n");
	}
	return dropped;
}

static bool lines_contain(const char *content, const char *expected)
{
	const char *line;
	size_t length;

	while (line_next(&content, &line, &length))
		if (line_is(line, length, expected))
			return true;
	return false;
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

/* What one change makes of the content; false: nothing to write. */
typedef bool hosts_edit(const char *content, const char *argument, struct text *into);

static bool edit_add(const char *content, const char *line, struct text *into)
{
	if (lines_contain(content, line))
		return false;
	text_append(into, content);
	text_appendf(into, "%s\n", line);
	return true;
}

static bool edit_remove(const char *content, const char *start, struct text *into)
{
	return lines_copy_without(content, start, into);
}

static int hosts_change(
	const struct net_state *state, const char *network, hosts_edit *edit, const char *argument, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(text_drop) struct text text = {0};
	auto_fd root = hosts_root(state, err);
	auto_fd dir = root < 0 ? -1 : hosts_open(root, network, err);
	auto_fd lock = dir < 0 ? -1 : hosts_lock(root, err);
	const char *content;

	if (lock < 0 || file_read(&arena, dir, HOSTS_FILE, HOSTS_SIZE_MAX, &content, NULL, err) < 0)
		return -1;
	return edit(content, argument, &text) ? hosts_write(dir, &text, err) : 0;
}

int hosts_add(const struct net_state *state, const char *network, const struct host_name *name, struct error *err)
{
	char address[INET_ADDRSTRLEN];
	auto_free char *line = NULL;

	if (name_check("network", network, err) < 0 || name_check("host name", name->name, err) < 0)
		return -1;
	inet_ntop(AF_INET, &name->address, address, sizeof(address));
	line = text_format("%s\t%s", address, name->name);
	if (hosts_change(state, network, edit_add, line, err) < 0)
		return blame(err, "add %s to the hosts of network %s", name->name, network);
	return 0;
}

int hosts_remove(const struct net_state *state, const char *network, struct in_addr address, struct error *err)
{
	char text[INET_ADDRSTRLEN];
	auto_free char *start = NULL;

	if (name_check("network", network, err) < 0)
		return -1;
	inet_ntop(AF_INET, &address, text, sizeof(text));
	start = text_format("%s\t", text);
	if (hosts_change(state, network, edit_remove, start, err) < 0)
		return blame(err, "remove %s from the hosts of network %s", text, network);
	return 0;
}
