/* IPv6 subnets of this host's own, and whether it has IPv6 at all.
 *
 * Networks need addresses that collide with nobody's, today and when two hosts are joined one day. RFC 4193 gives them:
 * a prefix with 40 random bits, drawn once for the host, and 16 bits for the subnet. */
#include "netns/subnets/ipv6.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "netns/subnets/subnet.h"

#define PREFIX_FILE "ipv6-prefix"
#define PREFIX_LENGTH 48
#define SUBNETS 65536u

/* --- does the host have it ---------------------------------------------------------------------------------------- */

bool sysctl_is_zero(const char *path)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	char value = '1';

	return fd >= 0 && read(fd, &value, 1) == 1 && value == '0';
}

/* Links made later start with the value of "default"; "all" is what the administrator switched off. */
bool net_has_ipv6(void)
{
	return sysctl_is_zero("/proc/sys/net/ipv6/conf/all/disable_ipv6") &&
	       sysctl_is_zero("/proc/sys/net/ipv6/conf/default/disable_ipv6");
}

/* --- the host's prefix -------------------------------------------------------------------------------------------- */

static int prefix_read(const struct net_state *state, struct subnet6 *out, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *content;

	if (file_read(&arena, state->records, PREFIX_FILE, SUBNET6_TEXT_SIZE, &content, NULL, err) < 0)
		return -1;
	if (subnet6_parse(arena_bytes(&arena, content, strcspn(content, "\n")), out, err) < 0)
		return blame(err, PREFIX_FILE);
	if (out->prefix != PREFIX_LENGTH || !subnet6_is_private(out))
		return fail(err, ERROR_SYSTEM, PREFIX_FILE ": must be a /48 of fd00::/8");
	return 0;
}

static int prefix_draw(const struct net_state *state, struct subnet6 *out, struct error *err)
{
	char text[SUBNET6_TEXT_SIZE];
	auto_free char *line = NULL;

	*out = (struct subnet6){.base.s6_addr = {0xfd}, .prefix = PREFIX_LENGTH};
	if (getrandom(out->base.s6_addr + 1, 5, 0) != 5)
		return fail_errno(err, "draw a random IPv6 prefix");
	line = text_format("%s\n", subnet6_format(out, text));
	return file_replace(state->records, PREFIX_FILE, 0644, FILE_DURABLE, line, strlen(line), err);
}

int own_prefix(const struct net_state *state, struct subnet6 *out, struct error *err)
{
	struct error missing;

	if (prefix_read(state, out, &missing) == 0)
		return 0;
	if (missing.kind == ERROR_MISSING)
		return prefix_draw(state, out, err);
	*err = missing;
	return -1;
}

struct in6_addr gateway6_address(const struct subnet6 *own)
{
	return subnet6_address(own, 1);
}

/* --- subnets of it ------------------------------------------------------------------------------------------------ */

/* FNV-1a, folded to 16 bits. */
static uint32_t name_number(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return (hash >> 16 ^ hash) % SUBNETS;
}

static bool is_taken(const struct network_list *list, const char *name, const struct subnet6 *subnet)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].subnet6.prefix && !text_equal(list->items[i].name, name) &&
			subnet6_overlaps(&list->items[i].subnet6, subnet))
			return true;
	return false;
}

int subnet6_choose(const struct subnet6 *own, const struct network_list *list, const char *name, struct subnet6 *out,
	struct error *err)
{
	uint32_t first = name_number(name);

	*out = (struct subnet6){.base = own->base, .prefix = 64};
	for (uint32_t tries = 0; tries < SUBNETS; tries++) {
		uint32_t number = (first + tries) % SUBNETS;

		out->base.s6_addr[6] = (uint8_t)(number >> 8);
		out->base.s6_addr[7] = (uint8_t)number;
		if (number > 0 && !is_taken(list, name, out))
			return 0;
	}
	return fail(err, ERROR_BUSY, "all IPv6 subnets of this host are taken");
}
