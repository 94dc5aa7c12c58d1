#include "images/host/skeleton.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "support_inside.h"

static char *resolver_of(const struct place *place)
{
	struct arena arena = {0};
	struct text text = {0};

	resolver_text(&arena, place->dir, &text);
	arena_drop(&arena);
	return text.data ? text.data : text_format("%s", "");
}

TEST(resolver, keeps_name_servers_that_can_be_reached_from_inside)
{
	struct place place;

	NEEDS_ROOT();
	place_open(&place);
	cr_assert(chmod(place.path, 0755) == 0);
	place_put(&place, "etc/resolv.conf", 0644,
		"# note\nnameserver 192.0.2.1\nnameserver 127.0.0.1\nnameserver ::1\nnameserver fe80::1%eth0\n"
		"nameserver 2001:db8::1\nsearch example.org\noptions edns0\nnameserver nonsense\nsortlist 10.0.0.0\n");
	auto_free char *text = resolver_of(&place);
	cr_assert_str_eq(text, "nameserver 192.0.2.1\nnameserver 2001:db8::1\nsearch example.org\noptions edns0\n");
	place_drop(&place);
}

TEST(resolver, takes_the_list_of_systemd_resolved_behind_its_stub)
{
	struct place place;

	NEEDS_ROOT();
	place_open(&place);
	place_put(&place, "run/systemd/resolve/stub-resolv.conf", 0644, "nameserver 127.0.0.53\n");
	place_put(&place, "run/systemd/resolve/resolv.conf", 0644, "nameserver 198.51.100.7\n");
	place_put(&place, "etc/x", 0644, "");
	auto_free char *link = text_format("%s/etc/resolv.conf", place.path);
	cr_assert(chmod(place.path, 0755) == 0 && fchmod(place.run, 0755) == 0);
	cr_assert(symlink("../run/systemd/resolve/stub-resolv.conf", link) == 0);
	auto_free char *text = resolver_of(&place);
	cr_assert_str_eq(text, "nameserver 198.51.100.7\n");
	place_drop(&place);
}

TEST(resolver, gives_nothing_for_a_file_that_is_missing_or_not_for_everybody)
{
	struct place place;

	NEEDS_ROOT();
	place_open(&place);
	cr_assert(chmod(place.path, 0755) == 0);
	auto_free char *missing = resolver_of(&place);
	cr_assert_str_eq(missing, "");
	place_put(&place, "etc/resolv.conf", 0600, "nameserver 192.0.2.1\n");
	auto_free char *hidden = resolver_of(&place);
	cr_assert_str_eq(hidden, "");
	place_drop(&place);
}
