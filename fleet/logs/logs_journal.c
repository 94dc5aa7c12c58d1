/* Lines for systemd's journal: its native protocol, one datagram a line (systemd.journal-fields(7), and
 * "Native Journal Protocol" of systemd's documentation).
 *
 * A field is "NAME=value" and a line break, or, for a value of any bytes, "NAME", a line break, its length as 64 bits
 * little endian, the bytes, a line break. What an instance wrote is always sent in the second form: it can break out of
 * its field with nothing. Not waited for: what the journal does not take at once is dropped and counted. */
#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fleet/logs/logs.h"

/* As a service's standard output and standard error that docker or podman hand over: info and err of syslog(3). */
static const char *const priorities[LOG_STREAMS] = {"PRIORITY=6\n", "PRIORITY=3\n"};
static const char message[] = "MESSAGE\n";

static size_t fields_make(const struct log_identity *identity, char *out, size_t room)
{
	int length =
		snprintf(out, room, "SYSLOG_IDENTIFIER=%s\nSYSLOG_FACILITY=3\nCONTAINER_NAME=%s\nWARREN_INSTANCE=%s\n",
			identity->name, identity->name, identity->name);

	if (identity->fleet)
		length += snprintf(out + length, room - (size_t)length, "WARREN_FLEET=%s\n", identity->fleet);
	if (identity->image)
		length += snprintf(
			out + length, room - (size_t)length, "IMAGE_NAME=%.*s\n", LOG_IMAGE_MAX, identity->image);
	return (size_t)length;
}

int log_journal_open(
	struct log_writer *writer, const struct log_identity *identity, const char *path, struct error *err)
{
	struct sockaddr_un target = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(target.sun_path))
		return fail(err, ERROR_USAGE, "%s: too long for a socket", path);
	if (log_memory_make(writer, err) < 0)
		return -1;
	writer->journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (writer->journal < 0) {
		fail_errno(err, "make a socket for the journal");
		log_close(writer);
		return -1;
	}
	/* The address is kept and not connected to: the journal may be restarted, or not be there yet. */
	memcpy(target.sun_path, path, strlen(path));
	memcpy(writer->fields, &target, sizeof(target));
	writer->fields_length =
		fields_make(identity, writer->fields + sizeof(target), (size_t)LOG_FIELDS_MAX - sizeof(target));
	return 0;
}

bool log_journal_send(struct log_writer *writer, enum log_stream_index stream, const char *line, size_t length)
{
	struct sockaddr_un target;
	uint64_t bytes = htole64((uint64_t)length);
	struct iovec parts[] = {
		{(void *)priorities[stream], strlen(priorities[stream])},
		{writer->fields + sizeof(target), writer->fields_length},
		{(void *)message, sizeof(message) - 1},
		{&bytes, sizeof(bytes)},
		{(void *)line, length},
		{(void *)"\n", 1},
	};
	struct msghdr datagram = {
		.msg_name = &target, .msg_namelen = sizeof(target), .msg_iov = parts, .msg_iovlen = ARRAY_SIZE(parts)};

	memcpy(&target, writer->fields, sizeof(target));
	return sendmsg(writer->journal, &datagram, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}
