/* What netns/ uses of libmnl, without the library: Debian has it only as a shared object, and a program with one shared
 * object needs the dynamic linker and a shared C library, whose relocated data would be 90 KiB of private memory in
 * every monitor (docs/decisions/031). The prototypes are libmnl's own, from its header, so the two cannot drift apart
 * and a build may use the library all the same.
 *
 * A message is a header and attributes, each padded to four bytes. Who puts makes room first: request_has_room(). */
#include <libmnl/libmnl.h>
#include <string.h>

/* --- messages ----------------------------------------------------------------------------------------------------- */

struct nlmsghdr *mnl_nlmsg_put_header(void *buffer)
{
	struct nlmsghdr *message = buffer;

	*message = (struct nlmsghdr){.nlmsg_len = MNL_NLMSG_HDRLEN};
	return message;
}

void *mnl_nlmsg_get_payload_tail(const struct nlmsghdr *message)
{
	return (char *)message + MNL_ALIGN(message->nlmsg_len);
}

/* Zeroes of that size behind what there is. */
void *mnl_nlmsg_put_extra_header(struct nlmsghdr *message, size_t size)
{
	char *header = mnl_nlmsg_get_payload_tail(message);

	message->nlmsg_len += (uint32_t)MNL_ALIGN(size);
	return memset(header, 0, MNL_ALIGN(size));
}

bool mnl_nlmsg_ok(const struct nlmsghdr *message, int left)
{
	return left >= (int)sizeof(*message) && message->nlmsg_len >= sizeof(*message) &&
	       message->nlmsg_len <= (uint32_t)left;
}

void *mnl_nlmsg_get_payload_offset(const struct nlmsghdr *message, size_t offset)
{
	return (char *)message + MNL_NLMSG_HDRLEN + MNL_ALIGN(offset);
}

void *mnl_nlmsg_get_payload(const struct nlmsghdr *message)
{
	return mnl_nlmsg_get_payload_offset(message, 0);
}

size_t mnl_nlmsg_get_payload_len(const struct nlmsghdr *message)
{
	return message->nlmsg_len - MNL_NLMSG_HDRLEN;
}

/* --- attributes --------------------------------------------------------------------------------------------------- */

uint16_t mnl_attr_get_type(const struct nlattr *attribute)
{
	return attribute->nla_type & NLA_TYPE_MASK;
}

void *mnl_attr_get_payload(const struct nlattr *attribute)
{
	return (char *)attribute + MNL_ATTR_HDRLEN;
}

uint16_t mnl_attr_get_payload_len(const struct nlattr *attribute)
{
	return (uint16_t)(attribute->nla_len - MNL_ATTR_HDRLEN);
}

bool mnl_attr_ok(const struct nlattr *attribute, int left)
{
	return left >= (int)sizeof(*attribute) && attribute->nla_len >= sizeof(*attribute) &&
	       attribute->nla_len <= left;
}

struct nlattr *mnl_attr_next(const struct nlattr *attribute)
{
	return (struct nlattr *)((char *)attribute + MNL_ALIGN(attribute->nla_len));
}

/* The padding is zeroed: nothing of ours goes to the kernel unasked. */
void mnl_attr_put(struct nlmsghdr *message, uint16_t type, size_t size, const void *value)
{
	struct nlattr *attribute = mnl_nlmsg_get_payload_tail(message);
	char *payload = mnl_attr_get_payload(attribute);

	attribute->nla_type = type;
	attribute->nla_len = (uint16_t)(MNL_ATTR_HDRLEN + size);
	if (size)
		memcpy(payload, value, size);
	memset(payload + size, 0, MNL_ALIGN(size) - size);
	message->nlmsg_len += (uint32_t)MNL_ALIGN(attribute->nla_len);
}

void mnl_attr_put_u8(struct nlmsghdr *message, uint16_t type, uint8_t value)
{
	mnl_attr_put(message, type, sizeof(value), &value);
}

void mnl_attr_put_u32(struct nlmsghdr *message, uint16_t type, uint32_t value)
{
	mnl_attr_put(message, type, sizeof(value), &value);
}

void mnl_attr_put_u64(struct nlmsghdr *message, uint16_t type, uint64_t value)
{
	mnl_attr_put(message, type, sizeof(value), &value);
}

void mnl_attr_put_strz(struct nlmsghdr *message, uint16_t type, const char *text)
{
	mnl_attr_put(message, type, strlen(text) + 1, text);
}

struct nlattr *mnl_attr_nest_start(struct nlmsghdr *message, uint16_t type)
{
	struct nlattr *nest = mnl_nlmsg_get_payload_tail(message);

	mnl_attr_put(message, type | NLA_F_NESTED, 0, NULL);
	return nest;
}

void mnl_attr_nest_end(struct nlmsghdr *message, struct nlattr *nest)
{
	nest->nla_len = (uint16_t)((char *)mnl_nlmsg_get_payload_tail(message) - (char *)nest);
}
