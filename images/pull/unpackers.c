/* The process that makes unpacking processes. It is forked before the program has threads (a fork of a process with
 * threads may find any lock taken) and before it knows passwords (what unpacks must not have them in its memory), does
 * nothing but fork, and ends with the program. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "base/socket.h"
#include "images/pull/digest.h"
#include "images/pull/layer.h"
#include "images/pull/tar.h"
#include "images/pull/unpack.h"

/* A million names, or zstd's largest window; an archive that wants more memory ends its own process. */
#define MEMORY_MAX (1ULL << 30)

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESSES_LIMITED 0
#elif defined(__has_feature)
#define ADDRESSES_LIMITED (!__has_feature(address_sanitizer))
#else
#define ADDRESSES_LIMITED 1
#endif

static void limits_set(void)
{
	struct rlimit none = {0, 0}, memory = {MEMORY_MAX, MEMORY_MAX}, files;

	setrlimit(RLIMIT_CORE, &none); /* it would hold what the image holds */
	if (ADDRESSES_LIMITED)
		setrlimit(RLIMIT_AS, &memory);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* a tree is counted with one descriptor a level */
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* Signals of the terminal are the program's to answer: it ends us. */
static void signals_set(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
}

static int standard_close(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			return -1;
	return null > STDERR_FILENO ? close(null) : 0;
}

static void job_begin(const struct unpack_order *order, const int fds[UNPACK_DESCRIPTORS])
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || fds_close_all_but(fds, UNPACK_DESCRIPTORS) < 0)
		_exit(1);
	unpack_inflater(order, fds);
}

static void job_start(const struct unpack_order *order, const int fds[UNPACK_DESCRIPTORS])
{
	struct error err = {0};
	auto_fd pidfd = -1;
	pid_t pid = process_clone(0, -1, &pidfd);

	if (!pid)
		job_begin(order, fds);
	if (pid < 0)
		fail_errno(&err, "start a process that unpacks");
	/* Nobody there to read it: the program is ending, and so are we. */
	if (socket_send(fds[UNPACK_RESULT], &err, sizeof(err), &pidfd, pid > 0) < 0 && pid > 0)
		kill(pid, SIGKILL);
}

/* Reaped, not ignored: so what they have used counts as used by the program. */
static void children_reap(int options)
{
	pid_t pid;

	do
		pid = waitpid(-1, NULL, options);
	while (pid > 0 || (pid < 0 && errno == EINTR));
}

_Noreturn static void server_run(int socket)
{
	for (;;) {
		int fds[UNPACK_DESCRIPTORS];
		size_t count = UNPACK_DESCRIPTORS;
		struct unpack_order order;
		ssize_t length = socket_receive(socket, &order, sizeof(order), fds, &count);

		if (length < 0 && errno == EINTR)
			continue;
		if (length != sizeof(order)) {
			children_reap(0);
			_exit(length != 0);
		}
		children_reap(WNOHANG);
		if (count == UNPACK_DESCRIPTORS)
			job_start(&order, fds);
		for (size_t i = 0; i < count; i++)
			close(fds[i]);
	}
}

/* What the children would need files or locks for, done once here: they have it by their copy of the memory. */
static int libraries_prepare(struct error *err)
{
	char digest[REFERENCE_DIGEST_SIZE];

	return tar_setup(err) < 0 ? -1 : digest_of("", 0, digest, err);
}

_Noreturn static void server_begin(int socket)
{
	struct error err;

	prctl(PR_SET_NAME, "warren-unpack");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || fds_close_all_but(&socket, 1) < 0 || standard_close() < 0)
		_exit(1);
	signals_set();
	limits_set();
	if (libraries_prepare(&err) < 0)
		_exit(1);
	server_run(socket);
}

int unpackers_start(struct unpackers *out, struct error *err)
{
	int ends[2];
	pid_t pid;

	*out = UNPACKERS_NONE;
	if (geteuid() != 0)
		return fail(err, ERROR_USAGE, "images are unpacked by root only: their files belong to many users");
	if (tar_setup(err) < 0 || socket_pair(ends, err) < 0)
		return -1;
	pid = process_clone(0, -1, NULL);
	if (!pid)
		server_begin(ends[1]);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return fail_errno(err, "start the process for unpacking");
	}
	*out = (struct unpackers){.socket = ends[0], .pid = pid};
	return 0;
}

void unpackers_drop(struct unpackers *unpackers)
{
	int saved = errno;

	fd_drop(&unpackers->socket);
	while (unpackers->pid > 0 && waitpid(unpackers->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*unpackers = UNPACKERS_NONE;
	errno = saved;
}
