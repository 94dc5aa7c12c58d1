/* Showing how far a pull is: on a terminal a bar for each layer under way, elsewhere a line for each that is done. */
#ifndef WARREN_CLI_PULL_PROGRESS_H
#define WARREN_CLI_PULL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "images/pull/install.h"

#define PROGRESS_BARS_MAX 16

struct progress_bar {
	bool used;
	size_t layer;
	char digest[16]; /* the first digits */
	uint64_t bytes;
	int64_t total; /* -1: not known */
	bool waiting;  /* another process fetches it */
};

struct progress {
	struct install_progress install; /* first: what image_install() calls */
	FILE *out;
	bool terminal, silent;
	struct progress_bar bars[PROGRESS_BARS_MAX];
	unsigned drawn;	  /* lines that the last drawing took */
	int64_t drawn_ms; /* when that was, on clock_ms() */
};

/* silent: says nothing at all. */
void progress_begin(struct progress *progress, FILE *out, bool silent);
/* Takes the bars away. */
void progress_end(struct progress *progress);

#endif
