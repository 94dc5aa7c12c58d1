/* Errors as values: formatted on the stack, made fit to be shown as one line, and cut in the middle when too long.
 *
 * Texts carry names from files and paths that a workload chose. Control characters (line breaks, escape sequences for a
 * terminal) and bytes that are not UTF-8 therefore become '?': whatever happens, an error is one harmless line. */
#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* Room for a few paths at full length; the reason behind them is appended after formatting and so never lost. */
#define DRAFT_SIZE 16384

static const char ellipsis[] = "…";

static bool is_control(const char *bytes, size_t length)
{
	const unsigned char *b = (const unsigned char *)bytes;

	if (length == 1)
		return b[0] < 0x20 || b[0] == 0x7f;
	return length == 2 && b[0] == 0xc2 && b[1] < 0xa0; /* U+0080…U+009F */
}

/* Only ever makes the text shorter, so it is done in place. Gives the new length. */
static size_t make_printable(char *text, size_t length)
{
	size_t out = 0;

	for (size_t in = 0; in < length;) {
		size_t step = utf8_length(text + in, length - in);

		if (!step || is_control(text + in, step)) {
			text[out++] = '?';
			in += step ? step : 1;
			continue;
		}
		memmove(text + out, text + in, step);
		out += step;
		in += step;
	}
	text[out] = '\0';
	return out;
}

static bool is_continuation(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

static void text_set(struct error *err, char *draft, size_t length)
{
	const size_t mark = sizeof(ellipsis) - 1;
	size_t head, tail;

	length = make_printable(draft, length);
	if (length < ERROR_TEXT_SIZE) {
		memcpy(err->text, draft, length + 1);
		return;
	}
	head = (ERROR_TEXT_SIZE - 1 - mark) / 2;
	tail = length - (ERROR_TEXT_SIZE - 1 - mark - head);
	while (is_continuation(draft[head]))
		head--;
	while (is_continuation(draft[tail]))
		tail++;
	memcpy(err->text, draft, head);
	memcpy(err->text + head, ellipsis, mark);
	memcpy(err->text + head + mark, draft + tail, length - tail + 1);
}

/* Formats into draft, leaving `reserve` bytes for what follows. Gives the length. */
static size_t PRINTF(3, 0) draft_format(char draft[DRAFT_SIZE], size_t reserve, const char *format, va_list args)
{
	int length = vsnprintf(draft, DRAFT_SIZE - reserve, format, args);

	if (length < 0) /* a format that printf itself refuses: say at least which */
		length = snprintf(draft, DRAFT_SIZE - reserve, "%s", format);
	if ((size_t)length >= DRAFT_SIZE - reserve)
		return DRAFT_SIZE - reserve - 1;
	return (size_t)length;
}

static size_t draft_append(char draft[DRAFT_SIZE], size_t length, const char *more)
{
	size_t room = DRAFT_SIZE - 1 - length, more_length = strlen(more);

	if (more_length > room)
		more_length = room;
	memcpy(draft + length, more, more_length);
	draft[length + more_length] = '\0';
	return length + more_length;
}

int(fail)(struct error *err, enum error_kind kind, const char *format, ...)
{
	char draft[DRAFT_SIZE];
	size_t length;
	va_list args;

	assert(kind != ERROR_NONE);
	va_start(args, format);
	length = draft_format(draft, 0, format, args);
	va_end(args);
	text_set(err, draft, length);
	err->kind = kind;
	err->errnum = 0;
	return -1;
}

/* What the C library says, but where that leaves the reader alone. NULL: unknown. */
static const char *reason_of(int errnum)
{
	if (errnum == ENOSYS)
		return "Function not implemented; Linux 6.1 or newer is needed, with no filter around that hides the "
		       "call";
	return strerrordesc_np(errnum);
}

int(fail_errno)(struct error *err, const char *format, ...)
{
	int errnum = errno;
	char draft[DRAFT_SIZE], unknown[32];
	const char *reason = reason_of(errnum);
	size_t length;
	va_list args;

	if (!reason) {
		snprintf(unknown, sizeof(unknown), "error %d", errnum);
		reason = unknown;
	}
	va_start(args, format);
	length = draft_format(draft, ERROR_TEXT_SIZE, format, args);
	va_end(args);
	length = draft_append(draft, length, ": ");
	length = draft_append(draft, length, reason);
	text_set(err, draft, length);
	err->kind = ERROR_SYSTEM;
	err->errnum = errnum;
	errno = errnum;
	return -1;
}

int(blame)(struct error *err, const char *format, ...)
{
	int saved = errno;
	char draft[DRAFT_SIZE];
	size_t length;
	va_list args;

	assert(err->kind != ERROR_NONE);
	va_start(args, format);
	length = draft_format(draft, ERROR_TEXT_SIZE + 2, format, args);
	va_end(args);
	length = draft_append(draft, length, ": ");
	length = draft_append(draft, length, err->text);
	text_set(err, draft, length);
	errno = saved;
	return -1;
}

int error_exit_status(const struct error *err)
{
	static const int statuses[] = {
		[ERROR_NONE] = 0,
		[ERROR_USAGE] = 2,
		[ERROR_MISSING] = 3,
		[ERROR_BUSY] = 4,
		[ERROR_SYSTEM] = 1,
	};

	return statuses[err->kind];
}
