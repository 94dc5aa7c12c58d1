/* The map of the front door as nginx reads it: an upstream for each site, and a map from host names to them. */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "fleet/front.h"

/* Room in nginx's hash tables for names as long as DNS allows, and for thousands of them. */
static const char head[] = "# Written by warren at each apply; changes made here are lost.\n"
			   "map_hash_bucket_size 512;\n"
			   "map_hash_max_size 65536;\n"
			   "map $http_upgrade $warren_connection { default upgrade; \"\" \"\"; }\n";

/* An end of the run of items that are served by the same. */
static size_t same_host_end(const struct front_site *sites, size_t count, size_t at)
{
	size_t end = at + 1;

	while (end < count && !strcasecmp(sites[end].host, sites[at].host))
		end++;
	return end;
}

/* Replicas that share a name share an upstream; one alone has its own. */
static const char *upstream_of(const struct front_site *site, bool shared)
{
	return shared ? site->base_name : site->name;
}

static void write_upstream(struct text *out, const struct front_site *sites, size_t count)
{
	char address[INET_ADDRSTRLEN];

	text_appendf(out, "upstream warren_%s%s {", count > 1 ? "all_" : "", upstream_of(sites, count > 1));
	for (size_t i = 0; i < count; i++)
		text_appendf(out, " server %s:%u;", inet_ntop(AF_INET, &sites[i].address, address, sizeof(address)),
			sites[i].port);
	text_append(out, " }\n");
}

/* The first host name of a run is where its upstream is written. */
static bool is_written(const struct front_site *sites, size_t at, size_t end)
{
	bool shared = end - at > 1;

	for (size_t i = 0; i < at; i = same_host_end(sites, at, i)) {
		bool other_shared = same_host_end(sites, at, i) - i > 1;

		if (other_shared == shared && !strcmp(upstream_of(&sites[i], shared), upstream_of(&sites[at], shared)))
			return true;
	}
	return false;
}

static void write_name(struct text *out, const char *host)
{
	text_append(out, "\t\"");
	for (; *host; host++)
		text_appendf(out, "%c", tolower((unsigned char)*host));
	text_append(out, "\" ");
}

void front_encode(struct text *out, const struct front_site *sites, size_t count)
{
	text_append(out, head);
	for (size_t at = 0, end; at < count; at = end) {
		end = same_host_end(sites, count, at);
		if (!is_written(sites, at, end))
			write_upstream(out, sites + at, end - at);
	}
	text_append(out, "map $host $warren_site {\n\thostnames;\n\tdefault \"\";\n");
	for (size_t at = 0, end; at < count; at = end) {
		end = same_host_end(sites, count, at);
		write_name(out, sites[at].host);
		text_appendf(out, "warren_%s%s;\n", end - at > 1 ? "all_" : "", upstream_of(&sites[at], end - at > 1));
	}
	text_append(out, "}\n");
}
