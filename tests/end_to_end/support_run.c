#include "tests/end_to_end/support_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "tests/test.h"

#define TIMEOUT_MS SLOWLY(60000)
#define FD_ROOM 200 /* above what tests keep */

static void child_exec(const char *const argv[], const struct run_options *options, const int *stdio)
{
	int next = 3;

	setpgid(0, 0);
	if (options->directory && chdir(options->directory) < 0)
		_exit(126);
	/* Those to keep may have any number, also of one that is still needed: first all out of the way. */
	int moved[16], count = 0;
	for (const int *fd = options->keep; fd && *fd >= 0 && count < 16; fd++)
		moved[count++] = fcntl(*fd, F_DUPFD, FD_ROOM);
	for (int i = 0; i < 3; i++)
		dup2(stdio[i], i);
	for (int i = 0; i < count; i++)
		dup2(moved[i], next++);
	close_range((unsigned)next, ~0U, 0);
	if (options->env)
		environ = (char **)options->env;
	execvp(argv[0], (char *const *)argv);
	dprintf(2, "execute %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int input_open(const struct run_options *options)
{
	int fd;

	if (!options->input)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = memfd_create("input", MFD_CLOEXEC);
	cr_assert(fd >= 0 && write_all(fd, options->input, strlen(options->input)) == 0);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* False at the end of the stream. */
static bool stream_read(int fd, struct text *text)
{
	char buffer[16384];
	ssize_t length = read(fd, buffer, sizeof(buffer));

	if (length > 0)
		text_append_bytes(text, buffer, (size_t)length);
	return length > 0 || (length < 0 && (errno == EAGAIN || errno == EINTR));
}

static void streams_drain(const int *fds, struct text *texts)
{
	for (int i = 0; i < 2; i++) {
		struct pollfd ready = {.fd = fds[i], .events = POLLIN};

		while (fds[i] >= 0 && poll(&ready, 1, 0) == 1 && stream_read(fds[i], &texts[i]))
			;
	}
}

#define REAP_MS 50

/* Of all children but this one. */
static void others_reap(pid_t pid)
{
	siginfo_t ended = {0};

	while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid && ended.si_pid != pid) {
		waitpid(ended.si_pid, NULL, 0);
		ended = (siginfo_t){0};
	}
}

/* Collects until the process has ended; true when it did so in time. */
static bool collect(pid_t pid, int pidfd, int *fds, struct text *texts, const struct run_options *options)
{
	int64_t end = clock_ms() + (options->timeout_ms ? options->timeout_ms : TIMEOUT_MS);

	for (;;) {
		struct pollfd watch[3] = {{.fd = pidfd, .events = POLLIN}, {.fd = fds[0], .events = POLLIN},
			{.fd = fds[1], .events = POLLIN}};
		int64_t left = end - clock_ms();

		if (left <= 0)
			return false;
		if (options->reaps)
			others_reap(pid);
		if (poll(watch, 3, options->reaps && left > REAP_MS ? REAP_MS : (int)left) <= 0)
			continue;
		for (int i = 0; i < 2; i++) {
			if (watch[i + 1].revents && !stream_read(fds[i], &texts[i]))
				fd_drop(&fds[i]);
		}
		if (watch[0].revents)
			return true;
	}
}

static int status_of(pid_t pid)
{
	int status;

	cr_assert(waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static char *text_keep(struct text *text, size_t *length)
{
	if (!text->data)
		text_append(text, "");
	*length = text->length;
	return text->data ? text->data : strdup("");
}

struct run_result run_program(const char *const argv[], const struct run_options *options)
{
	static const struct run_options none = {0};
	struct run_result result = {0};
	struct text texts[2] = {{0}, {0}};
	int out[2], err[2], fds[2];

	options = options ? options : &none;
	auto_fd input = input_open(options);
	cr_assert(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
	pid_t pid = fork();
	cr_assert(pid >= 0);
	if (pid == 0)
		child_exec(argv, options, (const int[]){input, out[1], err[1]});
	close(out[1]);
	close(err[1]);
	auto_fd pidfd = pidfd_open(pid, 0);
	fds[0] = out[0];
	fds[1] = err[0];
	result.timed_out = !collect(pid, pidfd, fds, texts, options);
	if (result.timed_out)
		kill(-pid, SIGKILL);
	result.status = status_of(pid);
	streams_drain(fds, texts);
	fd_drop(&fds[0]);
	fd_drop(&fds[1]);
	result.out = text_keep(&texts[0], &result.out_length);
	result.err = text_keep(&texts[1], &result.err_length);
	return result;
}

void run_result_drop(struct run_result *result)
{
	free(result->out);
	free(result->err);
	*result = (struct run_result){0};
}

struct run_directory run_directory_new(void)
{
	struct run_directory directory;

	snprintf(directory.path, sizeof(directory.path), "/tmp/warren-e2e-XXXXXX");
	cr_assert(mkdtemp(directory.path));
	return directory;
}

void run_directory_drop(struct run_directory *directory)
{
	struct error err = {0};

	if (directory->path[0] && tree_remove(AT_FDCWD, directory->path, &err) < 0)
		fprintf(stderr, "%s\n", err.text);
	directory->path[0] = '\0';
}

void run_write_file(const char *directory, const char *name, mode_t mode, const char *content)
{
	auto_free char *path = text_format("%s/%s", directory, name);

	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		cr_assert(mkdir(path, 0755) == 0 || errno == EEXIST, "%s", path);
		*slash = '/';
	}
	auto_fd fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	cr_assert(fd >= 0, "%s: %s", path, strerror(errno));
	cr_assert(write_all(fd, content, strlen(content)) == 0);
	fchmod(fd, mode);
}
