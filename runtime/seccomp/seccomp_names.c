/* The OCI names of seccomp actions, comparisons, flags and architectures, and the system calls that are newer than the
 * libseccomp we may be built with. */
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/suggest.h"
#include "runtime/seccomp/seccomp.h"

struct named {
	const char *name;
	uint32_t value;
};

/* Two arrays from one list: names alone (ends with NULL, for guesses and features), and their values. */
#define NAME_OF(name, value) #name,
#define VALUE_OF(name, value) value,

#define ACTIONS(ROW)                                                                                                   \
	ROW(SCMP_ACT_ALLOW, SCMP_ACT_ALLOW)                                                                            \
	ROW(SCMP_ACT_ERRNO, SCMP_ACT_ERRNO(0))                                                                         \
	ROW(SCMP_ACT_KILL, SCMP_ACT_KILL)                                                                              \
	ROW(SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_PROCESS)                                                              \
	ROW(SCMP_ACT_KILL_THREAD, SCMP_ACT_KILL_THREAD)                                                                \
	ROW(SCMP_ACT_LOG, SCMP_ACT_LOG)                                                                                \
	ROW(SCMP_ACT_NOTIFY, SCMP_ACT_NOTIFY)                                                                          \
	ROW(SCMP_ACT_TRACE, SCMP_ACT_TRACE(0))                                                                         \
	ROW(SCMP_ACT_TRAP, SCMP_ACT_TRAP)
#define FLAG_WAIT_KILLABLE_RECV (1U << 5) /* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, Linux 5.19 */
#define OPERATORS(ROW)                                                                                                 \
	ROW(SCMP_CMP_EQ, SCMP_CMP_EQ)                                                                                  \
	ROW(SCMP_CMP_GE, SCMP_CMP_GE)                                                                                  \
	ROW(SCMP_CMP_GT, SCMP_CMP_GT)                                                                                  \
	ROW(SCMP_CMP_LE, SCMP_CMP_LE)                                                                                  \
	ROW(SCMP_CMP_LT, SCMP_CMP_LT)                                                                                  \
	ROW(SCMP_CMP_MASKED_EQ, SCMP_CMP_MASKED_EQ)                                                                    \
	ROW(SCMP_CMP_NE, SCMP_CMP_NE)
#define FLAGS(ROW)                                                                                                     \
	ROW(SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_LOG)                                                          \
	ROW(SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_FILTER_FLAG_SPEC_ALLOW)                                            \
	ROW(SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_TSYNC)                                                      \
	ROW(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, FLAG_WAIT_KILLABLE_RECV)
#define ARCHITECTURES(ROW)                                                                                             \
	ROW(SCMP_ARCH_AARCH64, SCMP_ARCH_AARCH64)                                                                      \
	ROW(SCMP_ARCH_ARM, SCMP_ARCH_ARM)                                                                              \
	ROW(SCMP_ARCH_MIPS, SCMP_ARCH_MIPS)                                                                            \
	ROW(SCMP_ARCH_MIPS64, SCMP_ARCH_MIPS64)                                                                        \
	ROW(SCMP_ARCH_MIPS64N32, SCMP_ARCH_MIPS64N32)                                                                  \
	ROW(SCMP_ARCH_MIPSEL, SCMP_ARCH_MIPSEL)                                                                        \
	ROW(SCMP_ARCH_MIPSEL64, SCMP_ARCH_MIPSEL64)                                                                    \
	ROW(SCMP_ARCH_MIPSEL64N32, SCMP_ARCH_MIPSEL64N32)                                                              \
	ROW(SCMP_ARCH_PARISC, SCMP_ARCH_PARISC)                                                                        \
	ROW(SCMP_ARCH_PARISC64, SCMP_ARCH_PARISC64)                                                                    \
	ROW(SCMP_ARCH_PPC, SCMP_ARCH_PPC)                                                                              \
	ROW(SCMP_ARCH_PPC64, SCMP_ARCH_PPC64)                                                                          \
	ROW(SCMP_ARCH_PPC64LE, SCMP_ARCH_PPC64LE)                                                                      \
	ROW(SCMP_ARCH_RISCV64, SCMP_ARCH_RISCV64)                                                                      \
	ROW(SCMP_ARCH_S390, SCMP_ARCH_S390)                                                                            \
	ROW(SCMP_ARCH_S390X, SCMP_ARCH_S390X)                                                                          \
	ROW(SCMP_ARCH_X32, SCMP_ARCH_X32)                                                                              \
	ROW(SCMP_ARCH_X86, SCMP_ARCH_X86)                                                                              \
	ROW(SCMP_ARCH_X86_64, SCMP_ARCH_X86_64)

const char *const seccomp_action_names[] = {ACTIONS(NAME_OF) NULL};
const char *const seccomp_operator_names[] = {OPERATORS(NAME_OF) NULL};
const char *const seccomp_flag_names[] = {FLAGS(NAME_OF) NULL};
const char *const seccomp_architecture_names[] = {ARCHITECTURES(NAME_OF) NULL};
static const uint32_t action_values[] = {ACTIONS(VALUE_OF)};
static const uint32_t operator_values[] = {OPERATORS(VALUE_OF)};
static const uint32_t flag_values[] = {FLAGS(VALUE_OF)};
static const uint32_t architecture_values[] = {ARCHITECTURES(VALUE_OF)};

static int name_find(const char *what, const char *const *names, const uint32_t *values, const char *name,
	uint32_t *out, struct error *err)
{
	const char *near;

	for (size_t i = 0; names[i]; i++) {
		if (strcmp(names[i], name) == 0) {
			*out = values[i];
			return 0;
		}
	}
	near = suggest_from(name, names);
	if (near)
		return fail(err, ERROR_USAGE, "unknown seccomp %s \"%s\"; did you mean %s?", what, name, near);
	return fail(err, ERROR_USAGE, "unknown seccomp %s \"%s\"", what, name);
}

int seccomp_action_parse(const char *name, struct optional errno_value, uint32_t *out, struct error *err)
{
	uint32_t action, value = errno_value.set ? (uint32_t)errno_value.value : EPERM;

	if (name_find("action", seccomp_action_names, action_values, name, &action, err) < 0)
		return -1;
	if (action == SCMP_ACT_ERRNO(0) || action == SCMP_ACT_TRACE(0)) {
		if (value > 0xffff)
			return fail(err, ERROR_USAGE, "%s with %u: at most 65535", name, value);
		*out = action | value;
		return 0;
	}
	if (errno_value.set && errno_value.value != 0)
		return fail(err, ERROR_USAGE, "errnoRet has no meaning with %s", name);
	*out = action;
	return 0;
}

int seccomp_operator_parse(const char *name, int *out, struct error *err)
{
	uint32_t value;

	if (name_find("operator", seccomp_operator_names, operator_values, name, &value, err) < 0)
		return -1;
	*out = (int)value;
	return 0;
}

int seccomp_flag_parse(const char *name, unsigned *out, struct error *err)
{
	return name_find("flag", seccomp_flag_names, flag_values, name, out, err);
}

int seccomp_architecture_parse(const char *name, uint32_t *out, struct error *err)
{
	return name_find("architecture", seccomp_architecture_names, architecture_values, name, out, err);
}

/* From 424 on a system call has one number on all architectures (Linux 5.1); names as in the kernel's tables up to
 * 6.19. The two probe calls are x86_64's own (6.11, 6.18). */
static const struct named newer_calls[] = {
	{"statmount", 457},
	{"listmount", 458},
	{"lsm_get_self_attr", 459},
	{"lsm_set_self_attr", 460},
	{"lsm_list_modules", 461},
	{"mseal", 462},
	{"setxattrat", 463},
	{"getxattrat", 464},
	{"listxattrat", 465},
	{"removexattrat", 466},
	{"open_tree_attr", 467},
	{"file_getattr", 468},
	{"file_setattr", 469},
	{"listns", 470},
#ifdef __x86_64__
	{"uretprobe", 335},
	{"uprobe", 336},
#endif
};

int seccomp_call_resolve(uint32_t architecture, const char *name)
{
	int number = seccomp_syscall_resolve_name_arch(architecture, name);

	if (number != __NR_SCMP_ERROR)
		return number;
	for (size_t i = 0; i < ARRAY_SIZE(newer_calls); i++) {
		if (strcmp(newer_calls[i].name, name) == 0 &&
			(newer_calls[i].value >= 424 || architecture == SCMP_ARCH_X86_64))
			return (int)newer_calls[i].value | (architecture == SCMP_ARCH_X32 ? 0x40000000 : 0);
	}
	return __NR_SCMP_ERROR;
}
