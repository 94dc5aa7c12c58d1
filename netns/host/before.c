/* Saving and restoring what we change of the host: one line "NAME VALUE" each in <run>/sysctls.
 *
 * IPv6's part is in before6.c. Writing ip_forward changes more than itself: the kernel sets conf/NAME/forwarding of
 * every link and default, and conf/all/accept_redirects to the opposite (ip-sysctl). So those are kept too; each link
 * that forwarded on its own although ip_forward was 0 keeps doing so while we run, by name in our table.
 *
 * /proc/sys/net shows the network namespace of whoever looks it up: opened anew at each use. */
#include "netns/host/before.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "netns/links/bridges.h"
#include "netns/netlink/address.h"

#define SAVED_FILE "sysctls"
#define SAVED_SIZE_MAX (4 << 20)
#define VALUE_SIZE_MAX 64
#define LINKS_MAX 65536
#define IP_FORWARD "ipv4/ip_forward"
#define ACCEPT_REDIRECTS "ipv4/conf/all/accept_redirects"
#define CONF_DIR "ipv4/conf"
#define GATEWAY_KEY "gateway"
#define BRIDGES_KEY "bridges" /* how many names follow as BRIDGE_KEY; not in what an older version wrote */
#define BRIDGE_KEY "bridge"
#define IPV6_KEY "ipv6" /* looked at too: not so in what an older version wrote */

int sysctls_open(struct error *err)
{
	return dir_open(AT_FDCWD, "/proc/sys/net", err);
}

int sysctl_read(struct arena *arena, int dir, const char *name, const char **value, struct error *err)
{
	const char *content;

	if (file_read(arena, dir, name, VALUE_SIZE_MAX, &content, NULL, err) < 0)
		return -1;
	*value = arena_bytes(arena, content, strcspn(content, "\n"));
	return 0;
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

static bool link_forwards(struct arena *arena, int dir, const char *name)
{
	struct error ignored = {0}; /* the link may just have gone */
	const char *value;

	return sysctl_read(arena, dir, name, &value, &ignored) == 0 && text_equal(value, "1");
}

static int routers_find(struct arena *arena, int dir, struct before *before, struct error *err)
{
	auto_fd conf = dir_open(dir, CONF_DIR, err);
	struct strings links = {0};

	if (conf < 0 || dir_list(arena, conf, LINKS_MAX, &links, err) < 0)
		return -1;
	for (size_t i = 0; i < links.count; i++) {
		const char *name = arena_format(arena, CONF_DIR "/%s/forwarding", links.items[i]);

		if (!text_equal(links.items[i], "all") && link_forwards(arena, dir, name))
			pairs_set(arena, &before->sysctls, name, "1");
	}
	return 0;
}

static int gateway_find(bool *found, struct error *err)
{
	struct ifaddrs *list = NULL;

	*found = false;
	if (getifaddrs(&list) < 0)
		return fail_errno(err, "list the host's addresses");
	for (const struct ifaddrs *item = list; item; item = item->ifa_next) {
		const struct sockaddr_in *address = (const void *)item->ifa_addr;

		*found |=
			address && address->sin_family == AF_INET && address->sin_addr.s_addr == htonl(GATEWAY_ADDRESS);
	}
	freeifaddrs(list);
	return 0;
}

static int before_look(struct arena *arena, struct before *before, struct error *err)
{
	auto_fd dir = sysctls_open(err);
	const char *forward, *redirects;

	if (dir < 0 || sysctl_read(arena, dir, IP_FORWARD, &forward, err) < 0 ||
		sysctl_read(arena, dir, ACCEPT_REDIRECTS, &redirects, err) < 0 ||
		gateway_find(&before->had_gateway, err) < 0 || bridges_list(arena, &before->bridges, err) < 0)
		return -1;
	before->knows_bridges = true;
	if (!text_equal(forward, "0"))
		return 0;
	pairs_set(arena, &before->sysctls, IP_FORWARD, "0");
	pairs_set(arena, &before->sysctls, ACCEPT_REDIRECTS, redirects);
	return routers_find(arena, dir, before, err);
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

static int before_save(const struct net_state *state, const struct before *before, struct error *err)
{
	AUTO(text_drop) struct text text = {0};

	text_appendf(&text, GATEWAY_KEY " %d\n" IPV6_KEY " %d\n", before->had_gateway, before->has_ipv6);
	if (before->knows_bridges)
		text_appendf(&text, BRIDGES_KEY " %zu\n", before->bridges.count);
	for (size_t i = 0; i < before->bridges.count; i++)
		text_appendf(&text, BRIDGE_KEY " %s\n", before->bridges.items[i]);
	for (size_t i = 0; i < before->sysctls.count; i++)
		text_appendf(&text, "%s %s\n", before->sysctls.items[i].name, before->sysctls.items[i].value);
	return file_replace(state->run, SAVED_FILE, 0600, FILE_VOLATILE, text_string(&text), text.length, err);
}

/* May stand in the table's text. */
static bool name_is_plain(const char *name)
{
	static const char *const good = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@";

	return *name && !name[strspn(name, good)];
}

/* "ipv4/conf/NAME/forwarding" → NAME, if it is plain. */
static const char *router_name(struct arena *arena, const char *conf, const char *sysctl)
{
	const char *name = sysctl + strlen(conf);
	size_t length;

	if (!text_starts_with(sysctl, conf) || !text_ends_with(sysctl, "/forwarding"))
		return NULL;
	length = strcspn(name, "/");
	name = arena_bytes(arena, name, length);
	return name_is_plain(name) && !text_equal(name, "default") ? name : NULL;
}

static void before_take_sysctl(struct arena *arena, struct before *before, const char *name, const char *value)
{
	const char *router = router_name(arena, CONF_DIR "/", name);
	const char *router6 = router_name(arena, CONF6_DIR "/", name);

	pairs_set(arena, &before->sysctls, name, value);
	if (text_equal(name, IP_FORWARD))
		before->forwarded = false;
	if (text_equal(name, FORWARDING6_ALL))
		before->forwarded6 = false;
	else if (router6 && text_equal(value, "1"))
		strings_add(arena, &before->routers6, router6);
	if (router)
		strings_add(arena, &before->routers, router);
}

static int before_take_line(struct arena *arena, struct before *before, const char *line, struct error *err)
{
	const char *space = strchr(line, ' ');
	const char *name;

	if (!*line)
		return 0;
	if (!space || strstr(line, ".."))
		return fail(err, ERROR_SYSTEM, SAVED_FILE ": line \"%s\" is damaged", line);
	name = arena_bytes(arena, line, (size_t)(space - line));
	if (text_equal(name, GATEWAY_KEY)) {
		before->had_gateway = text_equal(space + 1, "1");
		return 0;
	}
	if (text_equal(name, IPV6_KEY)) {
		before->looked6 = true;
		before->has_ipv6 = text_equal(space + 1, "1");
		return 0;
	}
	if (text_equal(name, BRIDGES_KEY)) {
		before->knows_bridges = true;
		return 0;
	}
	if (text_equal(name, BRIDGE_KEY)) {
		before->knows_bridges &= name_is_plain(space + 1);
		strings_add(arena, &before->bridges, arena_string(arena, space + 1));
		return 0;
	}
	if (!text_starts_with(name, "ipv4/") && !text_starts_with(name, "ipv6/"))
		return fail(err, ERROR_SYSTEM, SAVED_FILE ": line \"%s\" is damaged", line);
	before_take_sysctl(arena, before, name, space + 1);
	return 0;
}

int before_load(struct arena *arena, const struct net_state *state, struct before *before, struct error *err)
{
	const char *content;
	struct strings lines;

	*before = (struct before){.forwarded = true, .forwarded6 = true};
	if (file_read(arena, state->run, SAVED_FILE, SAVED_SIZE_MAX, &content, NULL, err) < 0)
		return err->kind == ERROR_MISSING ? 0 : -1;
	lines = strings_split(arena, content, '\n');
	for (size_t i = 0; i < lines.count; i++)
		if (before_take_line(arena, before, lines.items[i], err) < 0)
			return -1;
	return 1;
}

int before_remember(struct arena *arena, const struct net_state *state, struct before *before, struct error *err)
{
	int loaded = before_load(arena, state, before, err);

	if (loaded < 0)
		return -1;
	/* IPv6 that was switched on meanwhile is as it was before us. */
	if (loaded && before->looked6 && (before->has_ipv6 || !net_has_ipv6()))
		return 0;
	if ((!loaded && before_look(arena, before, err) < 0) || before6_look(arena, before, err) < 0 ||
		before_save(state, before, err) < 0)
		return blame(err, "remember the host's network settings");
	return before_load(arena, state, before, err) < 0 ? -1 : 0;
}

bool before_has_new_bridge(const struct before *before)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings now;
	struct error ignored;

	if (!before->knows_bridges || bridges_list(&arena, &now, &ignored) < 0)
		return false;
	for (size_t i = 0; i < now.count; i++)
		if (!strings_contain(&before->bridges, now.items[i]))
			return true;
	return false;
}

int before_restore(const struct before *before, struct error *err)
{
	auto_fd dir = sysctls_open(err);
	bool forwarding_stays = before_has_new_bridge(before);

	if (dir < 0)
		return -1;
	for (size_t i = 0; i < before->sysctls.count; i++) {
		const struct pair *sysctl = &before->sysctls.items[i];

		if (forwarding_stays &&
			(text_equal(sysctl->name, IP_FORWARD) || text_starts_with(sysctl->name, "ipv6/")))
			continue;
		if (file_write(dir, sysctl->name, sysctl->value, err) < 0 && err->errnum != ENOENT &&
			err->kind != ERROR_MISSING)
			return blame(err, "restore the host's network settings");
	}
	return 0;
}

int before_forget(const struct net_state *state, struct error *err)
{
	if (unlinkat(state->run, SAVED_FILE, 0) < 0 && errno != ENOENT)
		return fail_errno(err, "remove " SAVED_FILE);
	return 0;
}

int forwarding_enable(struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_fd dir = sysctls_open(err);
	const char *value;

	if (dir < 0 || sysctl_read(&arena, dir, IP_FORWARD, &value, err) < 0)
		return -1;
	return text_equal(value, "1") ? 0 : file_write(dir, IP_FORWARD, "1", err);
}
