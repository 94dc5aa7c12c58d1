/* IPv6 forwarding, switched on without making the host a router in anything else.
 *
 * conf/all/forwarding is the only switch that forwards, but it does more (ip-sysctl, addrconf.c): it sets `forwarding`
 * of every link and default, and a link that is a router takes no router advertisements any more; and it removes the
 * default routes that were learned from them, at once, except on links whose accept_ra is 2. A host with an address
 * from its provider's router would be cut off. So accept_ra is 2 for the moment of the change, and then every link gets
 * back what it had; forwarding needs only the value of "all".
 *
 * All of it follows from the saved lines, so whoever is killed half-way is finished by the next command. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "netns/host/before.h"

#define LINKS_MAX 65536

/* A link's value, "" when the link has just gone. */
static const char *link_value(struct arena *arena, int dir, const char *name)
{
	struct error ignored = {0};
	const char *value;

	return sysctl_read(arena, dir, name, &value, &ignored) == 0 ? value : "";
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

static void link_look(struct arena *arena, int dir, const char *link, struct before *before)
{
	const char *forwarding = arena_format(arena, CONF6_DIR "/%s/forwarding", link);
	const char *accept_ra = arena_format(arena, CONF6_DIR "/%s/accept_ra", link);
	const char *value = link_value(arena, dir, forwarding);

	if (!*value)
		return;
	pairs_set(arena, &before->sysctls, forwarding, value);
	if (text_equal(link_value(arena, dir, accept_ra), "1"))
		pairs_set(arena, &before->sysctls, accept_ra, "1");
}

int before6_look(struct arena *arena, struct before *before, struct error *err)
{
	auto_fd dir = sysctls_open(err);
	const char *forwarding;
	struct strings links = {0};

	before->has_ipv6 = net_has_ipv6();
	if (!before->has_ipv6)
		return 0;
	if (dir < 0 || sysctl_read(arena, dir, FORWARDING6_ALL, &forwarding, err) < 0)
		return -1;
	if (!text_equal(forwarding, "0"))
		return 0;
	auto_fd conf = dir_open(dir, CONF6_DIR, err);
	if (conf < 0 || dir_list(arena, conf, LINKS_MAX, &links, err) < 0)
		return -1;
	pairs_set(arena, &before->sysctls, FORWARDING6_ALL, "0");
	for (size_t i = 0; i < links.count; i++)
		if (!text_equal(links.items[i], "all"))
			link_look(arena, dir, links.items[i], before);
	return 0;
}

/* --- switching on ------------------------------------------------------------------------------------------------- */

/* Links that have gone since are passed over. */
static int link_write(int dir, const char *name, const char *value, struct error *err)
{
	struct error failed;

	if (file_write(dir, name, value, &failed) == 0 || failed.errnum == ENOENT || failed.kind == ERROR_MISSING)
		return 0;
	*err = failed;
	return -1;
}

/* Writes `value`, or what was saved when it is NULL, to the links' setting of that name. */
static int links_write(int dir, const struct before *before, const char *setting, const char *value, struct error *err)
{
	for (size_t i = 0; i < before->sysctls.count; i++) {
		const struct pair *saved = &before->sysctls.items[i];

		if (text_starts_with(saved->name, CONF6_DIR "/") && text_ends_with(saved->name, setting) &&
			!text_equal(saved->name, FORWARDING6_ALL) &&
			link_write(dir, saved->name, value ? value : saved->value, err) < 0)
			return -1;
	}
	return 0;
}

int forwarding6_enable(const struct before *before, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_fd dir = -1;
	const char *forwarding;

	if (!before->has_ipv6 || !net_has_ipv6())
		return 0;
	dir = sysctls_open(err);
	if (dir < 0 || sysctl_read(&arena, dir, FORWARDING6_ALL, &forwarding, err) < 0)
		return -1;
	if (text_equal(forwarding, "0") && (links_write(dir, before, "/accept_ra", "2", err) < 0 ||
						   file_write(dir, FORWARDING6_ALL, "1", err) < 0))
		return blame(err, "switch IPv6 forwarding on");
	/* A link is written once: the kernel takes its lock of the whole network for each. */
	if (links_write(dir, before, "/forwarding", NULL, err) < 0 ||
		links_write(dir, before, "/accept_ra", NULL, err) < 0)
		return blame(err, "switch IPv6 forwarding on");
	return 0;
}
