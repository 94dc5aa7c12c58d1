/* What is said to CRIU and heard from it: rpc.proto by hand. */
#include "base/cleanup.h"
#include "runtime/criu/criu.h"
#include "runtime/runtime.h"
#include "tests/test.h"

static void assert_bytes(const struct text *text, const char *expected, size_t length)
{
	cr_assert(text->length == length, "%zu bytes, expected %zu", text->length, length);
	cr_assert(memcmp(text_string(text), expected, length) == 0);
}

#define ASSERT_BYTES(text, literal) assert_bytes(&(text), literal, sizeof(literal) - 1)

TEST(criu_message, answer_to_a_notification_is_two_numbers)
{
	AUTO(text_drop) struct text yes = {0};
	AUTO(text_drop) struct text no = {0};

	criu_notified_encode(true, &yes);
	criu_notified_encode(false, &no);
	ASSERT_BYTES(yes, "\x08\x06\x18\x01");
	ASSERT_BYTES(no, "\x08\x06\x18\x00");
}

/* Numbers of more than seven bits, strings, and a message inside a message inside a message. */
TEST(criu_message, request_is_written_as_the_protocol_has_it)
{
	AUTO(text_drop) struct text text = {0};
	struct criu_inherited inherited = {.key = "pipe:[1]", .fd = 64};
	const char *external[] = {"mnt[/a]:/a"};
	struct criu_request request = {
		.verb = CRIU_RESTORE,
		.pid = 300,
		.tcp_established = true,
		.log_file = "r.log",
		.cgroups = CRIU_CGROUPS_SOFT,
		.network_lock = CRIU_LOCK_NOTHING,
		.external = {external, 1},
		.inherited = {&inherited, 1},
	};

	criu_request_encode(&request, &text);
	ASSERT_BYTES(text, "\x08\x02"				  /* restore */
			   "\x12\x36"				  /* options */
			   "\x08\x04"				  /* directory of images */
			   "\x10\xac\x02"			  /* pid 300 */
			   "\x88\x01\x05"			  /* work directory */
			   "\xc0\x01\x01"			  /* cgroups are looked after */
			   "\x90\x02\x03"			  /* softly */
			   "\x80\x04\x03"			  /* no lock of the network */
			   "\x28\x01"				  /* TCP */
			   "\x52\x05r.log"			  /* log */
			   "\xda\x01\x0c\x0a\x08pipe:[1]\x10\x40" /* inherited */
			   "\xaa\x02\x0amnt[/a]:/a");
}

/* A notification that a process has got its namespaces, with a field that nobody knows. */
static const char notification[] = "\x08\x06\x10\x01\x2a\x15\x0a\x10setup-namespaces\x10\xac\x02\xfa\x3f\x03"
				   "abc";
static const char failure[] = "\x08\x02\x10\x00\x22\x02\x08\x00\x38\x02\x4a\x04oops";

TEST(criu_message, answers_are_understood)
{
	struct criu_answer answer;
	struct error err;

	ASSERT_OK(criu_answer_decode((const unsigned char *)notification, sizeof(notification) - 1, &answer, &err));
	cr_assert(answer.verb == CRIU_NOTIFY && answer.success && answer.notified_pid == 300);
	cr_assert_str_eq(answer.notification, "setup-namespaces");
	ASSERT_OK(criu_answer_decode((const unsigned char *)failure, sizeof(failure) - 1, &answer, &err));
	cr_assert(answer.verb == CRIU_RESTORE && !answer.success && answer.cr_errno == 2 && !*answer.notification);
	cr_assert_str_eq(answer.message, "oops");
}

/* Each cut of a message is one of whole fields or refused; with any byte changed nothing is read beyond its end. */
TEST(criu_message, cut_and_damaged_ones_are_survived)
{
	struct criu_answer answer;
	struct error err;
	size_t refused = 0;

	for (size_t length = 0; length < sizeof(notification); length++) {
		unsigned char *copy = malloc(length ? length : 1);

		memcpy(copy, notification, length);
		refused += criu_answer_decode(copy, length, &answer, &err) < 0;
		for (size_t i = 0; i < length; i++) {
			copy[i] ^= 0xff;
			(void)!criu_answer_decode(copy, length, &answer, &err);
			copy[i] ^= 0xff;
		}
		free(copy);
	}
	cr_assert(refused > 20, "%zu refused", refused);
	ASSERT_FAILS(
		criu_answer_decode((const unsigned char *)"\x0b", 1, &answer, &err), ERROR_SYSTEM, "not understood");
	ASSERT_FAILS(criu_answer_decode((const unsigned char *)"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12,
			     &answer, &err),
		ERROR_SYSTEM, "not understood");
}
