/* Log lines: one write(2) each, so that lines of several processes do not mix. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"

/* This program's only mutable globals: set once by main(). */
static struct {
	const char *program;
	enum log_level level;
	enum log_format format;
	int fd;
} target = {.program = "warren", .level = LOG_WARN, .format = LOG_TEXT, .fd = STDERR_FILENO};

static const struct {
	const char *prefix; /* in text */
	const char *name;   /* in JSON, as logrus writes it */
} levels[] = {
	[LOG_ERROR] = {"", "error"},
	[LOG_WARN] = {"warning: ", "warning"},
	[LOG_INFO] = {"", "info"},
	[LOG_DEBUG] = {"debug: ", "debug"},
};

void log_setup(const char *program, enum log_level level, enum log_format format, int fd)
{
	int copy = fd == STDERR_FILENO ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (target.fd != STDERR_FILENO)
		close(target.fd);
	target.program = program;
	target.level = level;
	target.format = format;
	target.fd = copy < 0 ? STDERR_FILENO : copy;
}

static void write_text(enum log_level level, const char *message)
{
	struct text line AUTO(text_drop) = {0};
	int ignored;

	text_appendf(&line, "%s: %s%s\n", target.program, levels[level].prefix, message);
	ignored = write_all(target.fd, line.data, line.length);
	(void)ignored;
}

static void write_json(enum log_level level, const char *message)
{
	struct encoder *encoder AUTO(encoder_drop) = encoder_new(ENCODE_COMPACT);
	auto_free char *line = NULL;
	char stamp[32];
	struct tm utc;
	time_t now = time(NULL);
	size_t length;
	int ignored;

	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
	encode_object_begin(encoder, NULL);
	encode_string(encoder, "level", levels[level].name);
	encode_string(encoder, "msg", message);
	encode_string(encoder, "time", stamp);
	encode_object_end(encoder);
	line = encoder_take(encoder, &length);
	line[length++] = '\n'; /* in place of the NUL: written by length */
	ignored = write_all(target.fd, line, length);
	(void)ignored;
}

/* The message goes through struct error, which makes any text one printable line. */
static void PRINTF(2, 0) log_line(enum log_level level, const char *format, va_list args)
{
	int saved = errno;
	auto_free char *draft = NULL;
	struct error message;

	if (level > target.level)
		return;
	if (vasprintf(&draft, format, args) < 0) {
		draft = NULL;
		memory_exhausted();
	}
	fail(&message, ERROR_SYSTEM, "%s", draft);
	if (target.format == LOG_JSON)
		write_json(level, message.text);
	else
		write_text(level, message.text);
	errno = saved;
}

#define DEFINE_LOG(name, level)                                                                                        \
	void name(const char *format, ...)                                                                             \
	{                                                                                                              \
		va_list args;                                                                                          \
                                                                                                                       \
		va_start(args, format);                                                                                \
		log_line(level, format, args);                                                                         \
		va_end(args);                                                                                          \
	}

DEFINE_LOG(log_error, LOG_ERROR)
DEFINE_LOG(log_warn, LOG_WARN)
DEFINE_LOG(log_info, LOG_INFO)
DEFINE_LOG(log_debug, LOG_DEBUG)
