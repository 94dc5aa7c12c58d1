/* Templates over a JSON document, as in `warren inspect --format '{{.address}}'`: the part of Go's template language
 * that docker's users write every day.
 *
 *   {{.spec.image}}  {{.ports.0.published}}      a value; a member that is not there prints nothing
 *   {{json .spec}}                               as compact JSON
 *   {{index .spec.labels "a.b"}}                 a member whose name is no word, or an item by number
 *   {{len .ports}}                               how many members, items or bytes
 *   {{join .spec.command " "}}  {{upper .name}}  {{lower .name}}  {{println .name}}
 *   {{range .ports}}{{.target}} {{end}}          for each; inside, "." is the item, and "$" the document
 *   {{if .health}}…{{else}}…{{end}}              also "if not .a", "if eq .a "b"", "if ne .a "b""; range has an else,
 * too
 *
 * Letters' case and "_" in names do not count: .LastExit.Status is last_exit.status. "\t" and "\n" are what they are in
 * docker's. Anything else is refused. */
#ifndef WARREN_CLI_TEMPLATE_H
#define WARREN_CLI_TEMPLATE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/json.h"

/* What the document's first names may be besides those that it has, and words of others for what stands elsewhere here:
 * "State.Pid" → "pid". Both end with a NULL. An alias to "#running" leads to the member "running" of `extra`, which
 * holds what only others' words ask for; it is an object, or NULL where no alias leads there. */
struct template_names {
	const char *const *optional;
	const struct template_alias {
		const char *theirs, *ours;
	} * aliases;
	const struct json *extra;
	bool lists; /* `optional` are all names that there are: a refusal names them */
};

/* Writes the document through the template, and a line break. ERROR_USAGE: the template is wrong, or names what no such
 * document has; nothing has been written then. */
MUST_CHECK int template_print(struct arena *arena, const char *template, const struct json *document,
	const struct template_names *names, FILE *out, struct error *err);

#endif
