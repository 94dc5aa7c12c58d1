/* `linux.seccomp` of config.json. */
#include <seccomp.h>
#include <string.h>

#include "runtime/oci/oci.h"
#include "runtime/seccomp/seccomp.h"

struct oci_arg {
	unsigned index;
	uint64_t value, value_two;
	const char *op;
};
struct oci_call {
	struct strings names;
	const char *action;
	struct optional errno_value;
	LIST_OF(struct oci_arg) args;
};
struct oci_seccomp {
	const char *default_action;
	struct optional default_errno;
	struct strings architectures, flags;
	const char *listener_path, *listener_metadata;
	LIST_OF(struct oci_call) calls;
};

#define ERRNO_MAX 65535
#define ARGUMENTS 6

static const struct field arg_fields[] = {
	INTEGER("index", struct oci_arg, index, 0, ARGUMENTS - 1, REQUIRED),
	UINT64("value", struct oci_arg, value, REQUIRED),
	UINT64("valueTwo", struct oci_arg, value_two, 0),
	STRING("op", struct oci_arg, op, REQUIRED),
	END_OF_FIELDS,
};
static const struct field call_fields[] = {
	STRINGS("names", struct oci_call, names, REQUIRED),
	STRING("action", struct oci_call, action, REQUIRED),
	OPTIONAL("errnoRet", struct oci_call, errno_value, 0, ERRNO_MAX, 0),
	LIST("args", struct oci_call, args, arg_fields, 0),
	END_OF_FIELDS,
};
const struct field oci_seccomp_fields[] = {
	STRING("defaultAction", struct oci_seccomp, default_action, REQUIRED),
	OPTIONAL("defaultErrnoRet", struct oci_seccomp, default_errno, 0, ERRNO_MAX, 0),
	STRINGS("architectures", struct oci_seccomp, architectures, 0),
	STRINGS("flags", struct oci_seccomp, flags, 0),
	STRING("listenerPath", struct oci_seccomp, listener_path, 0),
	STRING("listenerMetadata", struct oci_seccomp, listener_metadata, 0),
	LIST("syscalls", struct oci_seccomp, calls, call_fields, 0),
	END_OF_FIELDS,
};

static int args_convert(struct arena *arena, const struct oci_call *call, struct seccomp_rule *rule, struct error *err)
{
	rule->args.items = arena_new_array(arena, call->args.count, struct seccomp_arg);
	rule->args.count = call->args.count;
	for (size_t i = 0; i < call->args.count; i++) {
		const struct oci_arg *from = &call->args.items[i];
		struct seccomp_arg *arg = &rule->args.items[i];

		*arg = (struct seccomp_arg){.index = from->index, .value = from->value, .value_two = from->value_two};
		if (seccomp_operator_parse(from->op, &arg->op, err) < 0)
			return blame(err, "args[%zu]", i);
	}
	return 0;
}

static int rules_convert(
	struct arena *arena, const struct oci_seccomp *from, struct spec_seccomp *out, struct error *err)
{
	out->rules.items = arena_new_array(arena, from->calls.count, struct seccomp_rule);
	out->rules.count = from->calls.count;
	for (size_t i = 0; i < from->calls.count; i++) {
		const struct oci_call *call = &from->calls.items[i];
		struct seccomp_rule *rule = &out->rules.items[i];

		if (!call->names.count)
			return fail(err, ERROR_USAGE, "syscalls[%zu]: names is empty: it must hold at least one", i);
		rule->names = call->names;
		if (seccomp_action_parse(call->action, call->errno_value, &rule->action, err) < 0 ||
			args_convert(arena, call, rule, err) < 0)
			return blame(err, "syscalls[%zu]", i);
	}
	return 0;
}

static int header_convert(const struct oci_seccomp *from, struct spec_seccomp *out, struct error *err)
{
	uint32_t architecture;
	unsigned flag;

	if (seccomp_action_parse(from->default_action, from->default_errno, &out->default_action, err) < 0)
		return blame(err, "defaultAction");
	for (size_t i = 0; i < from->architectures.count; i++) {
		if (seccomp_architecture_parse(from->architectures.items[i], &architecture, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < from->flags.count; i++) {
		if (seccomp_flag_parse(from->flags.items[i], &flag, err) < 0)
			return -1;
		out->flags |= flag;
	}
	out->architectures = from->architectures;
	out->listener_path = text_is_empty(from->listener_path) ? NULL : from->listener_path;
	out->listener_metadata = text_is_empty(from->listener_metadata) ? NULL : from->listener_metadata;
	return 0;
}

int oci_decode_seccomp(
	const struct decoder *decoder, const struct json *node, void *pointer_to_seccomp, struct error *err)
{
	struct oci_seccomp from = {0};
	struct spec_seccomp *out = arena_new(decoder->arena, struct spec_seccomp);

	if (decode_object(decoder, node, oci_seccomp_fields, &from, err) < 0)
		return -1;
	if (header_convert(&from, out, err) < 0 || rules_convert(decoder->arena, &from, out, err) < 0)
		return decode_blame(decoder, node, err);
	*(const struct spec_seccomp **)pointer_to_seccomp = out;
	return 0;
}
