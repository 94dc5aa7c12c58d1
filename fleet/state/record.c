/* See record.h for which file says what. Reading is lenient about unknown keys, so that an older program passes over
 * what a newer one wrote, and strict about types. */
#include "fleet/state/record.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/decode.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/json.h"

const char *const instance_state_names[] = {
	"created", "starting", "running", "paused", "restarting", "stopped", "damaged", NULL};
const char *const end_reason_names[] = {"", "exited", "signal", "out of memory", "stopped", "killed",
	"host restarted or monitor lost", "start failed", "reboot", "unhealthy", "restart", NULL};

#define RECORD_VERSION 1
#define PORTS_MAX 64

struct port_row {
	const char *host_ip;
	int64_t published, target, following;
	enum port_protocol protocol;
	enum port_mode mode;
	enum port_balance balance;
};

/* The files' own form; addresses are text there. */
struct record_file {
	int64_t version, created_ms;
	unsigned slot, network_number;
	const char *network, *address, *address6;
};
struct run_file {
	int64_t version;
	const char *boot;
	bool started;
	struct process_id init, monitor;
	int64_t started_ms, restarts, log_dropped_bytes;
	uint64_t sources;
	LIST_OF(struct port_row) ports;
};
struct exit_file {
	int64_t version;
	enum end_reason reason;
	int status;
	int64_t at_ms, restarts;
	const char *detail;
};

static const struct field record_fields[] = {
	INTEGER("version", struct record_file, version, 1, RECORD_VERSION, REQUIRED),
	INTEGER("created_ms", struct record_file, created_ms, 0, INT64_MAX, REQUIRED),
	INTEGER("slot", struct record_file, slot, 1, SLOT_MAX, REQUIRED),
	INTEGER("network_number", struct record_file, network_number, 0, 4095, 0),
	STRING("network", struct record_file, network, 0),
	STRING("address", struct record_file, address, 0),
	STRING("address6", struct record_file, address6, 0),
	END_OF_FIELDS,
};

static const struct field process_fields[] = {
	INTEGER("pid", struct process_id, pid, 0, INT32_MAX, REQUIRED),
	UINT64("start_time", struct process_id, start_time, REQUIRED),
	END_OF_FIELDS,
};

static const struct field port_fields[] = {
	STRING("host_ip", struct port_row, host_ip, REQUIRED),
	INTEGER("published", struct port_row, published, 0, 65535, REQUIRED),
	INTEGER("target", struct port_row, target, 1, 65535, REQUIRED),
	INTEGER("following", struct port_row, following, 0, 65535, 0),
	ENUM("protocol", struct port_row, protocol, port_protocol_names, REQUIRED),
	ENUM("mode", struct port_row, mode, port_mode_names, 0),
	ENUM("balance", struct port_row, balance, port_balance_names, 0),
	END_OF_FIELDS,
};

static const struct field run_fields[] = {
	INTEGER("version", struct run_file, version, 1, RECORD_VERSION, REQUIRED),
	STRING("boot", struct run_file, boot, REQUIRED),
	BOOL("started", struct run_file, started, 0),
	OBJECT("init", struct run_file, init, process_fields, 0),
	OBJECT("monitor", struct run_file, monitor, process_fields, 0),
	INTEGER("started_ms", struct run_file, started_ms, 0, INT64_MAX, 0),
	INTEGER("restarts", struct run_file, restarts, 0, INT64_MAX, 0),
	INTEGER("log_dropped_bytes", struct run_file, log_dropped_bytes, 0, INT64_MAX, 0),
	UINT64("sources", struct run_file, sources, 0),
	LIST("ports", struct run_file, ports, port_fields, 0),
	END_OF_FIELDS,
};

/* Spelled for the file, where a space would be odd; order of enum end_reason. */
const char *const end_reason_words[] = {"none", "exited", "signal", "out_of_memory", "stopped", "killed", "host",
	"start_failed", "reboot", "unhealthy", "restart", NULL};

static const struct field exit_fields[] = {
	INTEGER("version", struct exit_file, version, 1, RECORD_VERSION, REQUIRED),
	ENUM("reason", struct exit_file, reason, end_reason_words, REQUIRED),
	INTEGER("status", struct exit_file, status, 0, 255, REQUIRED),
	INTEGER("at_ms", struct exit_file, at_ms, 0, INT64_MAX, REQUIRED),
	INTEGER("restarts", struct exit_file, restarts, 0, INT64_MAX, 0),
	STRING("detail", struct exit_file, detail, 0),
	END_OF_FIELDS,
};

int record_fields_write(int dir, const char *name, const struct field *fields, const void *from,
	enum file_durability durability, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	size_t length;

	encode_object(encoder, NULL, fields, from);
	auto_free char *text = encoder_take(encoder, &length);
	return file_replace(dir, name, 0600, durability, text, length, err);
}

int record_fields_read(
	struct arena *arena, int dir, const char *name, const struct field *fields, void *into, struct error *err)
{
	struct json_doc doc;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_LENIENT};

	if (json_read(arena, dir, name, JSON_PLAIN, &doc, err) < 0)
		return -1;
	return decode_object(&decoder, doc.root, fields, into, err);
}

static const char *address_text(struct in_addr address, char buffer[INET_ADDRSTRLEN])
{
	return inet_ntop(AF_INET, &address, buffer, INET_ADDRSTRLEN);
}

static const char *address6_text(const struct in6_addr *address, char buffer[INET6_ADDRSTRLEN])
{
	return IN6_IS_ADDR_UNSPECIFIED(address) ? NULL : inet_ntop(AF_INET6, address, buffer, INET6_ADDRSTRLEN);
}

static int address_parse(const char *what, const char *text, struct in_addr *out, struct error *err)
{
	if (inet_pton(AF_INET, text, out) != 1)
		return fail(err, ERROR_USAGE, "%s: \"%s\" is not an IPv4 address", what, text);
	return 0;
}

/* --- record.json -------------------------------------------------------------------------------------------------- */

int record_write(int dir, const struct record *record, struct error *err)
{
	char address[INET_ADDRSTRLEN], address6[INET6_ADDRSTRLEN];
	struct record_file file = {
		.version = RECORD_VERSION,
		.created_ms = record->created_ms,
		.slot = record->slot,
		.network_number = record->network_number,
		.network = record->network,
		.address = record->network ? address_text(record->address, address) : NULL,
		.address6 = address6_text(&record->address6, address6),
	};

	return record_fields_write(dir, "record.json", record_fields, &file, FILE_ORDERED, err);
}

int record_read(struct arena *arena, int dir, struct record *out, struct error *err)
{
	struct record_file file = {0};

	if (record_fields_read(arena, dir, "record.json", record_fields, &file, err) < 0)
		return -1;
	*out = (struct record){
		.created_ms = file.created_ms,
		.slot = file.slot,
		.network = file.network,
		.network_number = file.network_number,
	};
	if (!file.network)
		return 0;
	if (name_check("record.json: network", file.network, err) < 0)
		return -1;
	if (file.address6 && inet_pton(AF_INET6, file.address6, &out->address6) != 1)
		return fail(err, ERROR_USAGE, "record.json: address6: \"%s\" is not an IPv6 address", file.address6);
	return address_parse("record.json: address", file.address ? file.address : "", &out->address, err);
}

uint32_t record_id_base(const struct record *record)
{
	return SLOT_ID_BASE + record->slot * SLOT_ID_COUNT;
}

struct link_rates resources_rates(const struct resources_spec *resources)
{
	return (struct link_rates){
		.egress_bits = resources->egress_bits.set ? (uint64_t)resources->egress_bits.value : 0,
		.ingress_bits = resources->ingress_bits.set ? (uint64_t)resources->ingress_bits.value : 0,
	};
}

uint64_t resources_policed(const struct instance_spec *spec)
{
	struct error ignored;
	unsigned given;

	for (size_t i = 0; i < spec->cap_add.count; i++)
		if (!strcasecmp(spec->cap_add.items[i], "ALL") ||
			(capability_parse(spec->cap_add.items[i], &given, &ignored) == 0 && given == CAP_NET_ADMIN))
			return resources_rates(&spec->resources).egress_bits;
	return 0;
}

struct endpoint record_endpoint(const struct record *record)
{
	return (struct endpoint){
		.slot = record->slot,
		.network_number = record->network_number,
		.address = record->address,
		.address6 = record->address6,
	};
}

/* --- desired ------------------------------------------------------------------------------------------------------ */

/* On a full disk there is no room for a second file, while nobody could make any if instances could neither be stopped
 * nor removed. One write of a few bytes that are there already: readers see the old line or the new. */
static int desired_overwrite(int dir, const char *line, size_t length)
{
	auto_fd fd = openat(dir, "desired", O_WRONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && pwrite(fd, line, length, 0) == (ssize_t)length && ftruncate(fd, (off_t)length) == 0 ? 0 : -1;
}

int desired_write(int dir, enum desired_state state, struct error *err)
{
	char line[32];
	size_t length = (size_t)snprintf(line, sizeof(line), "%s\n", desired_state_names[state]);

	if (file_replace(dir, "desired", 0600, FILE_ORDERED, line, length, err) == 0)
		return 0;
	if ((err->errnum != ENOSPC && err->errnum != EDQUOT) || desired_overwrite(dir, line, length) < 0)
		return -1;
	*err = (struct error){0};
	return 0;
}

enum desired_state desired_read(int dir)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error ignored;
	const char *text;
	size_t length;

	if (file_read(&arena, dir, "desired", 64, &text, NULL, &ignored) < 0)
		return DESIRED_STOPPED;
	length = strcspn(text, "\n"); /* behind it may be what a longer word has left */
	for (int i = 0; desired_state_names[i]; i++)
		if (strlen(desired_state_names[i]) == length && !memcmp(desired_state_names[i], text, length))
			return (enum desired_state)i;
	return DESIRED_STOPPED;
}

/* --- run.json ----------------------------------------------------------------------------------------------------- */

static int run_write_to(int live, const char *name, const struct run *run, struct error *err)
{
	char addresses[PORTS_MAX][INET6_ADDRSTRLEN];
	struct port_row rows[PORTS_MAX];
	struct run_file file = {
		.version = RECORD_VERSION,
		.boot = boot_id(),
		.started = run->started,
		.init = run->init,
		.monitor = run->monitor,
		.started_ms = run->started_ms,
		.restarts = run->restarts,
		.log_dropped_bytes = run->log_dropped_bytes,
		.sources = run->sources,
	};

	file.ports.items = rows;
	file.ports.count = run->port_count < PORTS_MAX ? run->port_count : PORTS_MAX;
	for (size_t i = 0; i < file.ports.count; i++)
		rows[i] = (struct port_row){
			.host_ip = ip_format(&run->ports[i].host_ip, addresses[i]),
			.published = run->ports[i].published,
			.target = run->ports[i].target,
			.following = run->ports[i].following,
			.protocol = run->ports[i].protocol,
			.mode = run->ports[i].mode,
			.balance = run->ports[i].balance,
		};
	return record_fields_write(live, name, run_fields, &file, FILE_VOLATILE, err);
}

int run_write(int live, const struct run *run, struct error *err)
{
	return run_write_to(live, "run.json", run, err);
}

int run_ports_write(int live, const struct port *ports, size_t count, struct error *err)
{
	const struct run run = {.ports = (struct port *)ports, .port_count = count};

	return run_write_to(live, "ports.json", &run, err);
}

static int ports_from_rows(struct arena *arena, const struct run_file *file, struct run *out, struct error *err)
{
	out->ports = arena_new_array(arena, file->ports.count, struct port);
	out->port_count = file->ports.count;
	for (size_t i = 0; i < file->ports.count; i++) {
		const struct port_row *row = &file->ports.items[i];

		out->ports[i].published = (uint16_t)row->published;
		out->ports[i].target = (uint16_t)row->target;
		out->ports[i].following = (uint16_t)row->following;
		out->ports[i].protocol = row->protocol;
		out->ports[i].mode = row->mode;
		out->ports[i].balance = row->balance;
		if (ip_parse(row->host_ip, &out->ports[i].host_ip, err) < 0)
			return blame(err, "run.json: ports");
	}
	return 0;
}

static bool ports_read_from(struct arena *arena, int live, const char *name, struct run *run)
{
	struct run_file file = {0};
	struct run changed = {0};
	struct error err;

	if (record_fields_read(arena, live, name, run_fields, &file, &err) < 0 ||
		ports_from_rows(arena, &file, &changed, &err) < 0)
		return false;
	run->ports = changed.ports;
	run->port_count = changed.port_count;
	return true;
}

bool run_ports_read(struct arena *arena, int live, struct run *run)
{
	return ports_read_from(arena, live, "ports.json", run);
}

int run_read(struct arena *arena, int live, struct run *out, struct error *err)
{
	struct run_file file = {0};

	if (record_fields_read(arena, live, "run.json", run_fields, &file, err) < 0)
		return -1;
	*out = (struct run){
		.started = file.started,
		.init = file.init,
		.monitor = file.monitor,
		.started_ms = file.started_ms,
		.restarts = file.restarts,
		.log_dropped_bytes = file.log_dropped_bytes,
		.sources = file.sources,
		.other_boot = !text_equal(file.boot, boot_id()),
	};
	return run_ports_read(arena, live, out) ? 0 : ports_from_rows(arena, &file, out, err);
}

void run_forget(int live)
{
	unlinkat(live, "ports.json", 0);
	unlinkat(live, "run.json", 0);
}

/* --- held.json ---------------------------------------------------------------------------------------------------- */

int held_write(int live, const struct port *ports, size_t count, struct error *err)
{
	const struct run run = {.ports = (struct port *)ports, .port_count = count};

	return run_write_to(live, "held.json", &run, err);
}

bool held_read(struct arena *arena, int live, struct run *run)
{
	return ports_read_from(arena, live, "held.json", run);
}

void held_forget(int live)
{
	unlinkat(live, "held.json", 0);
}

/* --- exit.json ---------------------------------------------------------------------------------------------------- */

int exit_write(int dir, const struct exit_record *exit, struct error *err)
{
	struct exit_file file = {
		.version = RECORD_VERSION,
		.reason = exit->reason,
		.status = exit->status,
		.at_ms = exit->at_ms,
		.restarts = exit->restarts,
		.detail = exit->detail,
	};

	return record_fields_write(dir, "exit.json", exit_fields, &file, FILE_ORDERED, err);
}

static bool exit_read_one(struct arena *arena, int dir, const char *name, struct exit_record *out)
{
	struct exit_file file = {0};
	struct error ignored;

	if (record_fields_read(arena, dir, name, exit_fields, &file, &ignored) < 0)
		return false;
	*out = (struct exit_record){
		.reason = file.reason,
		.status = file.status,
		.at_ms = file.at_ms,
		.restarts = file.restarts,
		.detail = file.detail,
	};
	return true;
}

void exit_read(struct arena *arena, int dir, struct exit_record *out, bool *over)
{
	*out = (struct exit_record){.reason = END_NONE};
	*over = exit_read_one(arena, dir, "exit.json", out);
	if (!*over)
		exit_read_one(arena, dir, "exit.last.json", out);
}

void exit_put_aside(int dir)
{
	renameat(dir, "exit.json", dir, "exit.last.json");
}

/* --- killed ------------------------------------------------------------------------------------------------------- */

int killed_write(int live, int signal, struct error *err)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d", signal);

	return file_replace(live, "killed", 0600, FILE_VOLATILE, text, (size_t)length, err);
}

int killed_read(int live)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct error ignored;
	const char *text;
	int64_t signal;

	if (file_read(&arena, live, "killed", 16, &text, NULL, &ignored) < 0 ||
		number_parse(text, 1, 64, &signal, &ignored) < 0)
		return 0;
	return (int)signal;
}

void killed_forget(int live)
{
	unlinkat(live, "killed", 0);
}

/* --- halted ------------------------------------------------------------------------------------------------------- */

static const char *const halt_words[] = {[HALT_WITH_HOST] = "host", [HALT_TO_START] = "start"};

int halted_write(int live, enum halt halt, struct error *err)
{
	return file_replace(live, "halted", 0600, FILE_VOLATILE, halt_words[halt], strlen(halt_words[halt]), err);
}

enum halt halted_read(int live)
{
	AUTO(arena_drop) struct arena arena = {0};
	const char *word;
	struct error ignored;

	if (live < 0 || file_read(&arena, live, "halted", 64, &word, NULL, &ignored) < 0)
		return HALT_NONE;
	return text_equal(word, halt_words[HALT_TO_START]) ? HALT_TO_START : HALT_WITH_HOST;
}

void halted_forget(int live)
{
	unlinkat(live, "halted", 0);
}
