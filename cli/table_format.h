/* Rows of a listing through a template (cli/template.h). Only table.c includes this header. */
#ifndef WARREN_CLI_TABLE_FORMAT_H
#define WARREN_CLI_TABLE_FORMAT_H

#include "cli/table.h"

/* A line for each row. Fields are the columns' keys with their exact values ({{.size_bytes}}), their titles with what
 * people see ({{.Size}}), and the table's aliases; {{json .}} is what --json has of the row. A field that there is not
 * is ERROR_USAGE, with all that there are, also when there is no row. "table TEMPLATE": with a header and aligned at
 * the template's tabs, as docker does. */
MUST_CHECK int table_format(const struct table *table, const char *format, bool header, FILE *out, struct error *err);

#endif
