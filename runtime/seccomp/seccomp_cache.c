/* Compiled filters kept between starts: 2 ms (one architecture) to 18 ms (three) become some 30 µs.
 *
 * A file holds a header, the whole key and the code. It is believed only when it is ours, in a directory that is ours
 * alone, and when key, lengths and checksum fit; anything else counts as absent and is written anew. What cannot be
 * written is compiled next time. */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "runtime/runtime.h"
#include "runtime/seccomp/seccomp.h"

/* To be raised when seccomp.c makes other code of the same rules. */
#define CACHE_FORMAT 1
#define KEY_MAX (4u << 20)

struct cache_header {
	char magic[8];
	uint32_t key_length, code_length; /* bytes, instructions */
	uint64_t checksum;		  /* of the code */
};
static const char cache_magic[8] = "warrenSC";

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;

	/* FNV-1a. It finds files and torn writes; it defends against nobody, the directory does. */
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static const char *file_name(const struct text *key, char buffer[40])
{
	uint64_t first = hash_bytes(UINT64_C(0xcbf29ce484222325), key->data, key->length);
	uint64_t second = hash_bytes(~first, key->data, key->length);

	snprintf(buffer, 40, "%016llx%016llx", (unsigned long long)first, (unsigned long long)second);
	return buffer;
}

static void key_add_rule(const struct seccomp_rule *rule, struct text *key)
{
	text_appendf(key, "rule %x %zu %zu", rule->action, rule->names.count, rule->args.count);
	for (size_t i = 0; i < rule->names.count; i++)
		text_appendf(key, " %zu:%s", strlen(rule->names.items[i]), rule->names.items[i]);
	for (size_t i = 0; i < rule->args.count; i++) {
		const struct seccomp_arg *arg = &rule->args.items[i];

		text_appendf(key, " %u,%d,%llx,%llx", arg->index, arg->op, (unsigned long long)arg->value,
			(unsigned long long)arg->value_two);
	}
	text_append(key, "\n");
}

/* The kernel does not matter: the same rules give the same code everywhere. */
void seccomp_cache_key(const struct spec_seccomp *spec, struct text *key)
{
	const struct scmp_version *library = seccomp_version();

	text_appendf(key, "format %d library %u.%u.%u architecture %x\n", CACHE_FORMAT, library->major, library->minor,
		library->micro, seccomp_arch_native());
	text_appendf(
		key, "default %x flags %x foreign %d", spec->default_action, spec->flags, spec->refuse_foreign_abi);
	for (size_t i = 0; i < spec->architectures.count; i++)
		text_appendf(key, " %s", spec->architectures.items[i]);
	text_append(key, "\n");
	for (size_t i = 0; i < spec->rules.count; i++)
		key_add_rule(&spec->rules.items[i], key);
}

static bool is_alone_of(uid_t owner, int fd, mode_t type, mode_t others)
{
	struct stat status;

	return fstat(fd, &status) == 0 && (status.st_mode & S_IFMT) == type && status.st_uid == owner &&
	       (status.st_mode & others) == 0;
}

static bool read_exactly(int fd, void *bytes, size_t length)
{
	return read_retried(fd, bytes, length) == (ssize_t)length;
}

static bool key_matches(int fd, const struct text *key)
{
	auto_free char *stored = malloc(key->length + 1);

	return stored && read_exactly(fd, stored, key->length) && memcmp(stored, key->data, key->length) == 0;
}

struct seccomp_program *seccomp_cache_load(int cache_dir, const struct text *key, unsigned flags)
{
	struct seccomp_program *program;
	struct cache_header header;
	uid_t us = geteuid();
	size_t bytes;
	char name[40], beyond;

	if (!is_alone_of(us, cache_dir, S_IFDIR, 077))
		return NULL;
	auto_fd fd = openat(cache_dir, file_name(key, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || !is_alone_of(us, fd, S_IFREG, 022) || !read_exactly(fd, &header, sizeof(header)))
		return NULL;
	if (memcmp(header.magic, cache_magic, sizeof(cache_magic)) != 0 || header.key_length != key->length ||
		header.code_length == 0 || header.code_length > BPF_MAXINSNS || !key_matches(fd, key))
		return NULL;
	program = seccomp_program_new(header.code_length, 0);
	bytes = header.code_length * sizeof(*program->code);
	if (!read_exactly(fd, program->code, bytes) || read_retried(fd, &beyond, 1) != 0 ||
		hash_bytes(0, program->code, bytes) != header.checksum)
		seccomp_program_drop(&program);
	else
		program->flags = flags;
	return program;
}

void seccomp_cache_store(int cache_dir, const struct text *key, const struct seccomp_program *program)
{
	AUTO(text_drop) struct text content = {0};
	size_t bytes = program->length * sizeof(*program->code);
	struct cache_header header = {
		.key_length = (uint32_t)key->length,
		.code_length = program->length,
		.checksum = hash_bytes(0, program->code, bytes),
	};
	struct error err = {0};
	char name[40];

	if (key->length > KEY_MAX || !is_alone_of(geteuid(), cache_dir, S_IFDIR, 077))
		return;
	memcpy(header.magic, cache_magic, sizeof(cache_magic));
	text_append_bytes(&content, (const char *)&header, sizeof(header));
	text_append_bytes(&content, key->data, key->length);
	text_append_bytes(&content, (const char *)program->code, bytes);
	if (file_replace(cache_dir, file_name(key, name), 0600, FILE_VOLATILE, content.data, content.length, &err) < 0)
		log_debug("seccomp: the compiled filter is not kept: %s", err.text);
}
