/* Rates at the host's end, for instances that could lift the one at their own end.
 *
 * A limit object and an element of a map from link names to such objects: what comes in by the link above the rate is
 * dropped first of all. They do not go with the link, and the link's name is its slot's: so a file of the slot says
 * that they are there, before they are, and whoever attaches to the slot next, or makes the table anew, goes by it. */
#include "netns/table/police.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "netns/netlink/address.h"
#include "netns/netlink/elements.h"
#include "netns/netlink/session.h"
#include "netns/table/table_text.h"

#define POLICED_DIR "policed"
#define BURST_MIN (64 << 10)
#define BURSTS_PER_SECOND 10 /* TCP that is dropped and not delayed needs large ones */
/* The kernel counts nanoseconds times bytes in 64 bits (nft_limit.c); no link of this kind is faster anyway. */
#define BYTES_MAX UINT64_C(12500000000)
#define BATCH_MESSAGES 8

/* --- the table ---------------------------------------------------------------------------------------------------- */

static void put_object(struct request *request, uint16_t type, const char *name, uint64_t bits)
{
	struct nlmsghdr *message = batch_message(
		request, type, type == NFT_MSG_NEWOBJ ? NLM_F_CREATE | NLM_F_EXCL : 0, "limit what an instance sends");
	uint64_t bytes = bits / 8 < BYTES_MAX ? bits / 8 : BYTES_MAX, burst = bytes / BURSTS_PER_SECOND;

	mnl_attr_put_strz(message, NFTA_OBJ_TABLE, TABLE_NAME);
	mnl_attr_put_strz(message, NFTA_OBJ_NAME, name);
	mnl_attr_put_u32(message, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_LIMIT));
	if (type != NFT_MSG_NEWOBJ)
		return;
	struct nlattr *data = mnl_attr_nest_start(message, NFTA_OBJ_DATA);
	mnl_attr_put_u64(message, NFTA_LIMIT_RATE, htobe64(bytes));
	mnl_attr_put_u64(message, NFTA_LIMIT_UNIT, htobe64(1));
	mnl_attr_put_u32(message, NFTA_LIMIT_BURST, htonl((uint32_t)(burst < BURST_MIN ? BURST_MIN : burst)));
	mnl_attr_put_u32(message, NFTA_LIMIT_TYPE, htonl(NFT_LIMIT_PKT_BYTES));
	mnl_attr_put_u32(message, NFTA_LIMIT_FLAGS, htonl(NFT_LIMIT_F_INV));
	mnl_attr_nest_end(message, data);
}

static struct element link_element(const char *name)
{
	struct element element = {.set = SET_EGRESS_LIMITS};
	char key[IFNAMSIZ] = "";

	snprintf(key, sizeof(key), "%s", name);
	element_add_key(&element, key, sizeof(key));
	return element;
}

/* Takes the old one away, if there may be one, and adds the new one, if there is one: one transaction. */
static int table_change(
	struct netlink *netlink, const char *name, bool old, uint64_t bits, struct request *request, struct error *err)
{
	uint64_t buffer[BATCH_MESSAGES * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct element element = link_element(name);

	batch_begin(request, netlink, buffer, sizeof(buffer));
	if (old) {
		batch_delete(request, &element);
		put_object(request, NFT_MSG_DELOBJ, name, 0);
	}
	snprintf(element.object, sizeof(element.object), "%s", name);
	if (bits) {
		put_object(request, NFT_MSG_NEWOBJ, name, bits);
		batch_add(request, &element, true);
	}
	batch_end(request);
	return request_exchange(netlink, request, NULL, NULL, err);
}

static int table_set(struct netlink *netlink, const char *name, bool old, uint64_t bits, struct error *err)
{
	struct request request;

	if (table_change(netlink, name, old, bits, &request, err) == 0)
		return 0;
	/* Of a file alone, or of a table that was made anew, nothing is there to take away. */
	if (!old || request.errnum != ENOENT)
		return -1;
	return bits ? table_change(netlink, name, false, bits, &request, err) : 0;
}

/* --- the files ---------------------------------------------------------------------------------------------------- */

static int mark_write(const struct net_state *state, const char *name, uint64_t bits, struct error *err)
{
	auto_fd dir = dir_create(state->run, POLICED_DIR, 0700, err);
	char text[32];

	if (dir < 0)
		return -1;
	snprintf(text, sizeof(text), "%" PRIu64 "\n", bits);
	return file_replace(dir, name, 0600, FILE_VOLATILE, text, strlen(text), err);
}

static bool mark_path(char path[48], unsigned slot)
{
	char name[IFNAMSIZ];

	return snprintf(path, 48, POLICED_DIR "/%s", link_name(slot, name)) < 48;
}

int endpoint_police(
	const struct net_state *state, struct net_session *session, unsigned slot, uint64_t bits, struct error *err)
{
	char path[48], name[IFNAMSIZ];
	bool old = mark_path(path, slot) && faccessat(state->run, path, F_OK, 0) == 0;

	link_name(slot, name);
	if (!old && !bits)
		return 0;
	if (bits && mark_write(state, name, bits, err) < 0)
		return blame(err, "limit %s", name);
	if (table_set(&session->filter, name, old, bits, err) < 0)
		return blame(err, "limit %s", name);
	if (!bits && unlinkat(state->run, path, 0) < 0 && errno != ENOENT)
		return fail_errno(err, "remove %s", path);
	return 0;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

static int police_one(struct arena *arena, int dir, const char *name, struct netlink *netlink, struct error *err)
{
	const char *text;
	uint64_t bits;

	if (!text_starts_with(name, "w")) /* a temporary file of a kill */
		return 0;
	if (file_read(arena, dir, name, 32, &text, NULL, err) < 0)
		return -1;
	text = arena_bytes(arena, text, strcspn(text, "\n"));
	if (number_parse_u64(text, UINT64_MAX, &bits, err) < 0)
		return -1;
	return table_set(netlink, name, true, bits, err);
}

int police_again(const struct net_state *state, struct netlink *netlink, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_fd dir = openat(state->run, POLICED_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct strings names = {0};

	if (dir < 0 && errno == ENOENT)
		return 0;
	if (dir < 0)
		return fail_errno(err, "open " POLICED_DIR);
	if (dir_list(&arena, dir, 2 * SLOT_MAX, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (police_one(&arena, dir, names.items[i], netlink, err) < 0)
			return blame(err, POLICED_DIR "/%s", names.items[i]);
	return 0;
}

int police_forget(const struct net_state *state, struct error *err)
{
	return tree_remove(state->run, POLICED_DIR, err);
}
