/* The process that uncompresses, hashes the tar and hands it on to the extractor, its child. It can reach no file at
 * all. When the extractor ends early, its reason is the one that counts. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "base/socket.h"
#include "images/pull/digest.h"
#include "images/pull/inflate.h"
#include "images/pull/sandbox.h"
#include "images/pull/unpack.h"

#define PIECE (256 << 10)
#define LIMIT_BYTES (256ULL << 30)
#define LIMIT_RATIO 300ULL
#define LIMIT_RATIO_FLOOR (1ULL << 30)

struct job {
	struct layer_limits limits;
	struct inflate inflate;
	struct digest digest;
	uint64_t packed, tar;
	int in, out;
	uint8_t *piece, *plain;
};

static void limits_complete(struct layer_limits *limits)
{
	if (!limits->bytes)
		limits->bytes = LIMIT_BYTES;
	if (!limits->ratio)
		limits->ratio = LIMIT_RATIO;
	if (!limits->ratio_floor)
		limits->ratio_floor = LIMIT_RATIO_FLOOR;
}

static int limits_check(const struct job *job, struct error *err)
{
	if (job->tar > job->limits.bytes)
		return fail(err, ERROR_USAGE, "unpacks to more than %llu bytes", (unsigned long long)job->limits.bytes);
	if (job->tar > job->limits.ratio_floor && job->tar / job->limits.ratio > job->packed)
		return fail(err, ERROR_USAGE,
			"%llu bytes unpack to more than %llu: over %llu times as much is taken for a bomb",
			(unsigned long long)job->packed, (unsigned long long)job->tar,
			(unsigned long long)job->limits.ratio);
	return 0;
}

static int plain_send(struct job *job, size_t length, struct error *err)
{
	job->tar += length;
	if (limits_check(job, err) < 0)
		return -1;
	digest_add(&job->digest, job->plain, length);
	return write_all(job->out, job->plain, length) < 0 ? fail_errno(err, "hand over to the extractor") : 0;
}

/* All of a piece of input; what the decoder keeps back comes out with the last call, which does not fill the room. */
static int piece_inflate(struct job *job, const uint8_t *bytes, size_t length, struct error *err)
{
	struct inflate_io io = {.in = bytes, .in_length = length};

	do {
		io.out = job->plain;
		io.out_length = PIECE;
		if (inflate_step(&job->inflate, &io, err) < 0)
			return -1;
		if (io.out_length < PIECE && plain_send(job, PIECE - io.out_length, err) < 0)
			return -1;
	} while (io.in_length || !io.out_length);
	return 0;
}

/* As much as fits, or all there is. */
static ssize_t piece_read(struct job *job, size_t least)
{
	size_t length = 0;

	while (length < least) {
		ssize_t got = read_retried(job->in, job->piece + length, PIECE - length);

		if (got < 0)
			return -1;
		if (!got)
			break;
		length += (size_t)got;
	}
	job->packed += length;
	return (ssize_t)length;
}

static int stream_inflate(struct job *job, struct error *err)
{
	ssize_t length = piece_read(job, INFLATE_MAGIC_MAX);

	if (length < 0 || inflate_begin(&job->inflate, job->piece, (size_t)length, err) < 0)
		return length < 0 ? fail_errno(err, "read") : -1;
	while (length > 0) {
		if (piece_inflate(job, job->piece, (size_t)length, err) < 0)
			return -1;
		length = piece_read(job, 1);
	}
	return length < 0 ? fail_errno(err, "read") : inflate_end(&job->inflate, err);
}

/* The extractor's report, or what became of it without one. */
static void report_take(int from, pid_t pid, struct unpack_report *report)
{
	siginfo_t info = {0};
	size_t length = 0;
	ssize_t got;

	while (length < sizeof(*report) &&
		(got = read_retried(from, (char *)report + length, sizeof(*report) - length)) > 0)
		length += (size_t)got;
	while (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0 && errno == EINTR)
		;
	if (length == sizeof(*report))
		return;
	*report = (struct unpack_report){0};
	if (info.si_code == CLD_EXITED)
		fail(&report->err, ERROR_SYSTEM, "the process that unpacks ended with status %d", info.si_status);
	else
		fail(&report->err, ERROR_SYSTEM, "the process that unpacks was ended by signal %d", info.si_status);
}

/* A broken pipe says only that the extractor has failed; anything else is why the extractor saw no end. */
static void reason_choose(struct unpack_report *report, const struct error *own)
{
	if (own->kind && (own->errnum != EPIPE || !report->err.kind))
		report->err = *own;
}

static int job_prepare(struct job *job, struct error *err)
{
	limits_complete(&job->limits);
	job->piece = malloc(PIECE);
	job->plain = malloc(PIECE);
	if (!job->piece || !job->plain)
		return fail_errno(err, "take memory");
	return digest_begin(&job->digest, err);
}

static void job_run(struct job *job, pid_t extractor, int report, struct unpack_report *out)
{
	struct error err = {0};
	int failed = job_prepare(job, &err) < 0 || sandbox_inflater(&err) < 0 || stream_inflate(job, &err) < 0;

	/* Cut short, the tar must not look complete: its end may have come already. The exit closes the pipe. */
	if (failed && err.errnum != EPIPE) {
		out->err = err;
		return;
	}
	fd_drop(&job->out);
	report_take(report, extractor, out);
	reason_choose(out, &err);
	digest_end(&job->digest, out->diff_id);
	out->tar_bytes = job->tar;
	snprintf(out->compression, sizeof(out->compression), "%s", inflate_name(&job->inflate));
}

/* In the new process, whose parent may have died meanwhile. */
static void extractor_begin(const struct unpack_order *order, const int fds[UNPACK_DESCRIPTORS], int tar, int report)
{
	int keep[] = {tar, fds[UNPACK_DIRECTORY], fds[UNPACK_LISTS], fds[UNPACK_ALIVE], report};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || fds_close_all_but(keep, ARRAY_SIZE(keep)) < 0)
		_exit(1);
	unpack_extractor(order, tar, fds[UNPACK_DIRECTORY], fds[UNPACK_LISTS], report);
}

/* Gives the extractor's pid; *tar is where it reads, *report what it writes. */
static pid_t extractor_start(
	const struct unpack_order *order, const int fds[UNPACK_DESCRIPTORS], int *tar, int *report, struct error *err)
{
	int tar_ends[2], report_ends[2];
	pid_t pid;

	if (pipe2(tar_ends, O_CLOEXEC) < 0 || pipe2(report_ends, O_CLOEXEC) < 0)
		return fail_errno(err, "make a pipe");
	if (fcntl(tar_ends[1], F_SETPIPE_SZ, 1 << 20) < 0)
		errno = 0; /* the user's share of large pipes is used up: slower, not wrong */
	pid = process_clone(0, -1, NULL);
	if (pid < 0)
		return fail_errno(err, "start a process that unpacks");
	if (!pid)
		extractor_begin(order, fds, tar_ends[0], report_ends[1]);
	close(tar_ends[0]);
	close(report_ends[1]);
	*tar = tar_ends[1];
	*report = report_ends[0];
	return pid;
}

void unpack_inflater(const struct unpack_order *order, const int fds[UNPACK_DESCRIPTORS])
{
	struct job job = {.limits = order->limits, .in = fds[UNPACK_INPUT]};
	struct unpack_report out = {0};
	int report = -1;
	pid_t pid;

	prctl(PR_SET_NAME, "warren-inflate");
	signal(SIGPIPE, SIG_IGN);
	pid = extractor_start(order, fds, &job.out, &report, &out.err);
	close(fds[UNPACK_DIRECTORY]);
	close(fds[UNPACK_LISTS]);
	if (pid > 0)
		job_run(&job, pid, report, &out);
	_exit(socket_send(fds[UNPACK_RESULT], &out, sizeof(out), NULL, 0) < 0);
}
