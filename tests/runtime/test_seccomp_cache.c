#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/runtime.h"
#include "runtime/seccomp/seccomp.h"
#include "tests/test.h"

struct cache {
	char path[40];
	int dir;
};

static struct cache cache_new(void)
{
	struct cache cache = {.path = "/tmp/warren-seccomp-XXXXXX"};

	cr_assert(mkdtemp(cache.path));
	cache.dir = open(cache.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert(cache.dir >= 0);
	return cache;
}

static void cache_drop(struct cache *cache)
{
	struct error err = {0};

	close(cache->dir);
	cr_assert(tree_remove(AT_FDCWD, cache->path, &err) == 0, "%s", err.text);
}
#define auto_cache AUTO(cache_drop) struct cache

static const char *only_file(const struct cache *cache, struct arena *arena)
{
	struct strings names = {0};
	struct error err = {0};

	ASSERT_OK(dir_list(arena, cache->dir, 10, &names, &err));
	cr_assert(names.count == 1, "%zu files", names.count);
	return names.items[0];
}

static struct seccomp_program *get(const struct cache *cache, const struct spec_seccomp *spec)
{
	struct seccomp_program *program = NULL;
	struct error err = {0};

	ASSERT_OK(seccomp_program_get(spec, cache->dir, &program, &err));
	return program;
}

static bool same_code(const struct seccomp_program *a, const struct seccomp_program *b)
{
	return a->length == b->length && a->flags == b->flags &&
	       memcmp(a->code, b->code, a->length * sizeof(*a->code)) == 0;
}

/* Whether this key is answered from the cache. */
static bool hits(const struct cache *cache, const struct spec_seccomp *spec)
{
	AUTO(text_drop) struct text key = {0};

	seccomp_cache_key(spec, &key);
	AUTO(seccomp_program_drop) struct seccomp_program *program = seccomp_cache_load(cache->dir, &key, spec->flags);
	return program != NULL;
}

TEST(seccomp_cache, gives_back_what_was_compiled)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_cache cache = cache_new();
	const struct spec_seccomp *spec = seccomp_default_profile(&arena, 0);

	cr_assert(!hits(&cache, spec));
	AUTO(seccomp_program_drop) struct seccomp_program *compiled = get(&cache, spec);
	cr_assert(hits(&cache, spec));
	AUTO(seccomp_program_drop) struct seccomp_program *cached = get(&cache, spec);
	cr_assert(same_code(compiled, cached));
}

TEST(seccomp_cache, takes_the_code_from_the_file_and_not_from_the_compiler)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_cache cache = cache_new();
	const struct spec_seccomp *spec = seccomp_default_profile(&arena, 0);
	AUTO(text_drop) struct text key = {0};
	AUTO(seccomp_program_drop) struct seccomp_program *planted = seccomp_program_new(3, 0);

	planted->code[1].k = 42;
	seccomp_cache_key(spec, &key);
	seccomp_cache_store(cache.dir, &key, planted);
	AUTO(seccomp_program_drop) struct seccomp_program *got = get(&cache, spec);
	cr_assert(same_code(planted, got));
}

TEST(seccomp_cache, tells_profiles_apart)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_cache cache = cache_new();
	struct spec_seccomp changed = *seccomp_default_profile(&arena, 0);

	AUTO(seccomp_program_drop) struct seccomp_program *program = get(&cache, &changed);
	cr_assert(program);
	cr_assert(hits(&cache, &changed));
	cr_assert(!hits(&cache, seccomp_default_profile(&arena, SECCOMP_SETID_GUARD)));
	changed.default_action = SCMP_ACT_ERRNO(EACCES);
	cr_assert(!hits(&cache, &changed));
	changed = *seccomp_default_profile(&arena, 0);
	changed.flags = 2;
	cr_assert(!hits(&cache, &changed));
	changed = *seccomp_default_profile(&arena, 0);
	strings_add(&arena, &changed.architectures, "SCMP_ARCH_X86");
	cr_assert(!hits(&cache, &changed));
	changed = *seccomp_default_profile(&arena, 0);
	changed.rules.items[changed.rules.count - 1].args.items[0].value ^= 1;
	cr_assert(!hits(&cache, &changed));
}

/* Any byte of the file may be wrong, and it may end anywhere. */
TEST(seccomp_cache, passes_over_damaged_files_and_writes_them_anew)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_cache cache = cache_new();
	const struct spec_seccomp *spec = seccomp_default_profile(&arena, 0);
	AUTO(seccomp_program_drop) struct seccomp_program *compiled = get(&cache, spec);
	const char *name = only_file(&cache, &arena), *content;
	struct error err = {0};
	size_t length;

	ASSERT_OK(file_read(&arena, cache.dir, name, 1 << 20, &content, &length, &err));
	for (size_t at = 0; at < length; at += at < 32 ? 1 : 97) {
		char *damaged = memcpy(arena_alloc(&arena, length), content, length);

		damaged[at] = (char)(damaged[at] ^ 0x41);
		ASSERT_OK(file_replace(cache.dir, name, 0600, FILE_VOLATILE, damaged, length, &err));
		cr_assert(!hits(&cache, spec), "byte %zu of %zu", at, length);
	}
	for (size_t cut = 0; cut < length; cut += 101) {
		ASSERT_OK(file_replace(cache.dir, name, 0600, FILE_VOLATILE, content, cut, &err));
		cr_assert(!hits(&cache, spec), "cut at %zu of %zu", cut, length);
	}
	char *longer = memcpy(arena_alloc(&arena, length + 1), content, length);
	ASSERT_OK(file_replace(cache.dir, name, 0600, FILE_VOLATILE, longer, length + 1, &err));
	cr_assert(!hits(&cache, spec));

	AUTO(seccomp_program_drop) struct seccomp_program *again = get(&cache, spec);
	cr_assert(same_code(compiled, again) && hits(&cache, spec));
}

TEST(seccomp_cache, believes_only_a_directory_and_files_that_are_ours_alone)
{
	NEEDS_ROOT();
	AUTO(arena_drop) struct arena arena = {0};
	auto_cache cache = cache_new();
	const struct spec_seccomp *spec = seccomp_default_profile(&arena, 0);
	AUTO(seccomp_program_drop) struct seccomp_program *program = get(&cache, spec);
	const char *name = only_file(&cache, &arena);

	cr_assert(program);
	cr_assert(fchmod(cache.dir, 0750) == 0 && !hits(&cache, spec));
	cr_assert(fchmod(cache.dir, 0700) == 0 && hits(&cache, spec));
	cr_assert(fchown(cache.dir, 1234, 0) == 0 && !hits(&cache, spec));
	cr_assert(fchown(cache.dir, 0, 0) == 0 && hits(&cache, spec));
	cr_assert(fchmodat(cache.dir, name, 0620, 0) == 0 && !hits(&cache, spec));
	cr_assert(fchmodat(cache.dir, name, 0600, 0) == 0 && hits(&cache, spec));
	cr_assert(fchownat(cache.dir, name, 1234, 0, 0) == 0 && !hits(&cache, spec));
	cr_assert(fchownat(cache.dir, name, 0, 0, 0) == 0 && hits(&cache, spec));
	cr_assert(renameat(cache.dir, name, cache.dir, "real") == 0 && symlinkat("real", cache.dir, name) == 0);
	cr_assert(!hits(&cache, spec), "through a link");
	cr_assert(unlinkat(cache.dir, name, 0) == 0 && mkfifoat(cache.dir, name, 0600) == 0);
	cr_assert(!hits(&cache, spec), "a FIFO");
}

TEST(seccomp_cache, writes_nothing_where_it_would_not_read)
{
	AUTO(arena_drop) struct arena arena = {0};
	auto_cache cache = cache_new();
	struct strings names = {0};
	struct error err = {0};

	cr_assert(fchmod(cache.dir, 0755) == 0);
	AUTO(seccomp_program_drop) struct seccomp_program *program = get(&cache, seccomp_default_profile(&arena, 0));
	cr_assert(program);
	ASSERT_OK(dir_list(&arena, cache.dir, 10, &names, &err));
	cr_assert(names.count == 0);
}

TEST(seccomp_cache, is_optional_and_no_rules_need_no_program)
{
	AUTO(arena_drop) struct arena arena = {0};
	AUTO(seccomp_program_drop) struct seccomp_program *program = NULL;
	struct error err = {0};

	ASSERT_OK(seccomp_program_get(NULL, -1, &program, &err));
	cr_assert(program == NULL);
	ASSERT_OK(seccomp_program_get(seccomp_default_profile(&arena, 0), -1, &program, &err));
	cr_assert(program && program->length > 100);
}
