/* What `top` shows: a sample, and what the person has asked for, as lines of text. Pure. */
#ifndef WARREN_CLI_TOP_VIEW_H
#define WARREN_CLI_TOP_VIEW_H

#include <stdio.h>

#include "base/text.h"
#include "fleet/fleet.h"

enum top_sort { TOP_CPU, TOP_MEMORY, TOP_NAME, TOP_PIDS, TOP_NET, TOP_DISK, TOP_RESTARTS, TOP_SORTS };

struct top_view {
	enum top_sort sort;
	bool reversed;
	bool by_fleet; /* a line for each fleet: sums */
	bool paused;
	char filter[64];  /* part of a name or fleet, or a shell pattern; "": all */
	bool typing;	  /* the filter */
	size_t first;	  /* line of the list that is shown first */
	unsigned rows;	  /* of the screen */
	unsigned columns; /* … 0: any number */
};

struct top_host {
	struct optional processors_milli, memory_bytes, memory_available_bytes;
	const char *time; /* "00:12:31" */
};

void top_view_init(struct top_view *view);
/* False: the key means the end. */
bool top_view_key(struct top_view *view, int key);
/* The whole screen; view->first is put right should the list have become shorter. */
void top_view_draw(struct arena *arena, struct top_view *view, const struct stats_sample *sample,
	const struct top_host *host, struct text *out);
/* The same list as a table, for who has no terminal. */
void top_view_list(struct arena *arena, const struct top_view *view, const struct stats_sample *sample, FILE *out);

#endif
