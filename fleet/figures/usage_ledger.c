/* The ledger of one instance: a file in a directory whose lock is the ledger's. */
#include "fleet/figures/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/log.h"

#define LEDGER_VERSION 1
#define LOCK_TIMEOUT_MS 10000

struct ledger_file {
	int64_t version;
	struct usage_ledger ledger;
};

/* What the link had counted, in the base; what of it was used, in a month. */
#define LINK_FIELDS(type_, member_)                                                                                    \
	INTEGER("in_bytes", type_, member_[LINK_IN_BYTES], 0, INT64_MAX, 0),                                           \
		INTEGER("out_bytes", type_, member_[LINK_OUT_BYTES], 0, INT64_MAX, 0),                                 \
		INTEGER("in_packets", type_, member_[LINK_IN_PACKETS], 0, INT64_MAX, 0),                               \
		INTEGER("out_packets", type_, member_[LINK_OUT_PACKETS], 0, INT64_MAX, 0)

static const struct field base_fields[] = {
	STRING("run", struct usage_base, run, 0),
	BOOL("over", struct usage_base, over, 0),
	INTEGER("at_ms", struct usage_base, at_ms, 0, INT64_MAX, 0),
	INTEGER("cpu_us", struct usage_base, cpu_us, 0, INT64_MAX, 0),
	LINK_FIELDS(struct usage_base, link),
	INTEGER("used_kib", struct usage_base, used_kib, 0, INT64_MAX, 0),
	END_OF_FIELDS,
};

const struct field usage_month_fields[] = {
	STRING("month", struct usage_month, month, REQUIRED),
	INTEGER("run_ms", struct usage_month, run_ms, 0, INT64_MAX, 0),
	INTEGER("cpu_us", struct usage_month, cpu_us, 0, INT64_MAX, 0),
	INTEGER("reserved_kib_ms", struct usage_month, reserved_kib_ms, 0, INT64_MAX, 0),
	INTEGER("used_kib_ms", struct usage_month, used_kib_ms, 0, INT64_MAX, 0),
	LINK_FIELDS(struct usage_month, traffic),
	INTEGER("outside_in_bytes", struct usage_month, traffic[OUTSIDE_IN_BYTES], 0, INT64_MAX, 0),
	INTEGER("outside_out_bytes", struct usage_month, traffic[OUTSIDE_OUT_BYTES], 0, INT64_MAX, 0),
	INTEGER("outside_in_packets", struct usage_month, traffic[OUTSIDE_IN_PACKETS], 0, INT64_MAX, 0),
	INTEGER("outside_out_packets", struct usage_month, traffic[OUTSIDE_OUT_PACKETS], 0, INT64_MAX, 0),
	END_OF_FIELDS,
};

static const struct field ledger_fields[] = {
	INTEGER("version", struct ledger_file, version, 1, LEDGER_VERSION, REQUIRED),
	STRING("id", struct ledger_file, ledger.id, REQUIRED),
	OBJECT("base", struct ledger_file, ledger.base, base_fields, 0),
	LIST("months", struct ledger_file, ledger.months, usage_month_fields, 0),
	END_OF_FIELDS,
};

static const char *id_make(struct arena *arena)
{
	uint64_t random = 0;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = (uint64_t)clock_real_ms();
	return arena_format(arena, "%016llx", (unsigned long long)random);
}

void usage_load(struct arena *arena, int dir, struct usage_ledger *out)
{
	struct ledger_file file = {0};
	struct json_doc doc;
	struct decoder decoder = {.arena = arena, .doc = &doc, .mode = DECODE_LENIENT};
	struct error err;

	*out = (struct usage_ledger){0};
	if (json_read(arena, dir, USAGE_LEDGER, JSON_PLAIN, &doc, &err) == 0 &&
		decode_object(&decoder, doc.root, ledger_fields, &file, &err) == 0) {
		*out = file.ledger;
		return;
	}
	if (err.kind != ERROR_MISSING)
		log_warn("usage: %s; it begins anew", err.text);
	out->id = id_make(arena);
}

int usage_write(int dir, const struct usage_ledger *ledger, struct error *err)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	struct ledger_file file = {.version = LEDGER_VERSION, .ledger = *ledger};
	size_t length;

	encode_object(encoder, NULL, ledger_fields, &file);
	auto_free char *text = encoder_take(encoder, &length);
	return file_replace(dir, USAGE_LEDGER, 0600, FILE_ORDERED, text, length, err);
}

static int directory_open(int instance)
{
	return openat(instance, USAGE_DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int usage_open(int instance, bool make, struct error *err)
{
	auto_fd dir = directory_open(instance);

	if (dir < 0 && errno == ENOENT && !make)
		return fail(err, ERROR_MISSING, "nothing was used yet");
	if (dir < 0 && errno == ENOENT) {
		if (mkdirat(instance, USAGE_DIRECTORY, 0700) < 0 && errno != EEXIST)
			return fail_errno(err, "make " USAGE_DIRECTORY);
		dir = directory_open(instance);
	}
	if (dir < 0)
		return fail_errno(err, "open " USAGE_DIRECTORY);
	if (lock_exclusive(dir, LOCK_TIMEOUT_MS, err) < 0)
		return blame(err, "the lock of " USAGE_DIRECTORY);
	return take_fd(&dir);
}
