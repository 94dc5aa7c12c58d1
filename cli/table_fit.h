/* Which columns of a table a terminal has place for, and how much of each. Only table.c includes this header. */
#ifndef WARREN_CLI_TABLE_FIT_H
#define WARREN_CLI_TABLE_FIT_H

#include "cli/table.h"

#define TABLE_GAP 2 /* blanks between two columns */

/* What becomes of one column. */
struct fitted {
	size_t width;
	bool hidden; /* not in the rows */
	bool below;  /* cells that are wider than `width` go below their row */
};

/* An item for each column, in the table's arena. width SIZE_MAX: all of everything. */
struct fitted *table_fit(const struct table *table, bool header, size_t width);
/* What stands in the table for the cell: "-" when there is nothing. */
const char *table_cell(const struct table *table, size_t row, size_t column);

#endif
