/* The side of an unpacking that holds the rights: it hashes what it hands over, and believes nothing that comes back
 * but within limits. */
#include "images/pull/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "base/process.h"
#include "base/socket.h"
#include "images/pull/digest.h"
#include "images/pull/unpack.h"

#define STALL_MS (5 * 60 * 1000)
#define GONE_MS (60 * 1000)
#define COMPRESSIONS_COUNT 4

struct layer_unpack {
	char expected[REFERENCE_DIGEST_SIZE], diff_id[REFERENCE_DIGEST_SIZE]; /* empty: not known */
	int64_t size, stall_ms;
	int directory; /* a copy */
	int input, result, lists, alive, pidfd;
	struct digest digest;
	uint64_t packed;
};

/* ---- starting ---- */

static struct layer_unpack *unpack_new(const struct layer_request *request, struct error *err)
{
	struct layer_unpack *unpack = calloc(1, sizeof(*unpack));

	if (!unpack) {
		fail_errno(err, "take memory");
		return NULL;
	}
	*unpack = (struct layer_unpack){.size = request->size,
		.input = -1,
		.result = -1,
		.lists = -1,
		.alive = -1,
		.pidfd = -1,
		.directory = fcntl(request->directory, F_DUPFD_CLOEXEC, 3)};
	unpack->stall_ms = request->limits.stall_ms ? request->limits.stall_ms : STALL_MS;
	snprintf(unpack->expected, sizeof(unpack->expected), "%s", request->digest ? request->digest : "");
	snprintf(unpack->diff_id, sizeof(unpack->diff_id), "%s", request->diff_id ? request->diff_id : "");
	return unpack;
}

/* A writing end that never blocks: how long to wait is ours to decide. */
static int input_make(struct layer_unpack *unpack, int *theirs, struct error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno(err, "make a pipe");
	*theirs = ends[0];
	unpack->input = ends[1];
	if (fcntl(unpack->input, F_SETFL, O_NONBLOCK) < 0)
		return fail_errno(err, "set up a pipe");
	if (fcntl(unpack->input, F_SETPIPE_SZ, 1 << 20) < 0)
		errno = 0; /* the user's share of large pipes is used up: slower, not wrong */
	return 0;
}

static int alive_make(struct layer_unpack *unpack, int *theirs, struct error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno(err, "make a pipe");
	unpack->alive = ends[0];
	*theirs = ends[1];
	return 0;
}

static int result_make(struct layer_unpack *unpack, int *theirs, struct error *err)
{
	int ends[2];

	if (socket_pair(ends, err) < 0)
		return -1;
	unpack->result = ends[0];
	*theirs = ends[1];
	return 0;
}

/* 1: readable; 0: the time is out. */
static int wait_readable(int fd, int64_t timeout_ms)
{
	int64_t deadline = clock_deadline_ms(timeout_ms);
	struct pollfd event = {.fd = fd, .events = POLLIN};
	int left, ready;

	while ((left = clock_poll_ms(deadline)) != 0) {
		ready = poll(&event, 1, left);
		if (ready > 0)
			return 1;
	}
	return 0;
}

static int fail_stalled(const struct layer_unpack *unpack, struct error *err)
{
	char text[24];

	return fail(err, ERROR_SYSTEM, "the unpacking has made no progress for %s",
		duration_format(unpack->stall_ms, text));
}

static int started_await(struct layer_unpack *unpack, struct error *err)
{
	size_t count = 1;
	struct error answer;
	ssize_t length;

	if (!wait_readable(unpack->result, unpack->stall_ms))
		return fail_stalled(unpack, err);
	length = socket_receive(unpack->result, &answer, sizeof(answer), &unpack->pidfd, &count);
	if (length != sizeof(answer))
		return fail(err, ERROR_SYSTEM, "the process for unpacking is gone");
	if (answer.kind) {
		*err = answer;
		return -1;
	}
	return count == 1 ? 0 : fail(err, ERROR_SYSTEM, "the process for unpacking gave no descriptor");
}

static int unpack_order(const struct unpackers *unpackers, struct layer_unpack *unpack,
	const struct layer_request *request, struct error *err)
{
	struct unpack_order order = {.base = request->base, .limits = request->limits};
	auto_fd input = -1, result = -1, alive = -1;

	unpack->lists = memfd_create("lists", MFD_CLOEXEC);
	if (unpack->directory < 0 || unpack->lists < 0)
		return fail_errno(err, "begin to unpack");
	if (digest_begin(&unpack->digest, err) < 0 || input_make(unpack, &input, err) < 0 ||
		result_make(unpack, &result, err) < 0 || alive_make(unpack, &alive, err) < 0)
		return -1;
	int fds[UNPACK_DESCRIPTORS] = {
		[UNPACK_INPUT] = input,
		[UNPACK_DIRECTORY] = unpack->directory,
		[UNPACK_RESULT] = result,
		[UNPACK_ALIVE] = alive,
		[UNPACK_LISTS] = unpack->lists,
	};
	if (socket_send(unpackers->socket, &order, sizeof(order), fds, UNPACK_DESCRIPTORS) < 0)
		return fail_errno(err, "ask for a process that unpacks");
	fd_drop(&result);
	return started_await(unpack, err);
}

struct layer_unpack *layer_unpack_start(
	const struct unpackers *unpackers, const struct layer_request *request, struct error *err)
{
	struct layer_unpack *unpack = unpack_new(request, err);

	if (unpack && unpack_order(unpackers, unpack, request, err) < 0)
		layer_unpack_drop(&unpack);
	return unpack;
}

/* ---- ending ---- */

/* Both processes have closed their ends: nobody writes below the directory any more. */
static int gone_await(const struct layer_unpack *unpack, int64_t timeout_ms, struct error *err)
{
	return wait_readable(unpack->alive, timeout_ms) ? 0 : fail_stalled(unpack, err);
}

void layer_unpack_drop(struct layer_unpack **slot)
{
	struct layer_unpack *unpack = *slot;
	int saved = errno;

	if (!unpack)
		return;
	fd_drop(&unpack->input);
	if (unpack->pidfd >= 0) {
		pidfd_send_signal(unpack->pidfd, SIGKILL, NULL, 0); /* its child is killed with it */
		wait_readable(unpack->alive, GONE_MS);
	}
	fd_drop(&unpack->result);
	fd_drop(&unpack->lists);
	fd_drop(&unpack->alive);
	fd_drop(&unpack->pidfd);
	fd_drop(&unpack->directory);
	digest_drop(&unpack->digest);
	free(unpack);
	*slot = NULL;
	errno = saved;
}

/* Text that names things of an archive must not steer a terminal. */
static void text_defuse(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

static const char *compression_of(const char *text)
{
	static const char *const known[COMPRESSIONS_COUNT] = {"none", "gzip", "zstd", "xz"};

	for (size_t i = 0; i < COMPRESSIONS_COUNT; i++)
		if (!strcmp(text, known[i]))
			return known[i];
	return known[0];
}

static int report_receive(struct layer_unpack *unpack, struct unpack_report *report, struct error *err)
{
	size_t none = 0;
	ssize_t length;

	if (!wait_readable(unpack->result, unpack->stall_ms))
		return fail_stalled(unpack, err);
	length = socket_receive(unpack->result, report, sizeof(*report), NULL, &none);
	if (length != sizeof(*report))
		return fail(err, ERROR_SYSTEM, "the process that uncompresses ended without a result");
	text_defuse(report->err.text, sizeof(report->err.text));
	text_defuse(report->left_out_first, sizeof(report->left_out_first));
	text_defuse(report->compression, sizeof(report->compression));
	if (!report->err.kind)
		return 0;
	*err = report->err;
	if (err->kind > ERROR_SYSTEM)
		err->kind = ERROR_SYSTEM;
	return -1;
}

/* ---- feeding ---- */

/* The pipe is broken: what the other side says is the reason. */
static int fail_broken(struct layer_unpack *unpack, struct error *err)
{
	struct unpack_report report;

	if (report_receive(unpack, &report, err) < 0)
		return -1;
	return fail(err, ERROR_USAGE, "the archive ends before its bytes do");
}

static int room_await(struct layer_unpack *unpack, struct error *err)
{
	int64_t deadline = clock_deadline_ms(unpack->stall_ms);
	struct pollfd event = {.fd = unpack->input, .events = POLLOUT};
	int left;

	while ((left = clock_poll_ms(deadline)) != 0)
		if (poll(&event, 1, left) > 0)
			return 0;
	return fail_stalled(unpack, err);
}

/* How much was taken; 0: no room now. */
static ssize_t piece_send(struct layer_unpack *unpack, const void *bytes, size_t length, struct error *err)
{
	ssize_t put = write(unpack->input, bytes, length);

	if (put >= 0)
		return put;
	if (errno == EAGAIN || errno == EINTR)
		return 0;
	return errno == EPIPE ? fail_broken(unpack, err) : fail_errno(err, "hand over to the process that unpacks");
}

static int broken_look(struct layer_unpack *unpack, struct error *err)
{
	struct pollfd event = {.fd = unpack->input, .events = POLLOUT};

	return poll(&event, 1, 0) > 0 && event.revents & POLLERR ? fail_broken(unpack, err) : 0;
}

int layer_feed(struct layer_unpack *unpack, const void *bytes, size_t length, struct error *err)
{
	const uint8_t *next = bytes;

	if (!length)
		return broken_look(unpack, err);
	if (unpack->size >= 0 && length > (uint64_t)unpack->size - unpack->packed)
		return fail(err, ERROR_USAGE, "more than the promised %lld bytes came", (long long)unpack->size);
	unpack->packed += length;
	digest_add(&unpack->digest, bytes, length);
	while (length) {
		ssize_t put = piece_send(unpack, next, length, err);

		if (put < 0 || (!put && room_await(unpack, err) < 0))
			return -1;
		next += put;
		length -= (size_t)put;
	}
	return 0;
}

/* ---- what came of it ---- */

static int arrived_check(struct layer_unpack *unpack, char digest[REFERENCE_DIGEST_SIZE], struct error *err)
{
	digest_end(&unpack->digest, digest);
	if (unpack->size >= 0 && unpack->packed != (uint64_t)unpack->size)
		return fail(err, ERROR_USAGE, "%llu bytes came, %lld were promised", (unsigned long long)unpack->packed,
			(long long)unpack->size);
	if (*unpack->expected && strcmp(unpack->expected, digest))
		return fail(err, ERROR_USAGE, "the digest of what came is %s, not %s", digest, unpack->expected);
	return 0;
}

static int diff_id_check(const struct layer_unpack *unpack, const struct unpack_report *report, struct error *err)
{
	if (digest_check("diff id", report->diff_id, err) < 0)
		return -1;
	if (*unpack->diff_id && strcmp(unpack->diff_id, report->diff_id))
		return fail(err, ERROR_USAGE, "its content has the digest %s, the image's config says %s",
			report->diff_id, unpack->diff_id);
	return 0;
}

/* Inside the directory whatever is in it: it may have been filled by somebody who had taken over the extractor. "" is
 * the directory itself. */
static int opaque_set(int directory, const char *path, struct error *err)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	auto_fd fd = path_openat2(directory, *path ? path : ".", &how);

	if (fd < 0 || fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return fail_errno(err, "mark %.200s as opaque", path);
	return 0;
}

/* One path of the lists. What was replaced after its mark was noted needs none. */
static int list_item(int directory, struct arena *arena, struct strings *implied, const char *item, struct error *err)
{
	const char *path = item + 1;
	struct error reason;

	if (*item == UNPACK_OPAQUE) {
		if (opaque_set(directory, path, &reason) == 0)
			return 0;
		if (reason.errnum == ENOENT || reason.errnum == ENOTDIR)
			return 0;
		*err = reason;
		return -1;
	}
	if (*item == UNPACK_IMPLIED && *path) {
		strings_add(arena, implied, arena_string(arena, path));
		return 0;
	}
	return fail(err, ERROR_SYSTEM, "the process that unpacks gave a list that cannot be read");
}

static int lists_take(struct layer_unpack *unpack, struct arena *arena, struct strings *implied, struct error *err)
{
	const char *text, *end;
	size_t length;

	if (lseek(unpack->lists, 0, SEEK_SET) < 0)
		return fail_errno(err, "read a list");
	if (fd_read_all(arena, unpack->lists, UNPACK_LISTS_MAX, &text, &length, err) < 0)
		return -1;
	for (end = text + length; text < end; text += strlen(text) + 1)
		if (list_item(unpack->directory, arena, implied, text, err) < 0)
			return -1;
	return 0;
}

int layer_unpack_finish(struct layer_unpack *unpack, struct arena *arena, struct layer_result *out, struct error *err)
{
	struct unpack_report report;

	*out = (struct layer_result){.packed_bytes = unpack->packed};
	if (arrived_check(unpack, out->digest, err) < 0)
		return -1;
	fd_drop(&unpack->input);
	if (report_receive(unpack, &report, err) < 0 || gone_await(unpack, unpack->stall_ms, err) < 0 ||
		diff_id_check(unpack, &report, err) < 0 || lists_take(unpack, arena, &out->implied, err) < 0)
		return -1;
	memcpy(out->diff_id, report.diff_id, sizeof(out->diff_id));
	out->tar_bytes = report.tar_bytes;
	out->compression = compression_of(report.compression);
	out->content = report.content;
	out->left_out = report.left_out;
	out->left_out_first = arena_string(arena, report.left_out_first);
	out->overlay_marks = report.overlay_marks;
	return 0;
}
