/* Any bytes as the object linux.seccomp: refused with one line, or a filter that the kernel has room for. */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "runtime/oci/oci.h"
#include "runtime/runtime.h"
#include "runtime/seccomp/seccomp.h"

#define RULES_MAX 64 /* more only take time */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	log_setup("fuzz", LOG_ERROR, LOG_TEXT, STDERR_FILENO);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(seccomp_program_drop) struct seccomp_program *program = NULL;
	const struct spec_seccomp *spec = NULL;
	struct json_doc doc;
	struct decoder decoder = {.arena = &arena, .doc = &doc, .mode = DECODE_LENIENT};
	struct error err;

	if (json_parse(&arena, "seccomp", (const char *)data, size, JSON_PLAIN, &doc, &err) < 0)
		return 0;
	if (oci_decode_seccomp(&decoder, doc.root, &spec, &err) < 0) {
		FUZZ_ASSERT(err.kind == ERROR_USAGE && !strncmp(err.text, "seccomp:", 8) && !strchr(err.text, '\n'));
		return 0;
	}
	if (spec->rules.count > RULES_MAX)
		return 0;
	if (seccomp_program_compile(spec, &program, &err) < 0) {
		FUZZ_ASSERT(!program && *err.text && !strchr(err.text, '\n'));
		return 0;
	}
	FUZZ_ASSERT(program->length > 0 && program->length <= BPF_MAXINSNS);
	return 0;
}
