/* The log writer: whole lines, a bound that holds, and a disk that is full. */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/logs/logs.h"
#include "tests/test.h"

static char directory[] = "/tmp/warren-logs-XXXXXX";

static int directory_make(void)
{
	cr_assert(mkdtemp(directory));
	return open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void directory_drop(void)
{
	struct error err;

	ASSERT_OK(tree_remove(AT_FDCWD, directory, &err));
}

static struct log_writer writer_open(int dir, int64_t max_size, int64_t max_files)
{
	struct logging_spec spec = {.driver = "file", .max_size_bytes = max_size, .max_files = max_files};
	struct log_writer writer;
	struct error err;

	ASSERT_OK(log_open(&writer, dir, &spec, &err));
	return writer;
}

static const char *content(struct arena *arena, const char *name)
{
	auto_fd dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *text;
	struct error err;

	ASSERT_OK(file_read(arena, dir, name, 1 << 20, &text, NULL, &err));
	return text;
}

/* Sum and greatest of the files' sizes. */
static int64_t sizes(int64_t *greatest, int *count)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_fd dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct strings names = {0};
	struct stat status;
	struct error err;
	int64_t sum = 0;

	ASSERT_OK(dir_list(&arena, dir, 100, &names, &err));
	*greatest = 0;
	*count = (int)names.count;
	for (size_t i = 0; i < names.count; i++) {
		cr_assert(fstatat(dir, names.items[i], &status, 0) == 0);
		sum += status.st_size;
		*greatest = status.st_size > *greatest ? status.st_size : *greatest;
	}
	return sum;
}

TEST(logs, marks_each_line_with_time_and_stream)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct log_writer writer = writer_open(directory_make(), 65536, 3);

	log_feed(&writer, LOG_STDOUT, "one\ntw", 6);
	log_feed(&writer, LOG_STDERR, "bad\n", 4);
	log_feed(&writer, LOG_STDOUT, "o\n", 2);
	log_close(&writer);
	const char *text = content(&arena, "log");

	cr_assert(log_time_parse(text, strlen(text)) > 0, "%s", text);
	cr_assert(!strncmp(text + 24, " stdout one\n", 12), "%s", text);
	cr_assert(strstr(text, "Z stderr bad\n"), "%s", text);
	cr_assert(strstr(text, "Z stdout two\n"), "a line that came in two parts: %s", text);
	cr_assert(strstr(text, "bad") < strstr(text, "two"));
	directory_drop();
}

TEST(logs, cuts_a_line_without_end)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct log_writer writer = writer_open(directory_make(), 1 << 20, 1);
	static char flood[LOG_LINE_MAX + 10];

	memset(flood, 'x', sizeof(flood));
	log_feed(&writer, LOG_STDOUT, flood, sizeof(flood));
	const char *text = content(&arena, "log");

	cr_assert(strlen(text) == LOG_PREFIX_LENGTH + LOG_LINE_MAX + 1, "%zu", strlen(text));
	log_close(&writer);
	text = content(&arena, "log");
	cr_assert(text_ends_with(text, " stdout xxxxxxxxxx\n"), "the rest is written at the end");
	directory_drop();
}

TEST(logs, stays_within_its_bound_whatever_comes)
{
	enum { MAX_SIZE = 4096, MAX_FILES = 3 };
	struct log_writer writer = writer_open(directory_make(), MAX_SIZE, MAX_FILES);
	int64_t greatest, sum;
	int count;
	char line[300];

	memset(line, 'y', sizeof(line));
	for (unsigned i = 0; i < 2000; i++) {
		size_t length = i * 37 % sizeof(line);

		line[length] = '\n';
		log_feed(&writer, i % 3 ? LOG_STDOUT : LOG_STDERR, line, length + 1);
		line[length] = 'y';
		sum = sizes(&greatest, &count);
		cr_assert(greatest <= MAX_SIZE, "a file of %lld bytes", (long long)greatest);
		cr_assert(sum <= MAX_SIZE * MAX_FILES && count <= MAX_FILES);
	}
	cr_assert(count == MAX_FILES && sum > MAX_SIZE * (MAX_FILES - 1) * 8 / 10, "nearly all of it is used: %lld",
		(long long)sum);
	cr_assert(writer.dropped_bytes == 0);
	log_close(&writer);
	directory_drop();
}

TEST(logs, one_file_alone_is_a_bound_too)
{
	struct log_writer writer = writer_open(directory_make(), 1000, 1);
	int64_t greatest;
	int count;

	for (int i = 0; i < 100; i++)
		log_feed(&writer, LOG_STDOUT, "0123456789\n", 11);
	cr_assert(sizes(&greatest, &count) <= 1000);
	cr_assert(count == 1);
	log_close(&writer);
	directory_drop();
}

TEST(logs, removes_files_of_a_higher_bound)
{
	int dir = directory_make(), count;
	int64_t greatest;
	struct log_writer writer = writer_open(dup(dir), 100, 5);

	for (int i = 0; i < 20; i++)
		log_feed(&writer, LOG_STDOUT, "0123456789012345678901234567890\n", 32);
	log_close(&writer);
	sizes(&greatest, &count);
	cr_assert(count == 5, "%d", count);
	writer = writer_open(dir, 100, 2);
	sizes(&greatest, &count);
	cr_assert(count == 2, "%d", count);
	log_close(&writer);
	directory_drop();
}

TEST(logs, drops_and_counts_on_a_full_disk_and_goes_on_after)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct log_writer writer;
	char line[1000];
	int dir, filler;

	NEEDS_ROOT();
	close(directory_make());
	cr_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	cr_assert(mount("tmpfs", directory, "tmpfs", 0, "size=64k") == 0);
	dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	writer = writer_open(dir, 1 << 20, 3);
	memset(line, 'z', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 100; i++)
		log_feed(&writer, LOG_STDOUT, line, sizeof(line));
	cr_assert(writer.dropped_bytes > 30 * 1000, "%lld", (long long)writer.dropped_bytes);
	const char *text = content(&arena, "log");
	size_t length = strlen(text);

	cr_assert(length % (LOG_PREFIX_LENGTH + sizeof(line)) == 0, "only whole lines: %zu", length);
	/* Room again. */
	filler = openat(dir, "log", O_WRONLY | O_TRUNC);
	close(filler);
	int64_t dropped = writer.dropped_bytes;

	log_feed(&writer, LOG_STDOUT, "again\n", 6);
	cr_assert(writer.dropped_bytes == dropped);
	cr_assert(text_ends_with(content(&arena, "log"), " stdout again\n"));
	log_close(&writer);
	cr_assert(umount2(directory, MNT_DETACH) == 0);
	directory_drop();
}

TEST(logs, times_are_read_as_they_are_written)
{
	static const int64_t times[] = {
		0, 951782399999, 951782400000, 1709164800123, 1735689599999, 4102444800000, 253402300799999};
	char text[25];

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		log_time_format(times[i], text);
		cr_assert(log_time_parse(text, 24) == times[i], "%s", text);
	}
	log_time_format(951782400000, text);
	cr_assert_str_eq(text, "2000-02-29T00:00:00.000Z");
	cr_assert(log_time_parse("2000-02-29 00:00:00.000Z", 24) == -1);
	cr_assert(log_time_parse("2000-02-29T00:00", 16) == -1);
}
