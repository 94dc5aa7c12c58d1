/* The terminal in raw mode. Signals come through a descriptor, so there is no handler that could run at a bad moment:
 * whatever ends the program is an event like a key, and the way out is the one that puts the terminal right. */
#include "cli/screen.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

/* xterm's alternate screen, cursor off, no wrapping; and back. Terminals that lack one of them pass over it. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"
/* Terminals that know it show nothing of what is between the two before the second. */
#define UPDATE_BEGIN "\033[?2026h"
#define UPDATE_END "\033[?2026l"
#define ESCAPE_MS 25 /* a key's sequence comes at once; a person pressed Escape */

static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT};

bool screen_is_possible(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

static void say(const char *text)
{
	if (write_all(STDOUT_FILENO, text, strlen(text)) < 0)
		return; /* the terminal is gone; the next read says so */
}

static void size_read(struct screen *screen)
{
	struct winsize size = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_row || !size.ws_col)
		size = (struct winsize){.ws_row = 24, .ws_col = 80};
	screen->rows = size.ws_row;
	screen->columns = size.ws_col;
}

static int raw_enter(const struct screen *screen)
{
	struct termios raw = screen->before;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	return tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

int screen_open(struct screen *screen, struct error *err)
{
	sigset_t mask;

	sigemptyset(&mask);
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		sigaddset(&mask, caught[i]);
	if (tcgetattr(STDIN_FILENO, &screen->before) < 0)
		return fail_errno(err, "look at the terminal");
	screen->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (screen->signals < 0)
		return fail_errno(err, "signalfd");
	sigprocmask(SIG_BLOCK, &mask, &screen->mask_before);
	if (raw_enter(screen) < 0) {
		fail_errno(err, "set up the terminal");
		fd_drop(&screen->signals);
		sigprocmask(SIG_SETMASK, &screen->mask_before, NULL);
		return -1;
	}
	size_read(screen);
	say(ENTER);
	return 0;
}

void screen_close(struct screen *screen)
{
	if (screen->signals < 0)
		return;
	say(LEAVE);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->before);
	fd_drop(&screen->signals);
	sigprocmask(SIG_SETMASK, &screen->mask_before, NULL);
}

/* --- drawing ------------------------------------------------------------------------------------------------------ */

/* At most so many characters of a line; escape sequences of colours take no place. */
static void line_append(struct text *out, const char *line, size_t length, size_t columns)
{
	size_t used = 0, at = 0;

	while (at < length) {
		size_t step = utf8_length(line + at, length - at);

		if (line[at] == '\033') {
			const char *end = memchr(line + at, 'm', length - at);

			step = end ? (size_t)(end - line) - at + 1 : length - at;
		} else if (++used > columns) {
			at += step ? step : 1;
			continue;
		}
		text_append_bytes(out, line + at, step ? step : 1);
		at += step ? step : 1;
	}
}

void screen_draw(const struct screen *screen, const struct text *frame)
{
	AUTO(text_drop) struct text out = {0};
	const char *line = text_string(frame);

	text_append(&out, UPDATE_BEGIN "\033[H");
	for (unsigned row = 0; row < screen->rows; row++) {
		size_t length = strcspn(line, "\n");

		line_append(&out, line, length, screen->columns);
		text_append(&out, "\033[0m\033[K");
		if (row + 1 < screen->rows)
			text_append(&out, "\r\n");
		line += length + (line[length] == '\n');
	}
	text_append(&out, UPDATE_END);
	say(text_string(&out));
}

/* --- events ------------------------------------------------------------------------------------------------------- */

/* Into the background and back: meanwhile the terminal is the shell's. */
static void suspend(struct screen *screen)
{
	sigset_t stop;

	say(LEAVE);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->before);
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	/* The one that was read from the descriptor is gone: our own stops us here. */
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &stop, NULL);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	if (raw_enter(screen) == 0)
		say(ENTER);
	size_read(screen);
}

static enum screen_event signal_take(struct screen *screen)
{
	struct signalfd_siginfo about;
	enum screen_event event = SCREEN_RESIZED;

	while (read(screen->signals, &about, sizeof(about)) == sizeof(about)) {
		if (about.ssi_signo == SIGTSTP)
			suspend(screen);
		else if (about.ssi_signo != SIGWINCH && about.ssi_signo != SIGCONT)
			event = SCREEN_END;
	}
	size_read(screen);
	return event;
}

/* "\033[A" and the like; an Escape alone is followed by nothing. */
static int sequence_read(void)
{
	static const struct {
		const char *sequence;
		int key;
	} keys[] = {{"[A", SCREEN_KEY_UP}, {"[B", SCREEN_KEY_DOWN}, {"OA", SCREEN_KEY_UP}, {"OB", SCREEN_KEY_DOWN},
		{"[5~", SCREEN_KEY_PAGE_UP}, {"[6~", SCREEN_KEY_PAGE_DOWN}};
	struct pollfd more = {.fd = STDIN_FILENO, .events = POLLIN};
	char bytes[8] = {0};
	size_t length = 0;

	while (length < sizeof(bytes) - 1 && poll(&more, 1, ESCAPE_MS) == 1 &&
		read(STDIN_FILENO, bytes + length, 1) == 1) {
		length++;
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			if (!strcmp(bytes, keys[i].sequence))
				return keys[i].key;
		if (length > 1 && bytes[length - 1] >= '@')
			return 0; /* a key that means nothing here */
	}
	return length ? 0 : SCREEN_KEY_ESCAPE;
}

static enum screen_event key_take(int *key)
{
	unsigned char byte;

	if (read(STDIN_FILENO, &byte, 1) != 1)
		return SCREEN_END;
	*key = byte == '\033' ? sequence_read() : byte;
	return SCREEN_KEY;
}

enum screen_event screen_wait(struct screen *screen, int64_t ms, int *key)
{
	struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = screen->signals, .events = POLLIN}};
	int ready = poll(fds, ARRAY_SIZE(fds), ms < 0 ? 0 : (int)ms);

	if (ready < 0)
		return errno == EINTR ? SCREEN_RESIZED : SCREEN_END;
	if (ready == 0)
		return SCREEN_TIME;
	if (fds[1].revents)
		return signal_take(screen);
	return fds[0].revents & POLLIN ? key_take(key) : SCREEN_END;
}
