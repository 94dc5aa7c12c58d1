/* JSON tree → structs, by table: one row per key.
 *
 *   static const struct field mount_fields[] = {
 *           STRING("destination", struct oci_mount, destination, REQUIRED),
 *           STRING("type", struct oci_mount, type, 0),
 *           STRINGS("options", struct oci_mount, options, 0),
 *           END_OF_FIELDS,
 *   };
 *
 * A row knows where its member lies, and does not compile when the member's C type is not the row's (member_is() below:
 * the comparison of pointer types makes a constant expression invalid). Members keep what they held when their key is
 * absent, so defaults are set before decoding. JSON null counts as absent, unless the row says NULL_REFUSED.
 *
 * Strict (our own files): unknown and repeated keys are refused with position and guess. Lenient (OCI, state and image
 * files): unknown keys are passed over; wrong types of known keys and repeated keys are refused all the same. */
#ifndef WARREN_BASE_DECODE_H
#define WARREN_BASE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

enum decode_mode { DECODE_STRICT, DECODE_LENIENT };

struct decoder {
	struct arena *arena; /* where lists, copied structs and strings go */
	const struct json_doc *doc;
	enum decode_mode mode;
};

/* Integers that may be absent. */
struct optional {
	bool set;
	int64_t value;
};

/* Any list is { TYPE *items; size_t count; }: LIST_OF(struct oci_mount) mounts; */
#define LIST_OF(type)                                                                                                  \
	struct {                                                                                                       \
		type *items;                                                                                           \
		size_t count;                                                                                          \
	}

/* What a CUSTOM row takes, for those who describe a table instead of decoding with it (the fleet file's JSON schema).
 */
enum value_form { FORM_STRING = 1, FORM_NUMBER = 2, FORM_LIST = 4, FORM_OBJECT = 8 };
struct value_shape {
	unsigned forms;			 /* enum value_form; 0: anything */
	const char *words;		 /* for people: "a size such as \"64M\""; NULL: the forms say it all */
	const char *pattern;		 /* of the string, ECMA-262; NULL: any */
	const struct field *fields;	 /* of the object; NULL: any keys, each as `items` */
	const struct value_shape *items; /* of the list, and of an object without fields; NULL: strings */
};

enum field_flags { REQUIRED = 1, NULL_REFUSED = 2 };

enum field_kind {
	FIELD_END,
	FIELD_STRING,	/* const char * */
	FIELD_BOOL,	/* bool */
	FIELD_INTEGER,	/* any integer member; min ≤ value ≤ max */
	FIELD_OPTIONAL, /* struct optional; min ≤ value ≤ max */
	FIELD_UINT64,	/* uint64_t, whole range */
	FIELD_STRINGS,	/* struct strings */
	FIELD_PAIRS,	/* struct pairs, from an object of strings */
	FIELD_ENUM,	/* int-sized enum, from a string; names[] ends with NULL, value = index */
	FIELD_OBJECT,	/* a struct by value */
	FIELD_POINTER,	/* pointer to a struct; NULL when absent, zeroed then decoded when present */
	FIELD_LIST,	/* LIST_OF(struct) from an array of objects */
	FIELD_MAP,	/* LIST_OF(struct) from an object; the key goes to the struct's first member, a const char * */
	FIELD_CUSTOM,	/* decode() does it all */
	FIELD_REFUSED,	/* known but refused: the reason is the message */
};

struct field {
	const char *key;
	enum field_kind kind;
	unsigned flags;
	size_t offset, size; /* of the member; of one item for lists, maps and pointers */
	bool is_signed;
	int64_t min, max;
	const struct field *fields;
	const char *const *names;
	const char *reason;
	int (*decode)(const struct decoder *decoder, const struct json *node, void *member, struct error *err);
	const struct value_shape *shape; /* CUSTOM: may be NULL where nobody describes the table */
	/* Called on a zeroed item before it is decoded, to set defaults (lists, maps, pointers); may be NULL. */
	void (*defaults)(void *item);
};

/* Fills *into from an object node. */
MUST_CHECK int decode_object(const struct decoder *decoder, const struct json *node, const struct field *fields,
	void *into, struct error *err);
/* The single values, for CUSTOM rows. */
MUST_CHECK int decode_string(
	const struct decoder *decoder, const struct json *node, const char **out, struct error *err);
MUST_CHECK int decode_integer(const struct decoder *decoder, const struct json *node, int64_t min, int64_t max,
	int64_t *out, struct error *err);
MUST_CHECK int decode_strings(
	const struct decoder *decoder, const struct json *node, struct strings *out, struct error *err);

/* For CUSTOM rows: fails with position and key in front ("web.json:4:12: \"memory\": …"). */
int decode_fail(const struct decoder *decoder, const struct json *node, struct error *err, const char *format, ...)
	PRINTF(4, 5);
/* Puts the same in front of the error that is there, as one of size_parse(); returns -1. */
int decode_blame(const struct decoder *decoder, const struct json *node, struct error *err);
/* Refuses members that are null and that no row is for, as strict decoding does: for layers, of which the nulls are
 * gone when they are decoded. */
MUST_CHECK int decode_nulls_check(
	const struct decoder *decoder, const struct json *object, const struct field *fields, struct error *err);
/* Refuses repeated keys, for CUSTOM rows that walk an object themselves. */
MUST_CHECK int decode_keys_check(const struct decoder *decoder, const struct json *object, struct error *err);

#define MEMBER_IS(type, member, expected) __builtin_types_compatible_p(__typeof__(((type *)0)->member), expected)
#define CHECKED_OFFSET(type, member, expected)                                                                         \
	(offsetof(type, member) + 0 * sizeof(char[MEMBER_IS(type, member, expected) ? 1 : -1]))
#define MEMBER_SIZE(type, member) sizeof(((type *)0)->member)
#define ITEM_SIZE(type, member) sizeof(*((type *)0)->member.items)
#define MEMBER_IS_SIGNED(type, member) ((__typeof__(((type *)0)->member))-1 < 1)

#define STRING(key_, type, member, flags_)                                                                             \
	{                                                                                                              \
		.key = key_, .kind = FIELD_STRING, .flags = flags_,                                                    \
		.offset = CHECKED_OFFSET(type, member, const char *)                                                   \
	}
#define BOOL(key_, type, member, flags_)                                                                               \
	{                                                                                                              \
		.key = key_, .kind = FIELD_BOOL, .flags = flags_, .offset = CHECKED_OFFSET(type, member, bool)         \
	}
#define INTEGER(key_, type, member, min_, max_, flags_)                                                                \
	{                                                                                                              \
		.key = key_, .kind = FIELD_INTEGER, .flags = flags_, .offset = offsetof(type, member),                 \
		.size = MEMBER_SIZE(type, member), .is_signed = MEMBER_IS_SIGNED(type, member), .min = min_,           \
		.max = max_                                                                                            \
	}
#define OPTIONAL(key_, type, member, min_, max_, flags_)                                                               \
	{                                                                                                              \
		.key = key_, .kind = FIELD_OPTIONAL, .flags = flags_,                                                  \
		.offset = CHECKED_OFFSET(type, member, struct optional), .min = min_, .max = max_                      \
	}
#define UINT64(key_, type, member, flags_)                                                                             \
	{                                                                                                              \
		.key = key_, .kind = FIELD_UINT64, .flags = flags_, .offset = CHECKED_OFFSET(type, member, uint64_t)   \
	}
#define STRINGS(key_, type, member, flags_)                                                                            \
	{                                                                                                              \
		.key = key_, .kind = FIELD_STRINGS, .flags = flags_,                                                   \
		.offset = CHECKED_OFFSET(type, member, struct strings)                                                 \
	}
#define PAIRS(key_, type, member, flags_)                                                                              \
	{                                                                                                              \
		.key = key_, .kind = FIELD_PAIRS, .flags = flags_,                                                     \
		.offset = CHECKED_OFFSET(type, member, struct pairs)                                                   \
	}
#define ENUM(key_, type, member, names_, flags_)                                                                       \
	{                                                                                                              \
		.key = key_, .kind = FIELD_ENUM, .flags = flags_, .size = MEMBER_SIZE(type, member),                   \
		.offset =                                                                                              \
			offsetof(type, member) + 0 * sizeof(char[MEMBER_SIZE(type, member) == sizeof(int) ? 1 : -1]),  \
		.names = names_                                                                                        \
	}
#define OBJECT(key_, type, member, fields_, flags_)                                                                    \
	{                                                                                                              \
		.key = key_, .kind = FIELD_OBJECT, .flags = flags_, .offset = offsetof(type, member),                  \
		.fields = fields_                                                                                      \
	}
#define POINTER(key_, type, member, fields_, flags_)                                                                   \
	{                                                                                                              \
		.key = key_, .kind = FIELD_POINTER, .flags = flags_, .offset = offsetof(type, member),                 \
		.size = sizeof(*((type *)0)->member), .fields = fields_                                                \
	}
#define LIST(key_, type, member, fields_, flags_)                                                                      \
	{                                                                                                              \
		.key = key_, .kind = FIELD_LIST, .flags = flags_, .offset = offsetof(type, member),                    \
		.size = ITEM_SIZE(type, member), .fields = fields_                                                     \
	}
#define MAP(key_, type, member, fields_, flags_)                                                                       \
	{                                                                                                              \
		.key = key_, .kind = FIELD_MAP, .flags = flags_, .offset = offsetof(type, member),                     \
		.size = ITEM_SIZE(type, member), .fields = fields_                                                     \
	}
#define CUSTOM(key_, type, member, decode_, flags_)                                                                    \
	{                                                                                                              \
		.key = key_, .kind = FIELD_CUSTOM, .flags = flags_, .offset = offsetof(type, member),                  \
		.decode = decode_                                                                                      \
	}
#define REFUSED(key_, reason_)                                                                                         \
	{                                                                                                              \
		.key = key_, .kind = FIELD_REFUSED, .reason = reason_                                                  \
	}
#define END_OF_FIELDS                                                                                                  \
	{                                                                                                              \
		.kind = FIELD_END                                                                                      \
	}

#endif
