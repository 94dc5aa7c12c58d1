/* What a monitor reads of its instance: output, in pieces of any size on two streams, and an answer to a health check's
 * question. The log holds every byte of it, each stream in its order, in lines that begin as they must; of an answer
 * only the status counts. */
#include "tests/fuzz/fuzz.h"

#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "fleet/health/probe.h"
#include "fleet/logs/logs.h"

#define OUTPUT_MAX 65536

struct said {
	const uint8_t *bytes[OUTPUT_MAX];
	size_t count, seen;
};

/* --- the log ------------------------------------------------------------------------------------------------------ */

/* Three bytes in front of each piece: its stream and its length. */
static void feed(struct log_writer *writer, struct said said[LOG_STREAMS], const uint8_t *data, size_t size)
{
	while (size > 3) {
		enum log_stream_index stream = data[0] & 1 ? LOG_STDERR : LOG_STDOUT;
		size_t length = (size_t)data[1] << 8 | data[2];

		data += 3, size -= 3;
		length = length < size ? length : size;
		log_feed(writer, stream, (const char *)data, length);
		for (size_t i = 0; i < length; i++)
			said[stream].bytes[said[stream].count++] = &data[i];
		data += length, size -= length;
	}
}

/* One line of the log: what was said next, with a line break that was said, or one where it was cut or ended. */
static void logged_check(struct said *said, const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		FUZZ_ASSERT(said->seen < said->count && *said->bytes[said->seen] == (uint8_t)line[i]);
		said->seen++;
	}
	if (said->seen < said->count && *said->bytes[said->seen] == '\n' && length < LOG_LINE_MAX)
		said->seen++;
	else
		FUZZ_ASSERT(length == LOG_LINE_MAX || said->seen == said->count);
}

static void log_check(struct said said[LOG_STREAMS], const char *text, size_t size)
{
	while (size) {
		const char *end = memchr(text, '\n', size);

		FUZZ_ASSERT(end && end - text >= LOG_PREFIX_LENGTH && log_time_parse(text, 24) > 0);
		bool is_error = memcmp(text + 24, " stderr ", 8) == 0;

		FUZZ_ASSERT(is_error || memcmp(text + 24, " stdout ", 8) == 0);
		logged_check(&said[is_error ? LOG_STDERR : LOG_STDOUT], text + LOG_PREFIX_LENGTH,
			(size_t)(end - text) - LOG_PREFIX_LENGTH);
		size -= (size_t)(end + 1 - text);
		text = end + 1;
	}
	for (int i = 0; i < LOG_STREAMS; i++)
		FUZZ_ASSERT(said[i].seen == said[i].count);
}

static void output_check(const uint8_t *data, size_t size)
{
	static struct said said[LOG_STREAMS];
	struct log_writer writer;
	struct error err;

	FUZZ_ASSERT(log_memory_make(&writer, &err) == 0);
	writer.fd = memfd_create("log", MFD_CLOEXEC);
	writer.max_size = INT64_MAX / 2;
	writer.max_files = 1;
	memset(said, 0, sizeof(said));
	feed(&writer, said, data, size);
	log_flush(&writer);
	FUZZ_ASSERT(writer.dropped_bytes == 0);
	if (writer.size) {
		char *text = mmap(NULL, (size_t)writer.size, PROT_READ, MAP_PRIVATE, writer.fd, 0);

		FUZZ_ASSERT(text != MAP_FAILED);
		log_check(said, text, (size_t)writer.size);
		munmap(text, (size_t)writer.size);
	}
	log_close(&writer);
}

/* --- an answer ---------------------------------------------------------------------------------------------------- */

static void answer_check(const uint8_t *data, size_t size)
{
	struct health_check check = {.kind = HEALTH_KIND_HTTP, .timeout_ms = 1000};
	struct probe probe = PROBE_IDLE;
	struct health_answer answer;
	int ends[2];

	FUZZ_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	if (size > 8192)
		size = 8192;
	FUZZ_ASSERT(write(ends[1], data, size) == (ssize_t)size);
	close(ends[1]);
	probe.fd = ends[0];
	probe.events = POLLIN;
	while (!probe_turn(&check, &probe, &answer))
		;
	FUZZ_ASSERT(probe.fd < 0 && memchr(answer.output, '\0', sizeof(answer.output)));
	FUZZ_ASSERT(answer.well == (answer.status >= 200 && answer.status < 400));
	FUZZ_ASSERT(answer.status == -1 || (size >= 12 && memcmp(data, "HTTP/1.", 7) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > OUTPUT_MAX)
		return 0;
	output_check(data, size);
	answer_check(data, size);
	return 0;
}
