/* The process that reads tar and makes files: the only one that runs libarchive, and the one with the fewest rights
 * that this can be done with. It says what it made; it does not say what the archive was. */
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "images/pull/sandbox.h"
#include "images/pull/tar.h"
#include "images/pull/unpack.h"

#define PIECE (256 << 10)

struct pipe_input {
	struct tar_input input;
	int fd;
	uint8_t piece[PIECE];
};

/* Whole blocks of the pipe at a time: fewer calls and no seam inside of what libarchive wants to see in one piece. */
static ssize_t pipe_next(struct tar_input *input, const void **bytes, struct error *err)
{
	struct pipe_input *pipe = (struct pipe_input *)input;
	size_t length = 0;

	while (length < PIECE) {
		ssize_t got = read_retried(pipe->fd, pipe->piece + length, PIECE - length);

		if (got < 0)
			return fail_errno(err, "read from the process that uncompresses");
		if (!got)
			break;
		length += (size_t)got;
	}
	*bytes = pipe->piece;
	return (ssize_t)length;
}

static void list_append(struct text *text, char letter, const struct strings *list)
{
	for (size_t i = 0; i < list->count; i++) {
		text_append_bytes(text, &letter, 1);
		text_append_bytes(text, list->items[i], strlen(list->items[i]) + 1);
	}
}

static int lists_write(int fd, const struct extract *extract, struct error *err)
{
	struct text text AUTO(text_drop) = {0};

	list_append(&text, UNPACK_OPAQUE, &extract->opaque);
	list_append(&text, UNPACK_IMPLIED, &extract->implied);
	if (text.length > UNPACK_LISTS_MAX)
		return fail(err, ERROR_USAGE, "its marks and implied directories take more than %d MiB",
			UNPACK_LISTS_MAX >> 20);
	return text.length && write_all(fd, text.data, text.length) < 0 ? fail_errno(err, "write a list") : 0;
}

static int extract_all(struct extract *extract, int tar, int lists, struct error *err)
{
	struct pipe_input *input = malloc(sizeof(*input));
	int result;

	if (!input)
		return fail_errno(err, "take memory");
	input->input = (struct tar_input){.next = pipe_next};
	input->fd = tar;
	result = tar_extract(&input->input, extract, err) < 0 || extract_finish(extract, err) < 0
			 ? -1
			 : lists_write(lists, extract, err);
	free(input);
	return result;
}

void unpack_extractor(const struct unpack_order *order, int tar, int directory, int lists, int report)
{
	struct unpack_report out = {0};
	struct extract extract;

	prctl(PR_SET_NAME, "warren-extract");
	umask(0);
	extract_begin(&extract, directory, order->base, &order->limits);
	if (sandbox_extractor(directory, &out.err) == 0 && extract_all(&extract, tar, lists, &out.err) == 0)
		out.err.kind = ERROR_NONE;
	out.content = extract.content;
	out.left_out = extract.left_out;
	out.overlay_marks = extract.overlay_marks;
	memcpy(out.left_out_first, extract.left_out_first, sizeof(out.left_out_first));
	_exit(write_all(report, &out, sizeof(out)) < 0);
}
