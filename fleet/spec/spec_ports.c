/* Addresses and published ports, in Compose's short forms and as objects. */
#include <arpa/inet.h>
#include <string.h>

#include "fleet/spec/spec_rows.h"

const struct value_shape decode_gateway_shape = {.forms = FORM_STRING, .words = "an IPv4 address"};

int decode_gateway(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	const char *text;

	if (decode_string(decoder, node, &text, err) < 0)
		return -1;
	if (inet_pton(AF_INET, text, member) != 1)
		return decode_fail(decoder, node, err, "\"%s\" is not an IPv4 address", text);
	return 0;
}

const struct value_shape decode_address6_shape = {.forms = FORM_STRING, .words = "an IPv6 address"};

int decode_address6(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct ip_address address;
	const char *text;

	if (decode_string(decoder, node, &text, err) < 0)
		return -1;
	if (ip_parse(text, &address, err) < 0 || address.family != AF_INET6 || ip_is_any(&address) ||
		ip_is_loopback(&address))
		return decode_fail(decoder, node, err, "\"%s\" is not an IPv6 address", text);
	*(struct in6_addr *)member = address.v6;
	return 0;
}

const struct value_shape decode_own_address_shape = {
	.forms = FORM_STRING, .words = "an IPv4 address, with macvlan and bridge \"ADDRESS/PREFIX\""};

int decode_own_address(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct instance_spec *spec = member;
	const char *text;

	if (decode_string(decoder, node, &text, err) < 0)
		return -1;
	if (address_prefix_parse(text, &spec->address, &spec->address_prefix, err) < 0)
		return decode_blame(decoder, node, err);
	return 0;
}
/* --- ports -------------------------------------------------------------------------------------------------------- */

struct port_numbers {
	uint16_t first, following;
};

static const struct value_shape decode_port_numbers_shape = {
	.forms = FORM_STRING | FORM_NUMBER, .words = "a port number or \"FIRST-LAST\""};

static int decode_port_numbers(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct port_numbers *numbers = member;
	const char *text;

	if (decode_scalar(decoder, node, "a port number or \"FIRST-LAST\"", &text, err) < 0)
		return -1;
	return port_range_parse(text, &numbers->first, &numbers->following, err) < 0 ? decode_blame(decoder, node, err)
										     : 0;
}

static const struct value_shape decode_ip_shape = {.forms = FORM_STRING, .words = "an IP address"};

static int decode_ip(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	const char *text;

	if (decode_string(decoder, node, &text, err) < 0)
		return -1;
	return ip_parse(text, member, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

/* The object's form; "target" and "published" are numbers or ranges. */
struct port_words {
	struct port port;
	struct port_numbers target, published;
};

static const struct field port_fields[] = {
	{.key = "target",
		.kind = FIELD_CUSTOM,
		.flags = REQUIRED,
		.offset = CHECKED_OFFSET(struct port_words, target, struct port_numbers),
		.decode = decode_port_numbers,
		.shape = &decode_port_numbers_shape},
	ROW_AS(struct port_numbers, "published", struct port_words, published, decode_port_numbers),
	ROW_AS(struct ip_address, "host_ip", struct port_words, port.host_ip, decode_ip),
	ENUM("protocol", struct port_words, port.protocol, port_protocol_names, 0),
	ENUM("mode", struct port_words, port.mode, port_mode_names, 0),
	ENUM("balance", struct port_words, port.balance, port_balance_names, 0),
	END_OF_FIELDS,
};

static int decode_port_object(
	const struct decoder *decoder, const struct json *node, struct port *out, struct error *err)
{
	struct port_words words = {.port = *out};

	if (decode_object(decoder, node, port_fields, &words, err) < 0)
		return -1;
	*out = words.port;
	out->target = words.target.first;
	out->published = words.published.first;
	out->following = words.target.following;
	if (out->published && words.published.following != out->following)
		return decode_fail(decoder, node, err, "%u published ports for %u of the instance",
			words.published.following + 1u, out->following + 1u);
	return port_check(out, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

static int decode_port(const struct decoder *decoder, const struct json *node, struct port *out, struct error *err)
{
	const char *text;

	*out = (struct port){.host_ip = ip_from_v4((struct in_addr){htonl(INADDR_LOOPBACK)})};
	if (node->kind == JSON_OBJECT)
		return decode_port_object(decoder, node, out, err);
	if (decode_scalar(decoder, node, "\"PUBLISHED:TARGET\" or an object", &text, err) < 0)
		return -1;
	return port_parse(text, out, err) < 0 ? decode_blame(decoder, node, err) : 0;
}

static const struct value_shape port_shape = {.forms = FORM_STRING | FORM_NUMBER | FORM_OBJECT,
	.words = "\"PUBLISHED:TARGET\" or an object",
	.fields = port_fields};
const struct value_shape decode_ports_shape = {.forms = FORM_LIST, .items = &port_shape};

int decode_ports(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct instance_spec *spec = member;

	if (list_expected(decoder, node, err) < 0)
		return -1;
	spec->ports.items = arena_new_array(decoder->arena, node->count, struct port);
	spec->ports.count = 0;
	for (const struct json *item = node->first; item; item = item->next)
		if (decode_port(decoder, item, &spec->ports.items[spec->ports.count++], err) < 0)
			return -1;
	return 0;
}
