/* /etc/resolv.conf of the host image: the name servers of the host that can be reached from inside.
 *
 * systemd-resolved answers on 127.0.0.53, which inside is the instance itself; it keeps the list of the real ones.
 * Other name servers on a loopback address are left out for the same reason. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/files/everybody.h"
#include "images/host/skeleton.h"

#define RESOLVER "/etc/resolv.conf"
#define RESOLVED_UPSTREAM "/run/systemd/resolve/resolv.conf"
#define RESOLVED_STUB "127.0.0.53"
#define RESOLVER_MAX (64 << 10)

/* The file is often a link; everybody may read what it leads to. */
static const char *resolver_read(struct arena *arena, int host, const char *path)
{
	struct error ignored;
	struct stat about;
	const char *content;
	auto_fd fd = everybody_open(host, path, O_RDONLY);

	if (fd < 0 || fstat(fd, &about) < 0 || !S_ISREG(about.st_mode) || !(about.st_mode & 0004) ||
		fd_read_all(arena, fd, RESOLVER_MAX, &content, NULL, &ignored) < 0)
		return "";
	return content;
}

/* The word after the keyword, or NULL when the line is another. */
static const char *line_value(struct arena *arena, const char *line, const char *keyword)
{
	size_t length = strlen(keyword);

	if (strncmp(line, keyword, length) != 0 || !strchr(" \t", line[length]) || !line[length])
		return NULL;
	line += length + strspn(line + length, " \t");
	return arena_bytes(arena, line, strcspn(line, " \t\r"));
}

/* Without the zone of a link-local address, which names an interface of the host. */
static bool nameserver_is_reachable(const char *address)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, address, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) != 127 && v4.s_addr != 0;
	if (inet_pton(AF_INET6, address, &v6) == 1)
		return !IN6_IS_ADDR_LOOPBACK(&v6) && !IN6_IS_ADDR_UNSPECIFIED(&v6) && !IN6_IS_ADDR_LINKLOCAL(&v6);
	return false;
}

static bool line_is_kept(struct arena *arena, const char *line)
{
	const char *nameserver = line_value(arena, line, "nameserver");

	if (nameserver)
		return nameserver_is_reachable(nameserver);
	return line_value(arena, line, "search") || line_value(arena, line, "domain") ||
	       line_value(arena, line, "options");
}

void resolver_text(struct arena *arena, int host, struct text *out)
{
	const char *content = resolver_read(arena, host, RESOLVER);
	struct strings lines;

	if (strstr(content, RESOLVED_STUB))
		content = resolver_read(arena, host, RESOLVED_UPSTREAM);
	lines = strings_split(arena, content, '\n');
	for (size_t i = 0; i < lines.count; i++)
		if (line_is_kept(arena, lines.items[i]))
			text_appendf(out, "%s\n", lines.items[i]);
}

void resolver_whole(struct arena *arena, int host, struct text *out)
{
	text_append(out, resolver_read(arena, host, RESOLVER));
}

void host_name_servers(struct arena *arena, struct strings *out)
{
	AUTO(text_drop) struct text text = {0};
	auto_fd host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct strings lines;

	*out = (struct strings){0};
	if (host < 0)
		return;
	resolver_text(arena, host, &text);
	lines = strings_split(arena, text_string(&text), '\n');
	for (size_t i = 0; i < lines.count; i++) {
		const char *server = line_value(arena, lines.items[i], "nameserver");

		if (server)
			strings_add(arena, out, server);
	}
}
