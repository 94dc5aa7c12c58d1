/* CRIU's messages: protobuf, of which rpc.proto needs numbers, strings and messages inside messages.
 *
 * A field is a tag (its number and how its value is written) and the value: a number in groups of seven bits, or a
 * length and bytes. Fields that a reader does not know are passed over, so newer and older CRIUs are understood. */
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "runtime/criu/criu.h"

enum wire { WIRE_NUMBER = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void varint_put(struct text *out, uint64_t value)
{
	char byte;

	do {
		byte = (char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
		text_append_bytes(out, &byte, 1);
		value >>= 7;
	} while (value);
}

static void number_put(struct text *out, unsigned field, uint64_t value)
{
	varint_put(out, field << 3 | WIRE_NUMBER);
	varint_put(out, value);
}

static void bytes_put(struct text *out, unsigned field, const char *bytes, size_t length)
{
	varint_put(out, field << 3 | WIRE_BYTES);
	varint_put(out, length);
	text_append_bytes(out, bytes, length);
}

static void string_put(struct text *out, unsigned field, const char *string)
{
	bytes_put(out, field, string, strlen(string));
}

/* Empties what was put together. */
static void message_put(struct text *out, unsigned field, struct text *message)
{
	bytes_put(out, field, text_string(message), message->length);
	text_clear(message);
}

#define OPTION(member) offsetof(struct criu_request, member)

static const struct {
	unsigned field;
	size_t offset;
} flags[] = {
	{3, OPTION(leave_running)},
	{4, OPTION(external_unix_sockets)},
	{5, OPTION(tcp_established)},
	{6, OPTION(evasive_devices)},
	{7, OPTION(shell_job)},
	{8, OPTION(file_locks)},
	{12, OPTION(notify)},
	{15, OPTION(track_memory)},
	{16, OPTION(auto_dedup)},
	{18, OPTION(link_remap)},
	{26, OPTION(sibling)},
	{46, OPTION(tcp_skip_in_flight)},
	{48, OPTION(lazy_pages)},
	{50, OPTION(orphan_master)},
	{52, OPTION(tcp_close)},
};

static const struct {
	unsigned field;
	size_t offset;
} strings[] = {
	{10, OPTION(log_file)},
	{13, OPTION(root)},
	{14, OPTION(parent)},
	{44, OPTION(freezer)},
	{51, OPTION(config_file)},
	{53, OPTION(lsm_profile)},
	{63, OPTION(lsm_mount_context)},
};

static void tables_put(const struct criu_request *request, struct text *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (*(const bool *)((const char *)request + flags[i].offset))
			number_put(out, flags[i].field, 1);
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		const char *value = *(const char *const *)((const char *)request + strings[i].offset);

		if (value)
			string_put(out, strings[i].field, value);
	}
}

static void numbers_put(const struct criu_request *request, struct text *out)
{
	number_put(out, 1, CRIU_IMAGES_FD);
	if (request->pid)
		number_put(out, 2, (uint64_t)request->pid);
	if (request->log_level)
		number_put(out, 9, (uint64_t)request->log_level);
	number_put(out, 17, CRIU_WORK_FD);
	number_put(out, 24, 1); /* manage_cgroups: without it the mode is not looked at */
	number_put(out, 34, (uint64_t)request->cgroups);
	if (request->empty_namespaces)
		number_put(out, 38, request->empty_namespaces);
	if (request->status)
		number_put(out, 49, CRIU_STATUS_FD);
	if (request->network_lock)
		number_put(out, 64, request->network_lock);
}

static void lists_put(const struct criu_request *request, struct text *out)
{
	AUTO(text_drop) struct text inner = {0};

	for (size_t i = 0; i < request->cgroup_roots.count; i++) {
		string_put(&inner, 1, request->cgroup_roots.items[i].controllers);
		string_put(&inner, 2, request->cgroup_roots.items[i].path);
		message_put(out, 25, &inner);
	}
	for (size_t i = 0; i < request->inherited.count; i++) {
		string_put(&inner, 1, request->inherited.items[i].key);
		number_put(&inner, 2, (uint64_t)request->inherited.items[i].fd);
		message_put(out, 27, &inner);
	}
	for (size_t i = 0; i < request->external.count; i++)
		string_put(out, 37, request->external.items[i]);
	for (size_t i = 0; i < request->joins.count; i++) {
		string_put(&inner, 1, request->joins.items[i].namespace);
		string_put(&inner, 2, request->joins.items[i].file);
		message_put(out, 39, &inner);
	}
	if (request->page_server.address) {
		string_put(&inner, 1, request->page_server.address);
		number_put(&inner, 2, (uint64_t)request->page_server.port);
		message_put(out, 11, &inner);
	}
}

void criu_request_encode(const struct criu_request *request, struct text *out)
{
	AUTO(text_drop) struct text options = {0};

	numbers_put(request, &options);
	tables_put(request, &options);
	lists_put(request, &options);
	number_put(out, 1, request->verb);
	message_put(out, 2, &options);
}

void criu_notified_encode(bool success, struct text *out)
{
	number_put(out, 1, CRIU_NOTIFY);
	number_put(out, 3, success);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

struct reader {
	const unsigned char *at, *end;
};
struct value {
	unsigned field;
	enum wire wire;
	uint64_t number;
	struct reader bytes;
};

static bool varint_take(struct reader *reader, uint64_t *out)
{
	*out = 0;
	for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
		unsigned char byte = *reader->at++;

		*out |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static bool bytes_take(struct reader *reader, uint64_t length, struct reader *out)
{
	if (length > (uint64_t)(reader->end - reader->at))
		return false;
	*out = (struct reader){reader->at, reader->at + length};
	reader->at += length;
	return true;
}

static bool value_take(struct reader *reader, struct value *out)
{
	uint64_t tag, length;

	*out = (struct value){0};
	if (!varint_take(reader, &tag) || tag >> 3 == 0 || tag >> 3 > 536870911)
		return false;
	out->field = (unsigned)(tag >> 3);
	out->wire = (enum wire)(tag & 7);
	switch (out->wire) {
	case WIRE_NUMBER:
		return varint_take(reader, &out->number);
	case WIRE_BYTES:
		return varint_take(reader, &length) && bytes_take(reader, length, &out->bytes);
	case WIRE_FIXED64:
		return bytes_take(reader, 8, &out->bytes);
	case WIRE_FIXED32:
		return bytes_take(reader, 4, &out->bytes);
	}
	return false;
}

/* What does not fit is cut: these are words for people, and names that are compared with short ones of ours. */
static void string_copy(const struct value *value, char *out, size_t size)
{
	size_t length = (size_t)(value->bytes.end - value->bytes.at);

	if (length >= size)
		length = size - 1;
	memcpy(out, value->bytes.at, length);
	out[length] = '\0';
}

static bool restore_decode(struct reader reader, struct criu_answer *out)
{
	struct value value;

	while (reader.at < reader.end) {
		if (!value_take(&reader, &value))
			return false;
		if (value.field == 1 && value.wire == WIRE_NUMBER)
			out->pid = (pid_t)value.number;
	}
	return true;
}

static bool notify_decode(struct reader reader, struct criu_answer *out)
{
	struct value value;

	while (reader.at < reader.end) {
		if (!value_take(&reader, &value))
			return false;
		if (value.field == 1 && value.wire == WIRE_BYTES)
			string_copy(&value, out->notification, sizeof(out->notification));
		if (value.field == 2 && value.wire == WIRE_NUMBER)
			out->notified_pid = (pid_t)value.number;
	}
	return true;
}

static bool number_note(const struct value *value, struct criu_answer *out)
{
	if (value->field == 1)
		out->verb = (enum criu_verb)value->number;
	if (value->field == 2)
		out->success = value->number;
	if (value->field == 7)
		out->cr_errno = (int)value->number;
	return true;
}

static bool field_note(const struct value *value, struct criu_answer *out)
{
	if (value->wire == WIRE_NUMBER)
		return number_note(value, out);
	if (value->wire != WIRE_BYTES)
		return true;
	if (value->field == 4)
		return restore_decode(value->bytes, out);
	if (value->field == 5)
		return notify_decode(value->bytes, out);
	if (value->field == 9)
		string_copy(value, out->message, sizeof(out->message));
	return true;
}

int criu_answer_decode(const unsigned char *bytes, size_t length, struct criu_answer *out, struct error *err)
{
	struct reader reader = {bytes, bytes + length};
	struct value value;

	*out = (struct criu_answer){0};
	while (reader.at < reader.end)
		if (!value_take(&reader, &value) || !field_note(&value, out))
			return fail(err, ERROR_SYSTEM, "criu's answer is not understood");
	return 0;
}
