/* A port that one instance has alone may lead to it before its program listens: then its clients are refused, as they
 * were while there was nothing. A port that is shared must not: its clients are served by the others until then. The
 * kernel's own table of sockets is read; a connection as a trial would be seen by the program. */
#include "fleet/network/listening.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"

#define TABLE_MAX (1 << 20)
#define LOOK_FIRST_MS 2
#define LOOK_MS 20
#define STATE_LISTEN "0A"

/* "  0: 0100007F:1F90 00000000:0000 0A …": number, local address, remote address, state. */
bool listening_is_in(const char *table, uint16_t port)
{
	char number[8];

	snprintf(number, sizeof(number), ":%04X ", port);
	for (const char *line = table; line; line = strchr(line + 1, '\n')) {
		const char *after_index = strchr(line, ':');
		const char *local = after_index ? strchr(after_index + 1, ':') : NULL;
		const char *remote = local ? strchr(local + 1, ':') : NULL;

		if (!remote)
			return false;
		if (!strncmp(local, number, strlen(number)) && strlen(remote) > 8 &&
			!strncmp(remote + strlen(":0000 "), STATE_LISTEN, strlen(STATE_LISTEN)))
			return true;
	}
	return false;
}

static bool table_has(pid_t pid, const char *table, uint16_t port)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error ignored;
	const char *text;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/net/%s", pid, table);
	/* What cannot be read is not waited for; a kernel without IPv6 has no second table. */
	if (file_read(&arena, AT_FDCWD, path, TABLE_MAX, &text, NULL, &ignored) < 0)
		return ignored.kind != ERROR_MISSING;
	text = strchr(text, '\n');
	return text && listening_is_in(text + 1, port);
}

static bool all_listen(pid_t pid, const struct port *ports, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ports[i].balance != PORT_ALONE && ports[i].protocol == PORT_TCP &&
			!table_has(pid, "tcp", ports[i].target) && !table_has(pid, "tcp6", ports[i].target))
			return false;
	return true;
}

void listening_await(pid_t pid, int pidfd, const struct port *ports, size_t count, int64_t timeout_ms)
{
	int64_t deadline = clock_ms() + timeout_ms;

	for (int64_t wait = LOOK_FIRST_MS; !all_listen(pid, ports, count) && clock_ms() < deadline; wait = LOOK_MS)
		if (process_wait_end(pidfd, wait))
			return;
}
