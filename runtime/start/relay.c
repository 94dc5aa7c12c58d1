/* Between our own terminal or pipes and a process's, until it has ended and its output is drained.
 *
 * Each direction is a stream with a buffer of its own: it reads only when the buffer is empty and writes only when it
 * is not, so a slow side holds back the fast one and nothing is lost or busy. Nobody's descriptors are made
 * non-blocking: they may be shared with the shell that started us; poll(2) says when a read or a (small) write does not
 * wait. Signals come through a signalfd, so none of them can end us before the terminal is what it was. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "runtime/runtime.h"

/* A write of at most PIPE_BUF bytes to a pipe that poll calls writable does not block (pipe(7)). */
#define PIECE 4096
#define DRAIN_MS 200

struct stream {
	int from, to; /* -1: this direction is done */
	int number;   /* for tee; 0: input */
	char bytes[PIECE];
	size_t start, length;
};

struct relaying {
	const struct stdio_relay *relay;
	struct stream streams[3];
	size_t count;
	int signals;
	sigset_t old_mask;
	bool raw, ended;
	struct termios saved;
};

/* --- our own terminal and signals --------------------------------------------------------------------------------- */

static const int forwarded[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2};

static int signals_open(struct relaying *r, struct error *err)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		sigaddset(&set, forwarded[i]);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGPIPE);
	if (sigprocmask(SIG_BLOCK, &set, &r->old_mask) < 0)
		return fail_errno(err, "block signals");
	r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r->signals >= 0)
		return 0;
	fail_errno(err, "receive signals");
	sigprocmask(SIG_SETMASK, &r->old_mask, NULL);
	return -1;
}

/* Signals that came for us alone, and a SIGPIPE, are taken out before the old mask lets them in. */
static void signals_close(struct relaying *r)
{
	struct signalfd_siginfo info;

	if (r->signals < 0)
		return;
	while (read(r->signals, &info, sizeof(info)) == sizeof(info))
		continue;
	fd_drop(&r->signals);
	sigprocmask(SIG_SETMASK, &r->old_mask, NULL);
}

static void size_copy(const struct relaying *r)
{
	struct winsize size;

	if (r->relay->console >= 0 && (ioctl(0, TIOCGWINSZ, &size) == 0 || ioctl(1, TIOCGWINSZ, &size) == 0))
		ioctl(r->relay->console, TIOCSWINSZ, &size);
}

static void terminal_make_raw(struct relaying *r)
{
	struct termios raw;

	if (r->relay->console < 0 || tcgetattr(STDIN_FILENO, &r->saved) < 0)
		return; /* our stdin is no terminal: nothing to prepare */
	raw = r->saved;
	cfmakeraw(&raw);
	r->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

static void relaying_drop(struct relaying *r)
{
	if (r->raw) {
		sigset_t stop, old;

		/* In the background a terminal's settings change only for who does not mind SIGTTOU. */
		sigemptyset(&stop);
		sigaddset(&stop, SIGTTOU);
		sigprocmask(SIG_BLOCK, &stop, &old);
		tcsetattr(STDIN_FILENO, TCSADRAIN, &r->saved);
		sigprocmask(SIG_SETMASK, &old, NULL);
	}
	r->raw = false;
	signals_close(r);
}

static void signals_take(struct relaying *r)
{
	struct signalfd_siginfo info;
	struct error ignored;

	while (read(r->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGWINCH)
			size_copy(r);
		else if (info.ssi_signo != SIGPIPE &&
			 process_signal(r->relay->pidfd, (int)info.ssi_signo, &ignored) < 0)
			r->ended = r->ended || ignored.kind == ERROR_MISSING;
	}
}

/* --- streams ------------------------------------------------------------------------------------------------------ */

static void stream_add(struct relaying *r, int from, int to, int number)
{
	if (from >= 0 && to >= 0)
		r->streams[r->count++] = (struct stream){.from = from, .to = to, .number = number};
}

/* The end of our input is to be the end of the process's: a terminal gets its end-of-file character. Of a pipe our side
 * must be closed, but the number stays the caller's to close: it is led to /dev/null. */
static void input_end(const struct relaying *r, const struct stream *s)
{
	static const char end_of_file = 4;
	auto_fd null = -1;

	if (s->to == r->relay->console) {
		if (write(s->to, &end_of_file, 1) < 0)
			return; /* it has ended itself */
	} else {
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		if (null >= 0)
			dup3(null, s->to, O_CLOEXEC);
	}
}

static void stream_end(const struct relaying *r, struct stream *s)
{
	s->from = -1;
	if (s->number == 0)
		input_end(r, s);
}

static void stream_read(struct relaying *r, struct stream *s)
{
	ssize_t got = read(s->from, s->bytes, sizeof(s->bytes));

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	/* A terminal's master gives EIO when nobody has the other side open. */
	if (got <= 0) {
		stream_end(r, s);
		return;
	}
	s->start = 0;
	s->length = (size_t)got;
	if (s->number && r->relay->tee)
		r->relay->tee(r->relay->context, s->number, s->bytes, s->length);
}

static void stream_write(struct stream *s)
{
	ssize_t done = write(s->to, s->bytes + s->start, s->length);

	if (done < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (done < 0) { /* nobody reads any more; output is still taken, so that the process does not stop at it */
		s->length = 0;
		if (s->number == 0)
			s->from = -1;
		return;
	}
	s->start += (size_t)done;
	s->length -= (size_t)done;
}

static void stream_poll(const struct stream *s, struct pollfd *place)
{
	*place = (struct pollfd){.fd = -1};
	if (s->length)
		*place = (struct pollfd){.fd = s->to, .events = POLLOUT};
	else if (s->from >= 0)
		*place = (struct pollfd){.fd = s->from, .events = POLLIN};
}

static void stream_serve(struct relaying *r, struct stream *s, short happened)
{
	if (!happened)
		return;
	if (s->length)
		stream_write(s);
	else if (s->from >= 0)
		stream_read(r, s);
}

/* Output still to come. Input does not count: nobody is left to read it. */
static bool is_draining(const struct relaying *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->streams[i].number && (r->streams[i].length || r->streams[i].from >= 0))
			return true;
	return false;
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

enum { POLL_PROCESS, POLL_SIGNALS, POLL_STREAMS };

/* One round. False when nothing happened until the time was out. */
static bool relay_once(struct relaying *r, int timeout_ms)
{
	struct pollfd polls[POLL_STREAMS + 3] = {
		[POLL_PROCESS] = {.fd = r->ended ? -1 : r->relay->pidfd, .events = POLLIN},
		[POLL_SIGNALS] = {.fd = r->signals, .events = POLLIN},
	};
	int ready;

	for (size_t i = 0; i < r->count; i++) {
		stream_poll(&r->streams[i], &polls[POLL_STREAMS + i]);
		if (r->ended && !r->streams[i].number)
			polls[POLL_STREAMS + i].fd = -1;
	}
	ready = poll(polls, POLL_STREAMS + r->count, timeout_ms);
	if (ready < 0)
		return true;
	for (size_t i = 0; i < r->count; i++)
		stream_serve(r, &r->streams[i], polls[POLL_STREAMS + i].revents);
	if (polls[POLL_SIGNALS].revents)
		signals_take(r);
	if (polls[POLL_PROCESS].revents)
		r->ended = true;
	return ready > 0;
}

/* While the process lives, then until its output has come: its end, or a moment of silence when something that it left
 * behind holds the other side open. */
static void relay_all(struct relaying *r)
{
	while (!r->ended)
		relay_once(r, -1);
	while (is_draining(r) && relay_once(r, DRAIN_MS))
		continue;
}

int stdio_relay_run(const struct stdio_relay *relay, struct error *err)
{
	AUTO(relaying_drop) struct relaying r = {.relay = relay, .signals = -1};

	if (signals_open(&r, err) < 0)
		return -1;
	terminal_make_raw(&r);
	size_copy(&r);
	if (relay->console >= 0) {
		stream_add(&r, STDIN_FILENO, relay->console, 0);
		stream_add(&r, relay->console, STDOUT_FILENO, 1);
	} else {
		stream_add(&r, STDIN_FILENO, relay->input, 0);
		stream_add(&r, relay->output, STDOUT_FILENO, 1);
		stream_add(&r, relay->error, STDERR_FILENO, 2);
	}
	relay_all(&r);
	return 0;
}
