/* The map of host names to sites, as nginx reads it. */
#include <arpa/inet.h>

#include "base/cleanup.h"
#include "fleet/apply/front.h"
#include "tests/test.h"

static struct front_site site(const char *host, const char *name, const char *base, const char *address)
{
	struct front_site site = {.host = host, .name = name, .base_name = base, .port = 80};

	inet_pton(AF_INET, address, &site.address);
	return site;
}

static bool contains_once(const char *text, const char *part)
{
	const char *found = strstr(text, part);

	return found && !strstr(found + 1, part);
}

TEST(front_map, leads_each_name_to_its_site)
{
	AUTO(text_drop) struct text text = {0};
	const struct front_site sites[] = {
		site("*.Blog.example", "blog", "blog", "10.1.0.1"),
		site("app.example", "app-1", "app", "10.1.0.2"),
		site("app.example", "app-2", "app", "10.1.0.3"),
		site("blog.example", "blog", "blog", "10.1.0.1"),
		site("one.app.example", "app-1", "app", "10.1.0.2"),
	};

	front_encode(&text, sites, ARRAY_SIZE(sites));
	const char *map = text_string(&text);
	/* Each upstream once, however many names it has. */
	cr_assert(contains_once(map, "upstream warren_blog { server 10.1.0.1:80; }\n"), "%s", map);
	cr_assert(
		contains_once(map, "upstream warren_all_app { server 10.1.0.2:80; server 10.1.0.3:80; }\n"), "%s", map);
	cr_assert(contains_once(map, "upstream warren_app-1 { server 10.1.0.2:80; }\n"), "%s", map);
	cr_assert(strstr(map, "\t\"*.blog.example\" warren_blog;\n"), "%s", map);
	cr_assert(strstr(map, "\t\"blog.example\" warren_blog;\n"), "%s", map);
	cr_assert(contains_once(map, "\t\"app.example\" warren_all_app;\n"), "%s", map);
	cr_assert(strstr(map, "\t\"one.app.example\" warren_app-1;\n"), "%s", map);
}

TEST(front_map, is_a_map_without_sites)
{
	AUTO(text_drop) struct text text = {0};

	front_encode(&text, NULL, 0);
	cr_assert(strstr(text_string(&text), "map $host $warren_site {\n\thostnames;\n\tdefault \"\";\n}\n"));
	cr_assert(!strstr(text_string(&text), "upstream"));
}
