/* The compiled form of a filter: a BPF program for the native architecture (and the further ones it was asked for),
 * ready for seccomp(2). Only runtime/ includes this header; others see seccomp_program_get() in runtime/runtime.h. */
#ifndef WARREN_RUNTIME_SECCOMP_H
#define WARREN_RUNTIME_SECCOMP_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "runtime/spec.h"

struct seccomp_program {
	unsigned short length; /* instructions: 1 … 4096 (BPF_MAXINSNS) */
	unsigned flags;	       /* SECCOMP_FILTER_FLAG_… of the specification */
	struct sock_filter code[];
};

/* Child side: seccomp(2) SECCOMP_SET_MODE_FILTER with the program's flags and further ones. Needs no_new_privs or
 * CAP_SYS_ADMIN in the caller's user namespace. NULL program: nothing to do. No allocation. 0, or for a program that
 * hands calls over (SCMP_ACT_NOTIFY) the descriptor to receive them by, close-on-exec. */
MUST_CHECK int seccomp_program_install(const struct seccomp_program *program, unsigned flags, struct error *err);

/* Room for `length` instructions, all zero. */
struct seccomp_program *seccomp_program_new(size_t length, unsigned flags) __attribute__((returns_nonnull));

/* --- seccomp.c: rules → BPF --------------------------------------------------------------------------------------- */

/* Whether a rule hands calls to a listener. */
bool seccomp_hands_over(const struct spec_seccomp *spec);
/* Compiles without any cache; *out is malloc()ed, for seccomp_program_drop(). Names that this libseccomp does not know
 * are passed over when the rule allows them and refused when it is the rule's purpose to refuse (the call would then
 * get the default action). */
MUST_CHECK int seccomp_program_compile(
	const struct spec_seccomp *spec, struct seccomp_program **out, struct error *err);
/* --- seccomp_names.c: spelling ------------------------------------------------------------------------------------ */

/* The number of a call on an architecture (SCMP_ARCH_…), also of those newer than libseccomp; a negative number when
 * the architecture lacks it, __NR_SCMP_ERROR (-1) when the name is unknown. */
int seccomp_call_resolve(uint32_t architecture, const char *name);
/* "SCMP_ACT_ERRNO" with its errno (unset: EPERM) → SCMP_ACT_…; ERROR_USAGE with a guess. */
MUST_CHECK int seccomp_action_parse(const char *name, struct optional errno_value, uint32_t *out, struct error *err);
/* "SCMP_ARCH_X86_64", "SCMP_CMP_MASKED_EQ", "SECCOMP_FILTER_FLAG_LOG". */
MUST_CHECK int seccomp_operator_parse(const char *name, int *out, struct error *err);
MUST_CHECK int seccomp_flag_parse(const char *name, unsigned *out, struct error *err);
MUST_CHECK int seccomp_architecture_parse(const char *name, uint32_t *out, struct error *err);
/* For features.json; each ends with NULL. */
extern const char *const seccomp_action_names[],
	*const seccomp_operator_names[], *const seccomp_flag_names[], *const seccomp_architecture_names[];

/* --- seccomp_cache.c: programs kept between starts ---------------------------------------------------------------- */

/* The rules in one canonical spelling, with everything else the program depends on (library, architecture, format):
 * equal keys give equal programs. The name of the cache file is a hash of it, but the whole key is stored and compared,
 * so that a collision costs a compilation and nothing else. */
void seccomp_cache_key(const struct spec_seccomp *spec, struct text *key);
/* A program of that key with those flags, or NULL: absent, damaged, of another key, or the directory is not ours alone
 * (owner and mode 0700). Never an error. */
struct seccomp_program *seccomp_cache_load(int cache_dir, const struct text *key, unsigned flags);
/* Writes it; failure is not worth more than a line for debugging. */
void seccomp_cache_store(int cache_dir, const struct text *key, const struct seccomp_program *program);

#endif
