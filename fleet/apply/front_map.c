/* The map of the front door as nginx reads it: an upstream for each site, and a map from host names to them. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fleet/apply/front.h"

/* Room in nginx's hash tables for names as long as DNS allows, and for thousands of them. */
static const char head[] = "# Written by warren at each apply; changes made here are lost.\n"
			   "map_hash_bucket_size 512;\n"
			   "map_hash_max_size 65536;\n"
			   "map $http_upgrade $warren_connection { default upgrade; \"\" \"\"; }\n";

/* Sites of one host name; more than one are replicas of one entry, which share an upstream. */
struct run_of_sites {
	const struct front_site *sites;
	size_t count;
};

static bool is_shared(const struct run_of_sites *run)
{
	return run->count > 1;
}

static const char *upstream_of(const struct run_of_sites *run)
{
	return is_shared(run) ? run->sites->base_name : run->sites->name;
}

static int compare_upstreams(const void *a, const void *b)
{
	const struct run_of_sites *one = a, *other = b;

	if (is_shared(one) != is_shared(other))
		return is_shared(one) ? 1 : -1;
	return strcmp(upstream_of(one), upstream_of(other));
}

static size_t runs_find(const struct front_site *sites, size_t count, struct run_of_sites *out)
{
	size_t runs = 0;

	for (size_t at = 0, end; at < count; at = end) {
		for (end = at + 1; end < count && !strcasecmp(sites[end].host, sites[at].host); end++)
			;
		out[runs++] = (struct run_of_sites){sites + at, end - at};
	}
	return runs;
}

static void write_upstream(struct text *out, const struct run_of_sites *run)
{
	char address[INET_ADDRSTRLEN];

	text_appendf(out, "upstream warren_%s%s {", is_shared(run) ? "all_" : "", upstream_of(run));
	for (size_t i = 0; i < run->count; i++)
		text_appendf(out, " server %s:%u;",
			inet_ntop(AF_INET, &run->sites[i].address, address, sizeof(address)), run->sites[i].port);
	text_append(out, " }\n");
}

static void write_name(struct text *out, const char *host)
{
	text_append(out, "\t\"");
	for (; *host; host++)
		text_appendf(out, "%c", tolower((unsigned char)*host));
	text_append(out, "\" ");
}

/* An instance has one upstream, however many names it has. */
static void write_upstreams(struct text *out, struct run_of_sites *runs, size_t count)
{
	if (count)
		qsort(runs, count, sizeof(*runs), compare_upstreams);
	for (size_t i = 0; i < count; i++)
		if (!i || compare_upstreams(&runs[i - 1], &runs[i]) != 0)
			write_upstream(out, &runs[i]);
}

void front_encode(struct text *out, const struct front_site *sites, size_t count)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct run_of_sites *runs = arena_new_array(&arena, count, struct run_of_sites);
	size_t run_count = runs_find(sites, count, runs);
	AUTO(text_drop) struct text names = {0};

	for (size_t i = 0; i < run_count; i++) {
		write_name(&names, runs[i].sites->host);
		text_appendf(&names, "warren_%s%s;\n", is_shared(&runs[i]) ? "all_" : "", upstream_of(&runs[i]));
	}
	text_append(out, head);
	write_upstreams(out, runs, run_count);
	text_appendf(out, "map $host $warren_site {\n\thostnames;\n\tdefault \"\";\n%s}\n", text_string(&names));
}
