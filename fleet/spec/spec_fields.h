/* The instance specification's keys, and what belongs to them alone. Only fleet/ includes this header. */
#ifndef WARREN_FLEET_SPEC_SPEC_FIELDS_H
#define WARREN_FLEET_SPEC_SPEC_FIELDS_H

#include <stddef.h>

#include "base/decode.h"
#include "fleet/spec.h"

/* Every key of an instance in a fleet file: into struct instance_spec. Checks form and range of single values; meaning
 * is for instance_spec_check(). */
extern const struct field instance_fields[];
/* What only spec.json holds besides: who the instance is, and the flags of `run` that have no key. */
extern const struct field instance_identity_fields[];

/* --- update_fields.c: the key `update` ---------------------------------------------------------------------------- */

extern const struct field update_fields[];
/* What counts where the file says nothing. */
extern const struct update_spec update_default;
/* Nothing where it is the default, so that records from before the key do not differ. */
void update_encode(struct encoder *encoder, const struct update_spec *update);
bool updates_equal(const struct update_spec *a, const struct update_spec *b);

/* For rows of durations (int64_t, milliseconds), and the value back as text. */
extern const struct value_shape decode_duration_shape, decode_health_shape;
MUST_CHECK int decode_duration(const struct decoder *decoder, const struct json *node, void *member, struct error *err);
void encode_duration(struct encoder *encoder, const char *key, int64_t ms);
/* --- health_fields.c: the key `healthcheck` ----------------------------------------------------------------------- */

/* The value of "healthcheck" into a struct health_spec, and back (nothing said: left out); one check each for the
 * members that it may fail in. */
MUST_CHECK int decode_health(const struct decoder *decoder, const struct json *node, void *member, struct error *err);
void encode_health(struct encoder *encoder, const struct health_spec *health);
MUST_CHECK int check_health_kind(const struct instance_spec *spec, size_t *index, struct error *err);
MUST_CHECK int check_health_http(const struct instance_spec *spec, size_t *index, struct error *err);
MUST_CHECK int check_health_tcp(const struct instance_spec *spec, size_t *index, struct error *err);
MUST_CHECK int check_health_test(const struct instance_spec *spec, size_t *index, struct error *err);
MUST_CHECK int check_health_interval(const struct instance_spec *spec, size_t *index, struct error *err);
MUST_CHECK int check_health_start_interval(const struct instance_spec *spec, size_t *index, struct error *err);
MUST_CHECK int check_health_timeout(const struct instance_spec *spec, size_t *index, struct error *err);

/* --- spec_devices.c: the key `devices` ---------------------------------------------------------------------------- */

void encode_devices(struct encoder *encoder, const struct instance_spec *spec);
MUST_CHECK int check_devices(const struct instance_spec *spec, size_t *index, struct error *err);

/* --- spec_idle.c: the key `idle` ---------------------------------------------------------------------------------- */

void encode_idle(struct encoder *encoder, const struct idle_spec *idle);
MUST_CHECK int check_idle(const struct instance_spec *spec, size_t *index, struct error *err);
/* A label of anything: no control characters, a name of letters that need no quotes. */
MUST_CHECK int label_check(const struct pair *label, struct error *err);
MUST_CHECK int check_idle_after(const struct instance_spec *spec, size_t *index, struct error *err);
MUST_CHECK int check_idle_action(const struct instance_spec *spec, size_t *index, struct error *err);

extern const struct field spec_hooks_fields[];

/* Where in a specification a check failed: the value of a key, or of a member of the object that it is; and there the
 * item of a list or the member of an object by its number (NO_INDEX: all of it). */
#define NO_INDEX SIZE_MAX
struct spec_fault {
	const char *key, *member;
	size_t index;
};
/* instance_spec_check() for a caller that can show the place: the text lacks the key. volumes and tmpfs are one list,
 * configs and secrets are one list: the index counts through both, in the order in which they were decoded. */
MUST_CHECK int instance_spec_find_fault(const struct instance_spec *spec, struct spec_fault *fault, struct error *err);

/* One key's check: the first fault, and which item of a list it is. */
typedef int spec_checker(const struct instance_spec *spec, size_t *index, struct error *err);
/* network_check.c */
spec_checker spec_network_check, spec_address_check, spec_address6_check, spec_gateway_check, spec_aliases_check;

/* Volumes first, then tmpfs; configs first, then secrets: the order in which spec.json has them. Call it after the
 * checks. */
void instance_spec_order(struct arena *arena, struct instance_spec *spec);

/* --- file_networks.c ---------------------------------------------------------------------------------------------- */

/* A member of "networks" and back; its name is the key. */
MUST_CHECK int network_spec_decode(
	const struct decoder *decoder, const struct json *node, struct network_spec *out, struct error *err);
void network_spec_encode(struct encoder *encoder, const char *key, const struct network_spec *network);

/* Below it a distribution's own system users have no id, and devpts has no group. */
#define ID_COUNT_LEAST 1000

/* The limits of the program itself: "nofile" when the file names none. */
#define NOFILE_DEFAULT_SOFT 1024
#define NOFILE_DEFAULT_HARD 65536

#endif
