/* See balance_record.h. */
#include "netns/ports/balance_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/json.h"

#define DIRECTORY "shared"
#define LOCK_FILE ".lock"
#define LOCK_TIMEOUT_MS 30000
#define RECORD_VERSION 1
#define RECORDS_MAX 65536

struct member_row {
	const char *address, *address6;
	unsigned target, weight;
	bool in;
};
struct record {
	int version;
	enum port_balance balance;
	LIST_OF(struct member_row) members;
};

static const struct field member_fields[] = {
	STRING("address", struct member_row, address, REQUIRED),
	STRING("address6", struct member_row, address6, 0),
	INTEGER("target", struct member_row, target, 1, UINT16_MAX, REQUIRED),
	INTEGER("weight", struct member_row, weight, 1, BALANCE_WEIGHT_MAX, REQUIRED),
	BOOL("in", struct member_row, in, REQUIRED),
	END_OF_FIELDS,
};
static const struct field record_fields[] = {
	INTEGER("version", struct record, version, 1, RECORD_VERSION, REQUIRED),
	ENUM("balance", struct record, balance, port_balance_names, REQUIRED),
	LIST("members", struct record, members, member_fields, REQUIRED),
	END_OF_FIELDS,
};

/* --- the directory ------------------------------------------------------------------------------------------------ */

int balance_records_open(const struct net_state *state, struct balance_records *out, struct error *err)
{
	auto_fd directory = dir_create(state->run, DIRECTORY, 0700, err);

	if (directory < 0)
		return -1;
	out->lock = lock_file(directory, LOCK_FILE, LOCK_TIMEOUT_MS, err);
	if (out->lock < 0)
		return -1;
	out->directory = take_fd(&directory);
	return 0;
}

bool balance_records_exist(const struct net_state *state)
{
	return faccessat(state->run, DIRECTORY, F_OK, 0) == 0;
}

void balance_records_drop(struct balance_records *records)
{
	fd_drop(&records->directory);
	fd_drop(&records->lock);
}

int balance_records_forget(const struct net_state *state, struct error *err)
{
	return tree_remove(state->run, DIRECTORY, err);
}

/* --- names -------------------------------------------------------------------------------------------------------- */

static const char *record_name(const struct port *port, char buffer[PORT_TEXT_SIZE])
{
	char address[INET6_ADDRSTRLEN];

	snprintf(buffer, PORT_TEXT_SIZE, "%s-%u-%s", port_protocol_names[port->protocol], port->published,
		ip_format(&port->host_ip, address));
	return buffer;
}

static bool name_read(const char *name, struct port *out)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct strings parts = strings_split(&arena, name, '-');
	struct error ignored;
	uint16_t following;

	*out = (struct port){.balance = PORT_BALANCED};
	if (parts.count != 3 || port_range_parse(parts.items[1], &out->published, &following, &ignored) < 0 ||
		ip_parse(parts.items[2], &out->host_ip, &ignored) < 0)
		return false;
	for (int i = 0; port_protocol_names[i]; i++) {
		out->protocol = (enum port_protocol)i;
		if (text_equal(parts.items[0], port_protocol_names[i]))
			return true;
	}
	return false;
}

int balance_records_list(struct arena *arena, int directory, struct port_list *out, struct error *err)
{
	struct strings names = {0};

	if (dir_list(arena, directory, RECORDS_MAX, &names, err) < 0)
		return -1;
	out->items = arena_new_array(arena, names.count, struct port);
	out->count = 0;
	for (size_t i = 0; i < names.count; i++)
		if (name_read(names.items[i], &out->items[out->count]))
			out->count++;
	return 0;
}

/* --- one record --------------------------------------------------------------------------------------------------- */

static int member_read(const struct member_row *row, struct balance_member *out, struct error *err)
{
	struct ip_address address = {0}, address6 = {0};

	if (ip_parse(row->address, &address, err) < 0 ||
		(row->address6 && *row->address6 && ip_parse(row->address6, &address6, err) < 0))
		return -1;
	*out = (struct balance_member){.address = address.v4,
		.address6 = address6.family == AF_INET6 ? address6.v6 : in6addr_any,
		.target = (uint16_t)row->target,
		.weight = row->weight,
		.in = row->in};
	return 0;
}

static int members_read(const struct record *record, struct balance *out, struct error *err)
{
	if (record->members.count > BALANCE_MEMBERS_MAX)
		return fail(err, ERROR_SYSTEM, "has %zu members", record->members.count);
	for (size_t i = 0; i < record->members.count; i++)
		if (member_read(&record->members.items[i], &out->members[out->count++], err) < 0)
			return -1;
	return 0;
}

int balance_record_read(int directory, const struct port *port, struct balance *out, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct record record = {0};
	char name[PORT_TEXT_SIZE];
	struct json_doc doc;

	memset(out, 0, sizeof(*out));
	out->port = *port;
	if (json_read(&arena, directory, record_name(port, name), JSON_PLAIN, &doc, err) < 0)
		return err->kind == ERROR_MISSING ? 0 : -1;
	struct decoder decoder = {.arena = &arena, .doc = &doc, .mode = DECODE_LENIENT};
	if (decode_object(&decoder, doc.root, record_fields, &record, err) < 0 || members_read(&record, out, err) < 0)
		return blame(err, "the record of the shared port %s", name);
	out->port.balance = record.balance;
	return 0;
}

static void member_encode(struct encoder *encoder, const struct balance_member *member)
{
	const struct ip_address address = ip_from_v4(member->address), address6 = ip_from_v6(&member->address6);
	char text[INET6_ADDRSTRLEN];

	encode_object_begin(encoder, NULL);
	encode_string(encoder, "address", ip_format(&address, text));
	if (!ip_is_any(&address6))
		encode_string(encoder, "address6", ip_format(&address6, text));
	encode_integer(encoder, "target", member->target);
	encode_integer(encoder, "weight", member->weight);
	encode_bool(encoder, "in", member->in);
	encode_object_end(encoder);
}

int balance_record_write(int directory, const struct balance *balance, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = NULL;
	char name[PORT_TEXT_SIZE];
	size_t length;

	record_name(&balance->port, name);
	if (!balance->count)
		return unlinkat(directory, name, 0) == 0 || errno == ENOENT ? 0 : fail_errno(err, "remove %s", name);
	encoder = encoder_new(ENCODE_PRETTY);
	encode_object_begin(encoder, NULL);
	encode_integer(encoder, "version", RECORD_VERSION);
	encode_string(encoder, "balance", port_balance_names[balance->port.balance]);
	encode_array_begin(encoder, "members");
	for (size_t i = 0; i < balance->count; i++)
		member_encode(encoder, &balance->members[i]);
	encode_array_end(encoder);
	encode_object_end(encoder);
	auto_free char *text = encoder_take(encoder, &length);
	return file_replace(directory, name, 0600, FILE_VOLATILE, text, length, err);
}
