/* Listings: aligned columns for people, JSON, names only, or a format of the caller's. */
#ifndef WARREN_CLI_TABLE_H
#define WARREN_CLI_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/options.h"

enum column_kind { COLUMN_TEXT, COLUMN_NUMBER };

struct column {
	const char *title; /* "STATE"; in --format {{.State}}, in JSON "state" */
	const char *key;   /* "state" */
	enum column_kind kind;
	const char *(*colour)(const char *cell); /* escape sequence or NULL; only used on a terminal */
	bool json_only;				 /* for scripts: not in the table */
	bool format_only;			 /* for --format, in docker's words: neither in the table nor in JSON */
	/* Where the terminal has no place for all. */
	unsigned drop; /* the lower, the sooner it is left out; 0: it stays */
	size_t cut;    /* it may be cut to so many characters; 0: it is left whole */
	bool keep_end; /* … whose end says more than its beginning */
	bool below;    /* a remark: what is longer than `cut` goes below its row */
};

struct template_alias;

struct cell {
	const char *text;  /* for people; NULL is shown as "-" */
	const char *value; /* for JSON and --format; NULL: as text, absent from JSON when that is NULL too */
};

struct table {
	const struct column *columns;
	size_t column_count;
	struct cell *cells; /* row after row */
	size_t row_count, row_room;
	struct arena *arena;
	const struct template_alias *aliases; /* words of others in --format, see template.h; may be NULL */
	size_t width;			      /* of a line; 0: as the terminal that it is printed on, or without end */
};

/* The options that every listing has; put TABLE_OPTIONS(struct, member) into its table. */
struct table_options {
	bool json, quiet, no_header, no_trunc;
	const char *format;
};
#define TABLE_OPTIONS(type, member)                                                                                    \
	OPTION_FLAG("json", 0, "print JSON", type, member.json),                                                       \
		OPTION_FLAG("quiet", 'q', "print only names", type, member.quiet),                                     \
		OPTION_FLAG("no-header", 0, "leave the header line out", type, member.no_header),                      \
		OPTION_FLAG("no-trunc", 0, "all columns and whole texts, however narrow the terminal is", type,        \
			member.no_trunc),                                                                              \
		OPTION_TEXT("format", 0, "TEMPLATE",                                                                   \
			"a line each, as in '{{.Name}} {{.State}}', or a table: 'table {{.Name}}\\t{{.Image}}'", type, \
			member.format)

void table_init(struct table *table, struct arena *arena, const struct column *columns, size_t count);
/* A new row's cells, to be filled by the caller. */
struct cell *table_row(struct table *table);
/* Takes the last row away again. */
void table_row_drop(struct table *table);
MUST_CHECK int table_print(
	const struct table *table, const struct table_options *options, FILE *out, struct error *err);
/* True when out is a terminal and NO_COLOR is not set. */
bool table_uses_colour(FILE *out);

#endif
