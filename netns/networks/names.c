/* Names of instances: one hosts file a network, in a directory that every instance of the network sees.
 *
 * A directory and not the file is shared, because a file bound alone would stay the old one after a rename. Locked is
 * the directory above, which no instance sees: one that could open it could hold its lock for ever. */
#include "netns/networks/names.h"

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
#define HOST_NAME_LENGTH_MAX 253 /* RFC 1035 */

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
	root = dir_open(state->run, HOSTS_DIR, err);
	if (root >= 0)
		return tree_remove(root, network, err);
	if (err->kind != ERROR_MISSING)
		return -1;
	*err = (struct error){0};
	return 0;
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

static bool line_starts(const char *line, size_t length, const char *start)
{
	return strlen(start) <= length && memcmp(line, start, strlen(start)) == 0;
}

/* Line beginnings of an endpoint: its addresses, each with the tab behind it. */
struct starts {
	char items[2][INET6_ADDRSTRLEN + 1];
	size_t count;
};

static void starts_add(struct starts *starts, int family, const void *address)
{
	char *start = starts->items[starts->count++];

	inet_ntop(family, address, start, INET6_ADDRSTRLEN);
	strcat(start, "\t");
}

static struct starts starts_of(const struct endpoint *endpoint)
{
	struct starts starts = {.count = 0};

	if (endpoint->address.s_addr != INADDR_ANY)
		starts_add(&starts, AF_INET, &endpoint->address);
	if (!IN6_IS_ADDR_UNSPECIFIED(&endpoint->address6))
		starts_add(&starts, AF_INET6, &endpoint->address6);
	return starts;
}

static void lines_copy_without(const char *content, const struct starts *starts, struct text *into)
{
	const char *line;
	size_t length;

	while (line_next(&content, &line, &length)) {
		bool dropped = false;

		for (size_t i = 0; i < starts->count; i++)
			dropped |= line_starts(line, length, starts->items[i]);
		if (dropped)
			continue;
		text_append_bytes(into, line, length);
		text_append(into, "\n");
	}
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static int hosts_change(const struct net_state *state, const char *network, const struct endpoint *endpoint,
	const struct strings *names, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(text_drop) struct text text = {0};
	const struct starts starts = starts_of(endpoint);
	auto_fd root = hosts_root(state, err);
	auto_fd dir = root < 0 ? -1 : hosts_open(root, network, err);
	auto_fd lock = dir < 0 ? -1 : hosts_lock(root, err);
	const char *content;

	if (lock < 0 || file_read(&arena, dir, HOSTS_FILE, HOSTS_SIZE_MAX, &content, NULL, err) < 0)
		return -1;
	lines_copy_without(content, &starts, &text);
	for (size_t i = 0; i < starts.count; i++)
		for (size_t k = 0; k < names->count; k++)
			text_appendf(&text, "%s%s\n", starts.items[i], names->items[k]);
	return strcmp(content, text_string(&text)) == 0 ? 0 : hosts_write(dir, &text, err);
}

static bool label_is_valid(const char *label, size_t length)
{
	static const char *const good = "abcdefghijklmnopqrstuvwxyz0123456789-";

	return length > 0 && length <= 63 && strspn(label, good) >= length && label[0] != '-' &&
	       label[length - 1] != '-';
}

int host_name_check(const char *name, struct error *err)
{
	static const char *const own[] = {"localhost", "ip6-localhost", "ip6-loopback"};
	const char *label = name;

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (strcmp(name, own[i]) == 0)
			return fail(err, ERROR_USAGE, "host name \"%s\" is every instance's own", name);
	if (strlen(name) > HOST_NAME_LENGTH_MAX)
		return fail(err, ERROR_USAGE, "host name \"%.64s…\": longer than %d characters", name,
			HOST_NAME_LENGTH_MAX);
	for (;; label += strcspn(label, ".") + 1) {
		if (!label_is_valid(label, strcspn(label, ".")))
			return fail(err, ERROR_USAGE,
				"host name \"%.64s\": use a-z, 0-9 and '-' inside, in parts joined by '.'", name);
		if (!label[strcspn(label, ".")])
			return 0;
	}
}

int hosts_set(const struct net_state *state, const char *network, const struct endpoint *endpoint,
	const struct strings *names, struct error *err)
{
	if (name_check("network", network, err) < 0)
		return -1;
	for (size_t i = 0; i < names->count; i++)
		if (host_name_check(names->items[i], err) < 0)
			return -1;
	if (hosts_change(state, network, endpoint, names, err) < 0)
		return blame(err, "set names in the hosts file of network %s", network);
	return 0;
}

int hosts_remove(const struct net_state *state, const char *network, const struct endpoint *endpoint, struct error *err)
{
	static const struct strings none;

	return hosts_set(state, network, endpoint, &none, err);
}
