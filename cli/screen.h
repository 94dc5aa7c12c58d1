/* The whole terminal, for as long as a program shows something that changes; as it was afterwards, however it ends. */
#ifndef WARREN_CLI_SCREEN_H
#define WARREN_CLI_SCREEN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

#include "base/error.h"
#include "base/text.h"

struct screen {
	struct termios before;
	sigset_t mask_before;
	int signals; /* signalfd; -1: not open */
	unsigned rows, columns;
};
#define SCREEN_CLOSED                                                                                                  \
	{                                                                                                              \
		.signals = -1                                                                                          \
	}

/* Both standard input and output are terminals. */
bool screen_is_possible(void);
MUST_CHECK int screen_open(struct screen *screen, struct error *err);
void screen_close(struct screen *screen);

/* One write: lines end in '\n' and are cut at the right edge; what was there before is overwritten, so nothing
 * flickers.
 */
void screen_draw(const struct screen *screen, const struct text *frame);

enum screen_event {
	SCREEN_TIME, /* the time is over */
	SCREEN_KEY,
	SCREEN_RESIZED, /* or back from the background: draw again */
	SCREEN_END,	/* a signal, or nobody is at the terminal any more */
};
/* Keys that are not a character. */
enum { SCREEN_KEY_UP = 256, SCREEN_KEY_DOWN, SCREEN_KEY_PAGE_UP, SCREEN_KEY_PAGE_DOWN, SCREEN_KEY_ESCAPE };
enum screen_event screen_wait(struct screen *screen, int64_t ms, int *key);

#endif
