/* Rows and values that the tables of the instance's keys share. Only the files spec_*.c of fleet/ include this header.
 */
#ifndef WARREN_FLEET_SPEC_SPEC_ROWS_H
#define WARREN_FLEET_SPEC_SPEC_ROWS_H

#include "fleet/spec/spec_fields.h"

/* --- rows whose C type the macros of base/decode.h do not know ---------------------------------------------------- */

#define ROW_AS(c_type, key_, type, member_, decode_)                                                                   \
	{                                                                                                              \
		.key = key_, .kind = FIELD_CUSTOM, .offset = CHECKED_OFFSET(type, member_, c_type), .decode = decode_, \
		.shape = &decode_##_shape                                                                              \
	}
#define SIZE(key_, type, member_) ROW_AS(struct optional, key_, type, member_, decode_size)
#define SIZE_OF(key_, type, member_) ROW_AS(int64_t, key_, type, member_, decode_plain_size)
#define DURATION(key_, type, member_) ROW_AS(int64_t, key_, type, member_, decode_duration)
#define MODE(key_, type, member_) ROW_AS(struct optional, key_, type, member_, decode_mode)
#define WORDS(key_, type, member_) ROW_AS(struct strings, key_, type, member_, decode_words)
#define NAMED_VALUES(key_, type, member_) ROW_AS(struct pairs, key_, type, member_, decode_named_values)
/* The whole struct is the member: the row adds to a list of it. */
#define INTO_SPEC(key_, decode_)                                                                                       \
	{                                                                                                              \
		.key = key_, .kind = FIELD_CUSTOM, .offset = 0, .decode = decode_, .shape = &decode_##_shape           \
	}

/* A file mode in octal, as decode_mode_bits() takes it. */
#define MODE_PATTERN "^[0-7]{1,5}$"

/* --- spec_values.c: single values, lists of words and of names with values ---------------------------------------- */

extern const struct value_shape decode_plain_size_shape, decode_size_shape, decode_bitrate_shape, decode_cpus_shape,
	decode_pids_shape, decode_mode_shape, decode_text_shape, decode_words_shape, decode_named_values_shape;
MUST_CHECK int decode_scalar(const struct decoder *decoder, const struct json *node, const char *expected,
	const char **out, struct error *err);
MUST_CHECK int decode_plain_size(
	const struct decoder *decoder, const struct json *node, void *member, struct error *err);
MUST_CHECK int decode_size(const struct decoder *decoder, const struct json *node, void *member, struct error *err);
MUST_CHECK int decode_bitrate(const struct decoder *decoder, const struct json *node, void *member, struct error *err);
MUST_CHECK int decode_cpus(const struct decoder *decoder, const struct json *node, void *member, struct error *err);
MUST_CHECK int decode_pids(const struct decoder *decoder, const struct json *node, void *member, struct error *err);
MUST_CHECK int decode_mode_bits(
	const struct decoder *decoder, const struct json *node, unsigned *mode, struct error *err);
MUST_CHECK int decode_mode(const struct decoder *decoder, const struct json *node, void *member, struct error *err);
MUST_CHECK int decode_text(const struct decoder *decoder, const struct json *node, void *member, struct error *err);
MUST_CHECK int decode_words(const struct decoder *decoder, const struct json *node, void *member, struct error *err);
MUST_CHECK int decode_named_values(
	const struct decoder *decoder, const struct json *node, void *member, struct error *err);
MUST_CHECK int list_expected(const struct decoder *decoder, const struct json *node, struct error *err);

/* --- spec_ports.c: addresses and ports ---------------------------------------------------------------------------- */

extern const struct value_shape decode_gateway_shape, decode_address6_shape, decode_own_address_shape,
	decode_ports_shape;
MUST_CHECK int decode_gateway(const struct decoder *decoder, const struct json *node, void *member, struct error *err);
MUST_CHECK int decode_address6(const struct decoder *decoder, const struct json *node, void *member, struct error *err);
MUST_CHECK int decode_own_address(
	const struct decoder *decoder, const struct json *node, void *member, struct error *err);
MUST_CHECK int decode_ports(const struct decoder *decoder, const struct json *node, void *member, struct error *err);

/* --- spec_files.c: volumes, tmpfs, configs, secrets --------------------------------------------------------------- */

extern const struct value_shape decode_volumes_shape, decode_tmpfs_list_shape, decode_configs_shape,
	decode_secrets_shape;
MUST_CHECK int decode_volumes(const struct decoder *decoder, const struct json *node, void *member, struct error *err);
MUST_CHECK int decode_tmpfs_list(
	const struct decoder *decoder, const struct json *node, void *member, struct error *err);
MUST_CHECK int decode_configs(const struct decoder *decoder, const struct json *node, void *member, struct error *err);
MUST_CHECK int decode_secrets(const struct decoder *decoder, const struct json *node, void *member, struct error *err);

/* --- spec_devices.c ----------------------------------------------------------------------------------------------- */

extern const struct value_shape decode_devices_shape;
MUST_CHECK int decode_devices(const struct decoder *decoder, const struct json *node, void *member, struct error *err);

/* --- spec_idle.c -------------------------------------------------------------------------------------------------- */

extern const struct value_shape decode_idle_shape;
MUST_CHECK int decode_idle(const struct decoder *decoder, const struct json *node, void *member, struct error *err);

#endif
