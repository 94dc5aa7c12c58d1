/* Set element messages; see nf_tables.h of the kernel's headers for their form. */
#include "netns/netlink/elements.h"

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define DUMP_ATTEMPTS 20

static uint8_t *part_append(uint8_t *place, uint8_t *length, size_t room, const void *bytes, uint8_t size)
{
	uint8_t *part = place + *length;

	(void)room; /* for builds without assertions */
	assert(*length + (size_t)MNL_ALIGN(size) <= room);
	memset(part, 0, MNL_ALIGN(size));
	memcpy(part, bytes, size);
	*length = (uint8_t)(*length + MNL_ALIGN(size));
	return part;
}

void element_add_key(struct element *element, const void *bytes, uint8_t length)
{
	part_append(element->key, &element->key_length, sizeof(element->key), bytes, length);
}

void element_add_end(struct element *element, const void *bytes, uint8_t length)
{
	part_append(element->end, &element->end_length, sizeof(element->end), bytes, length);
}

void element_add_data(struct element *element, const void *bytes, uint8_t length)
{
	part_append(element->data, &element->data_length, sizeof(element->data), bytes, length);
}

/* --- building ----------------------------------------------------------------------------------------------------- */

static struct nlmsghdr *put_message(
	struct request *request, uint16_t type, uint16_t flags, uint8_t family, uint16_t resource, const char *name)
{
	struct nlmsghdr *message = request_message(request, type, flags, name);
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->nfgen_family = family;
	head->version = NFNETLINK_V0;
	head->res_id = htons(resource);
	return message;
}

static struct nlmsghdr *put_set_message(
	struct request *request, uint16_t type, uint16_t flags, const char *set, const char *name)
{
	struct nlmsghdr *message = put_message(request, NFNL_SUBSYS_NFTABLES << 8 | type, flags, NFPROTO_INET, 0, name);

	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, TABLE_NAME);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set);
	return message;
}

static void put_value(struct nlmsghdr *message, uint16_t type, const uint8_t *bytes, uint8_t length)
{
	struct nlattr *nest = mnl_attr_nest_start(message, type);

	mnl_attr_put(message, NFTA_DATA_VALUE, length, bytes);
	mnl_attr_nest_end(message, nest);
}

static void put_element(struct nlmsghdr *message, const struct element *element, bool with_data)
{
	struct nlattr *list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	struct nlattr *item = mnl_attr_nest_start(message, 1);

	if (element->interval_end)
		mnl_attr_put_u32(message, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	put_value(message, NFTA_SET_ELEM_KEY, element->key, element->key_length);
	if (element->end_length)
		put_value(message, NFTA_SET_ELEM_KEY_END, element->end, element->end_length);
	if (with_data && element->data_length)
		put_value(message, NFTA_SET_ELEM_DATA, element->data, element->data_length);
	if (with_data && element->object[0])
		mnl_attr_put_strz(message, NFTA_SET_ELEM_OBJREF, element->object);
	mnl_attr_nest_end(message, item);
	mnl_attr_nest_end(message, list);
}

void batch_begin(struct request *request, const struct netlink *netlink, void *buffer, size_t size)
{
	request_begin(request, netlink, buffer, size);
	request->batch = true;
	put_message(request, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, "change the nftables table");
}

void batch_add(struct request *request, const struct element *element, bool exclusive)
{
	struct nlmsghdr *message = put_set_message(request, NFT_MSG_NEWSETELEM,
		NLM_F_CREATE | (exclusive ? NLM_F_EXCL : 0), element->set, "add an nftables element");

	put_element(message, element, true);
}

void batch_delete(struct request *request, const struct element *element)
{
	struct nlmsghdr *message =
		put_set_message(request, NFT_MSG_DELSETELEM, 0, element->set, "delete an nftables element");

	put_element(message, element, false);
}

struct nlmsghdr *batch_message(struct request *request, uint16_t type, uint16_t flags, const char *name)
{
	return put_message(request, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, NFPROTO_INET, 0, name);
}

void batch_flush(struct request *request, const char *set)
{
	put_set_message(request, NFT_MSG_DELSETELEM, 0, set, "empty an nftables set");
}

void batch_delete_table(struct request *request)
{
	struct nlmsghdr *message = put_message(
		request, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, 0, NFPROTO_INET, 0, "delete the nftables table");

	mnl_attr_put_strz(message, NFTA_TABLE_NAME, TABLE_NAME);
}

void batch_end(struct request *request)
{
	put_message(request, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, "change the nftables table");
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool value_read(const struct nlattr *nest, uint8_t *into, uint8_t *length, size_t room)
{
	const struct nlattr *table[NFTA_DATA_VALUE + 1];
	const struct nlattr *value;

	attributes_of_nest(nest, table, NFTA_DATA_VALUE);
	value = table[NFTA_DATA_VALUE];
	if (!value || mnl_attr_get_payload_len(value) > room)
		return false;
	*length = (uint8_t)mnl_attr_get_payload_len(value);
	memcpy(into, mnl_attr_get_payload(value), *length);
	return true;
}

static uint64_t number_of(const struct nlattr *attribute)
{
	const void *bytes = attribute_exact(attribute, sizeof(uint64_t));
	uint64_t number = 0;

	if (bytes)
		memcpy(&number, bytes, sizeof(number));
	return be64toh(number);
}

static void count_read(const struct nlattr *expression, struct element *element)
{
	const struct nlattr *parts[NFTA_EXPR_DATA + 1], *counter[NFTA_COUNTER_PACKETS + 1];
	const char *name;

	attributes_of_nest(expression, parts, NFTA_EXPR_DATA);
	name = attribute_text(parts[NFTA_EXPR_NAME]);
	if (!name || strcmp(name, "counter") != 0)
		return;
	attributes_of_nest(parts[NFTA_EXPR_DATA], counter, NFTA_COUNTER_PACKETS);
	element->bytes = number_of(counter[NFTA_COUNTER_BYTES]);
	element->packets = number_of(counter[NFTA_COUNTER_PACKETS]);
}

static bool element_read(const struct nlattr *item, struct element *element)
{
	const struct nlattr *table[NFTA_SET_ELEM_KEY_END + 1];
	const uint32_t *flags;

	attributes_of_nest(item, table, NFTA_SET_ELEM_KEY_END);
	if (!value_read(table[NFTA_SET_ELEM_KEY], element->key, &element->key_length, sizeof(element->key)))
		return false;
	if (table[NFTA_SET_ELEM_DATA] &&
		!value_read(table[NFTA_SET_ELEM_DATA], element->data, &element->data_length, sizeof(element->data)))
		return false;
	if (table[NFTA_SET_ELEM_KEY_END] &&
		!value_read(table[NFTA_SET_ELEM_KEY_END], element->end, &element->end_length, sizeof(element->end)))
		return false;
	count_read(table[NFTA_SET_ELEM_EXPR], element);
	flags = attribute_exact(table[NFTA_SET_ELEM_FLAGS], sizeof(*flags));
	element->interval_end = flags && ntohl(*flags) & NFT_SET_ELEM_INTERVAL_END;
	return true;
}

void elements_parse(const struct nlmsghdr *message, const char *set, element_handler *handler, void *context)
{
	const struct nlattr *table[NFTA_SET_ELEM_LIST_ELEMENTS + 1], *item;
	const char *name;

	if (message->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM))
		return;
	if (!attributes_of_message(message, sizeof(struct nfgenmsg), table, NFTA_SET_ELEM_LIST_ELEMENTS))
		return;
	name = attribute_text(table[NFTA_SET_ELEM_LIST_SET]);
	if (!name || strcmp(name, set) != 0 || !table[NFTA_SET_ELEM_LIST_ELEMENTS])
		return;
	mnl_attr_for_each_nested(item, table[NFTA_SET_ELEM_LIST_ELEMENTS])
	{
		struct element element = {.set = set};

		if (element_read(item, &element))
			handler(&element, context);
	}
}

struct parse {
	const char *set;
	element_handler *handler;
	void *context;
};

static void parse_message(const struct nlmsghdr *message, void *context)
{
	struct parse *parse = context;

	elements_parse(message, parse->set, parse->handler, parse->context);
}

static void element_keep(const struct element *element, void *context)
{
	struct element *wanted = context;

	if (element->key_length != wanted->key_length || memcmp(element->key, wanted->key, wanted->key_length) != 0)
		return;
	memcpy(wanted->data, element->data, sizeof(wanted->data));
	wanted->data_length = element->data_length;
	memcpy(wanted->end, element->end, sizeof(wanted->end));
	wanted->end_length = element->end_length;
	wanted->bytes = element->bytes;
	wanted->packets = element->packets;
}

int element_find(struct netlink *netlink, struct element *element, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct parse parse = {element->set, element_keep, element};
	struct request request;

	request_begin(&request, netlink, buffer, sizeof(buffer));
	put_element(put_set_message(&request, NFT_MSG_GETSETELEM, 0, element->set, "look an nftables element up"),
		element, false);
	if (request_exchange(netlink, &request, parse_message, &parse, err) == 0)
		return 1;
	return request.errnum == ENOENT ? 0 : -1;
}

struct wanted {
	struct element *items;
	size_t count;
};

static void elements_keep(const struct element *element, void *context)
{
	struct wanted *wanted = context;

	for (size_t i = 0; i < wanted->count; i++)
		element_keep(element, &wanted->items[i]);
}

int elements_find(struct netlink *netlink, struct element *elements, size_t count, struct error *err)
{
	size_t size = (count + 2) * REQUEST_MESSAGE_MAX;
	auto_free void *buffer = malloc(size);
	struct wanted wanted = {elements, count};
	struct parse parse = {elements[0].set, elements_keep, &wanted};
	struct request request;

	if (!buffer)
		return fail_errno(err, "look nftables elements up");
	request_begin(&request, netlink, buffer, size);
	for (size_t i = 0; i < count; i++)
		put_element(put_set_message(
				    &request, NFT_MSG_GETSETELEM, 0, elements[i].set, "look an nftables element up"),
			&elements[i], false);
	if (request_exchange(netlink, &request, parse_message, &parse, err) == 0 || request.errnum == ENOENT)
		return 0;
	return -1;
}

int elements_dump(struct netlink *netlink, const char *set, element_handler *handler, void *context, struct error *err)
{
	uint64_t buffer[2 * REQUEST_MESSAGE_MAX / sizeof(uint64_t)];
	struct parse parse = {set, handler, context};
	struct request request;

	for (int attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
		request_begin(&request, netlink, buffer, sizeof(buffer));
		put_set_message(&request, NFT_MSG_GETSETELEM, NLM_F_DUMP, set, "list nftables elements");
		if (request_exchange(netlink, &request, parse_message, &parse, err) < 0)
			return -1;
		if (!request.interrupted)
			return 0;
	}
	return fail(err, ERROR_BUSY, "list nftables elements: the set %s keeps changing", set);
}
