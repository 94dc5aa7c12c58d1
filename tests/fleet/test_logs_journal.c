/* Lines for the journal, against a socket that plays it. */
#include <endian.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "fleet/logs/logs.h"
#include "tests/test.h"

static char directory[] = "/tmp/warren-journal-XXXXXX", path[64];

/* The journal's side. */
static int journal_make(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(path, sizeof(path), "%s/socket", directory);
	memcpy(address.sun_path, path, strlen(path));
	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

static void directory_drop(void)
{
	unlink(path);
	cr_assert(rmdir(directory) == 0);
}

static struct log_writer writer_open(void)
{
	const struct log_identity identity = {.name = "web-1", .fleet = "shop", .image = "nginx:1"};
	struct log_writer writer;
	struct error err;

	ASSERT_OK(log_journal_open(&writer, &identity, path, &err));
	return writer;
}

/* The value of a field, decoded as journald does; fails the test when the datagram is malformed. */
static const char *field(const char *bytes, size_t length, const char *name, size_t *size)
{
	const char *end = bytes + length, *found = NULL;

	while (bytes < end) {
		const char *line = memchr(bytes, '\n', (size_t)(end - bytes)), *equals;
		uint64_t count;

		cr_assert(line, "a field without an end");
		equals = memchr(bytes, '=', (size_t)(line - bytes));
		const char *value = equals ? equals + 1 : line + 1 + sizeof(count);
		size_t name_length = (size_t)((equals ? equals : line) - bytes);

		if (equals) {
			count = (uint64_t)(line - value);
		} else {
			memcpy(&count, line + 1, sizeof(count));
			count = le64toh(count);
		}
		cr_assert(value + count < end && value[count] == '\n', "%.*s", (int)name_length, bytes);
		if (strlen(name) == name_length && !memcmp(name, bytes, name_length)) {
			found = value;
			*size = (size_t)count;
		}
		bytes = value + count + 1;
	}
	return found;
}

static void expect(int journal, const char *message, size_t message_length, const char *priority)
{
	const struct {
		const char *name, *value;
		size_t length;
	} rows[] = {
		{"MESSAGE", message, message_length},
		{"PRIORITY", priority, 1},
		{"CONTAINER_NAME", "web-1", 5},
		{"SYSLOG_IDENTIFIER", "web-1", 5},
		{"WARREN_FLEET", "shop", 4},
		{"IMAGE_NAME", "nginx:1", 7},
	};
	char bytes[32768];
	ssize_t length = recv(journal, bytes, sizeof(bytes), 0);

	cr_assert(length > 0, "nothing came");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t size = 0;
		const char *value = field(bytes, (size_t)length, rows[i].name, &size);

		cr_assert(value && size == rows[i].length && !memcmp(value, rows[i].value, size), "%s", rows[i].name);
	}
}

TEST(logs_journal, a_line_is_a_datagram_that_nothing_in_it_can_break)
{
	cr_assert(mkdtemp(directory));
	auto_fd journal = journal_make();
	struct log_writer writer = writer_open();
	static const char binary[] = "PRIORITY=0\0x\x1b[1m\n";

	log_feed(&writer, LOG_STDOUT, "one\ntwo", 7);
	expect(journal, "one", 3, "6");
	log_feed(&writer, LOG_STDERR, binary, sizeof(binary) - 1);
	expect(journal, binary, sizeof(binary) - 2, "3");
	log_flush(&writer);
	expect(journal, "two", 3, "6");
	log_feed(&writer, LOG_STDOUT, "\n", 1);
	expect(journal, "", 0, "6");
	cr_assert(writer.dropped_bytes == 0);
	log_close(&writer);
	fd_drop(&journal);
	directory_drop();
}

TEST(logs_journal, what_it_does_not_take_is_dropped_and_counted)
{
	cr_assert(mkdtemp(directory));
	auto_fd journal = journal_make();
	struct log_writer writer = writer_open();

	/* Its queue is full; nobody reads. */
	for (int i = 0; i < 2000; i++)
		log_feed(&writer, LOG_STDOUT, "flood\n", 6);
	cr_assert(writer.dropped_bytes > 0 && writer.dropped_bytes < 12000, "%lld", (long long)writer.dropped_bytes);
	fd_drop(&journal);
	unlink(path);
	int64_t before = writer.dropped_bytes;

	log_feed(&writer, LOG_STDOUT, "lost\n", 5);
	cr_assert(writer.dropped_bytes == before + 5);
	/* It was restarted: another socket of that name. */
	journal = journal_make();
	log_feed(&writer, LOG_STDOUT, "again\n", 6);
	expect(journal, "again", 5, "6");
	log_close(&writer);
	fd_drop(&journal);
	directory_drop();
}
