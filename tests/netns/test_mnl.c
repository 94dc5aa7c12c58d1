/* The messages that netns/mnl.c makes are the library's, byte for byte. */
#include <dlfcn.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/test.h"

struct functions {
	struct nlmsghdr *(*header)(void *buffer);
	void *(*extra)(struct nlmsghdr *message, size_t size);
	void (*put)(struct nlmsghdr *message, uint16_t type, size_t size, const void *value);
	void (*put_u8)(struct nlmsghdr *message, uint16_t type, uint8_t value);
	void (*put_u32)(struct nlmsghdr *message, uint16_t type, uint32_t value);
	void (*put_u64)(struct nlmsghdr *message, uint16_t type, uint64_t value);
	void (*put_text)(struct nlmsghdr *message, uint16_t type, const char *text);
	struct nlattr *(*nest)(struct nlmsghdr *message, uint16_t type);
	void (*nest_end)(struct nlmsghdr *message, struct nlattr *nest);
};

static const struct functions ours = {mnl_nlmsg_put_header, mnl_nlmsg_put_extra_header, mnl_attr_put, mnl_attr_put_u8,
	mnl_attr_put_u32, mnl_attr_put_u64, mnl_attr_put_strz, mnl_attr_nest_start, mnl_attr_nest_end};

/* Its own calls of itself are not to be taken by this program's functions of the same names. */
static bool library_open(struct functions *library)
{
	static const char *const names[] = {"mnl_nlmsg_put_header", "mnl_nlmsg_put_extra_header", "mnl_attr_put",
		"mnl_attr_put_u8", "mnl_attr_put_u32", "mnl_attr_put_u64", "mnl_attr_put_strz", "mnl_attr_nest_start",
		"mnl_attr_nest_end"};
	void *handle = dlopen("libmnl.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND), *found[ARRAY_SIZE(names)];

	if (!handle)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		found[i] = dlsym(handle, names[i]);
		cr_assert(found[i], "%s", names[i]);
	}
	_Static_assert(sizeof(*library) == sizeof(found), "one name for each function");
	memcpy(library, found, sizeof(found));
	return true;
}

static void message_make(const struct functions *with, char *buffer)
{
	struct nlmsghdr *message = with->header(buffer);
	struct nlattr *outer, *inner;
	struct ifinfomsg *link = with->extra(message, sizeof(*link));

	link->ifi_index = 7;
	with->put_text(message, IFLA_IFNAME, "eth0");
	outer = with->nest(message, IFLA_LINKINFO);
	with->put_text(message, IFLA_INFO_KIND, "veth");
	inner = with->nest(message, IFLA_INFO_DATA);
	with->put_u8(message, 1, 0xab);
	with->put_u64(message, 2, 0x0123456789abcdef);
	with->extra(message, 3);
	with->nest_end(message, inner);
	with->nest_end(message, outer);
	with->put_u32(message, IFLA_MTU, 1500);
	with->put(message, 9, 5, "12345");
	with->put(message, 10, 0, NULL);
}

TEST(mnl, makes_the_bytes_that_the_library_makes)
{
	_Alignas(8) char mine[512] = {0}, theirs[512] = {0};
	struct functions library;

	SKIP_UNLESS(library_open(&library), "needs libmnl.so.0");
	cr_assert(library.put != ours.put);
	message_make(&ours, mine);
	message_make(&library, theirs);
	cr_assert(((struct nlmsghdr *)(void *)mine)->nlmsg_len > 100);
	for (size_t i = 0; i < sizeof(mine); i++)
		cr_assert(mine[i] == theirs[i], "byte %zu: %#x, the library: %#x", i, (unsigned char)mine[i],
			(unsigned char)theirs[i]);
}

/* As newer versions of the library do it, too. */
TEST(mnl, what_was_in_the_buffer_is_not_sent)
{
	_Alignas(8) char bytes[512], clean[512] = {0};
	uint32_t length;

	memset(bytes, 0x55, sizeof(bytes));
	message_make(&ours, bytes);
	message_make(&ours, clean);
	length = ((struct nlmsghdr *)(void *)clean)->nlmsg_len;
	cr_assert(memcmp(bytes, clean, length) == 0 && bytes[length] == 0x55);
}

TEST(mnl, walks_over_no_end)
{
	_Alignas(8) char bytes[64] = {0};
	struct nlattr *attribute = (struct nlattr *)(void *)bytes;
	struct nlmsghdr *message = (struct nlmsghdr *)(void *)bytes;

	cr_assert(!mnl_attr_ok(attribute, 16), "shorter than its own header");
	attribute->nla_len = 17;
	cr_assert(!mnl_attr_ok(attribute, 16), "longer than what is left");
	attribute->nla_len = 16;
	cr_assert(mnl_attr_ok(attribute, 16) && !mnl_attr_ok(attribute, 3) && !mnl_attr_ok(attribute, -4));
	attribute->nla_type = 3 | NLA_F_NESTED;
	cr_assert(mnl_attr_get_type(attribute) == 3 && mnl_attr_get_payload_len(attribute) == 12);
	cr_assert((char *)mnl_attr_next(attribute) == bytes + 16);

	memset(bytes, 0, sizeof(bytes));
	message->nlmsg_len = 33;
	cr_assert(!mnl_nlmsg_ok(message, 32) && mnl_nlmsg_ok(message, 33) && !mnl_nlmsg_ok(message, -1));
	cr_assert(mnl_nlmsg_get_payload_len(message) == 17);
	cr_assert((char *)mnl_nlmsg_get_payload_offset(message, 5) == bytes + 24);
	cr_assert((char *)mnl_nlmsg_get_payload_tail(message) == bytes + 36);
}
