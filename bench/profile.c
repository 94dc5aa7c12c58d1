/* The default seccomp profile in the two forms that a fair comparison needs: for everybody's config.json, and compiled
 * for the floor.
 *
 *   profile --json     the OCI object linux.seccomp
 *   profile --bpf      the compiled program, struct sock_filter after struct sock_filter */
#include <seccomp.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "runtime/runtime.h"
#include "runtime/seccomp/seccomp.h"

static void encode_action(struct encoder *encoder, const char *key, const char *errno_key, uint32_t action)
{
	if (action == SCMP_ACT_ALLOW) {
		encode_string(encoder, key, "SCMP_ACT_ALLOW");
	} else if (action == SCMP_ACT_KILL_PROCESS) {
		encode_string(encoder, key, "SCMP_ACT_KILL_PROCESS");
	} else {
		encode_string(encoder, key, "SCMP_ACT_ERRNO");
		encode_integer(encoder, errno_key, action & 0xffff);
	}
}

static const char *operator_name(int op)
{
	static const char *const names[] = {
		[SCMP_CMP_NE] = "SCMP_CMP_NE",
		[SCMP_CMP_LT] = "SCMP_CMP_LT",
		[SCMP_CMP_LE] = "SCMP_CMP_LE",
		[SCMP_CMP_EQ] = "SCMP_CMP_EQ",
		[SCMP_CMP_GE] = "SCMP_CMP_GE",
		[SCMP_CMP_GT] = "SCMP_CMP_GT",
		[SCMP_CMP_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
	};
	return names[op];
}

static void encode_rule(struct encoder *encoder, const struct seccomp_rule *rule)
{
	encode_object_begin(encoder, NULL);
	encode_strings(encoder, "names", &rule->names);
	encode_action(encoder, "action", "errnoRet", rule->action);
	if (rule->args.count) {
		encode_array_begin(encoder, "args");
		for (size_t i = 0; i < rule->args.count; i++) {
			encode_object_begin(encoder, NULL);
			encode_integer(encoder, "index", rule->args.items[i].index);
			encode_uint64(encoder, "value", rule->args.items[i].value);
			encode_uint64(encoder, "valueTwo", rule->args.items[i].value_two);
			encode_string(encoder, "op", operator_name(rule->args.items[i].op));
			encode_object_end(encoder);
		}
		encode_array_end(encoder);
	}
	encode_object_end(encoder);
}

static void print_json(const struct spec_seccomp *profile)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	size_t length;

	encode_object_begin(encoder, NULL);
	encode_action(encoder, "defaultAction", "defaultErrnoRet", profile->default_action);
	encode_strings(encoder, "architectures", &profile->architectures);
	encode_array_begin(encoder, "syscalls");
	for (size_t i = 0; i < profile->rules.count; i++)
		encode_rule(encoder, &profile->rules.items[i]);
	encode_array_end(encoder);
	encode_object_end(encoder);
	auto_free char *text = encoder_take(encoder, &length);
	fwrite(text, 1, length, stdout);
}

int main(int argc, char **argv)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(seccomp_program_drop) struct seccomp_program *program = NULL;
	struct error err = {0};

	if (argc != 2 || (strcmp(argv[1], "--json") && strcmp(argv[1], "--bpf"))) {
		fprintf(stderr, "usage: profile --json | --bpf\n");
		return 2;
	}
	struct spec_seccomp profile = *seccomp_default_profile(&arena, 0);
	/* The three ABIs that everybody's config.json names, so that the floor loads what the others load. */
	profile.refuse_foreign_abi = false;
	profile.architectures = strings_split(&arena, "SCMP_ARCH_X86_64,SCMP_ARCH_X86,SCMP_ARCH_X32", ',');
	if (!strcmp(argv[1], "--json")) {
		print_json(&profile);
		return 0;
	}
	if (seccomp_program_get(&profile, -1, &program, &err) < 0) {
		fprintf(stderr, "profile: %s\n", err.text);
		return 1;
	}
	fwrite(program->code, sizeof(program->code[0]), program->length, stdout);
	return 0;
}
