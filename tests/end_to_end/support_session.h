/* A person at a terminal: starts a program on a pseudo-terminal, types, and waits for what must appear. */
#ifndef WARREN_TESTS_END_TO_END_SUPPORT_SESSION_H
#define WARREN_TESTS_END_TO_END_SUPPORT_SESSION_H

#include <sys/types.h>
#include <termios.h>

#include "base/text.h"

struct session {
	int terminal, other_end; /* the side of the person, and that of the program */
	int pidfd;
	pid_t pid;
	struct termios before;
	struct text seen;  /* all that appeared */
	size_t read_up_to; /* what session_await() has passed */
};

/* 24 rows of 80 columns. The program leads a session of its own, whose terminal this is. */
void session_open(struct session *session, const char *const argv[]);
void session_type(struct session *session, const char *keys);
/* Until the text appears behind all that was awaited before; fails the test after 20 s. */
void session_await(struct session *session, const char *text);
/* A new size, which the terminal tells the program by SIGWINCH. */
void session_resize(struct session *session, unsigned short rows, unsigned short columns);
/* Waits for the program's end and gives its exit status (128 + signal). */
int session_end(struct session *session);
/* Whether the terminal is as it was when the session began. */
bool session_is_restored(const struct session *session);
/* Ends the program if it has not ended. */
void session_drop(struct session *session);
#define auto_session AUTO(session_drop) struct session

#endif
