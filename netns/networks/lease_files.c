/* The files of taken host numbers: one bitmap a network and kind of address. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "netns/links/slots.h"
#include "netns/networks/leases.h"

static const char *const directories[] = {[LEASES_IPV4] = "addresses", [LEASES_IPV6] = "addresses6"};

int leases_open(const struct net_state *state, enum lease_kind kind, const char *network, struct bitmap *bitmap,
	struct error *err)
{
	auto_fd dir = -1;

	if (name_check("network", network, err) < 0)
		return -1;
	dir = dir_create(state->run, directories[kind], 0700, err);
	if (dir < 0)
		return -1;
	return bitmap_open(dir, network, bitmap, err);
}

/* The header is read each time: it says what the one before has written. */
int leases_open_held(const struct net_state *state, enum lease_kind kind, const char *network, struct lease_hold *hold,
	struct bitmap *bitmap, struct error *err)
{
	int *held = &hold->lists[kind];

	if (*held >= 0)
		return bitmap_borrow(*held, bitmap, err);
	if (leases_open(state, kind, network, bitmap, err) < 0)
		return -1;
	*held = bitmap->fd;
	return 0;
}

void lease_hold_drop(struct lease_hold *hold)
{
	for (size_t i = 0; i < ARRAY_SIZE(hold->lists); i++)
		fd_drop(&hold->lists[i]);
}

bool leases_exist(const struct net_state *state, enum lease_kind kind, const char *network)
{
	auto_fd dir = openat(state->run, directories[kind], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return dir >= 0 && faccessat(dir, network, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Unlinks the network's file while its lock is held: who waits for it notices and makes a new one. */
int leases_forget(const struct net_state *state, enum lease_kind kind, const char *network, struct error *err)
{
	AUTO(bitmap_drop) struct bitmap bitmap = {.fd = -1};
	auto_fd dir = -1;
	int empty;

	if (!leases_exist(state, kind, network))
		return name_check("network", network, err) < 0 ? -1 : 1;
	if (leases_open(state, kind, network, &bitmap, err) < 0)
		return -1;
	empty = bitmap_is_empty(&bitmap, err);
	if (empty <= 0)
		return empty;
	dir = dir_open(state->run, directories[kind], err);
	if (dir < 0)
		return -1;
	if (unlinkat(dir, network, 0) < 0)
		return fail_errno(err, "remove the address list of network %s", network);
	return 1;
}

static int leases_forget_kind(const struct net_state *state, enum lease_kind kind, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_fd dir = dir_create(state->run, directories[kind], 0700, err);
	struct strings names = {0};

	if (dir < 0 || dir_list(&arena, dir, NETWORK_MAX, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (leases_forget(state, kind, names.items[i], err) < 0)
			return -1;
	if (unlinkat(state->run, directories[kind], AT_REMOVEDIR) < 0 && errno != ENOTEMPTY)
		return fail_errno(err, "remove the address lists");
	return 0;
}

int addresses_forget(const struct net_state *state, const char *network, struct error *err)
{
	int free4 = leases_forget(state, LEASES_IPV4, network, err);

	return free4 <= 0 ? free4 : leases_forget(state, LEASES_IPV6, network, err);
}

int addresses_forget_unused(const struct net_state *state, struct error *err)
{
	if (leases_forget_kind(state, LEASES_IPV4, err) < 0)
		return -1;
	return leases_forget_kind(state, LEASES_IPV6, err);
}
