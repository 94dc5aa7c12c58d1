/* Rules → BPF, by libseccomp, as a binary tree (SCMP_FLTATR_CTL_OPTIMIZE 2): the kernel runs a new filter once for each
 * system call number to find those that are always allowed, so short paths make the load three times faster.
 *
 * In front of libseccomp's code we put a few instructions of our own: a call newer than every call that the rules name
 * gets ENOSYS where the default would be another errno. A libc then falls back to the older call; EPERM would make it
 * give up. */
#include "runtime/seccomp/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "runtime/runtime.h"

#define FLAG_WAIT_KILLABLE_RECV (1U << 5) /* Linux 5.19, newer than our headers may be */
#define X32_BIT 0x40000000u
#define ARCHITECTURES_MAX 24

/* The filter's architectures: the native one first. */
struct architectures {
	uint32_t items[ARCHITECTURES_MAX];
	size_t count;
};

static void context_drop(scmp_filter_ctx *context)
{
	if (*context)
		seccomp_release(*context);
	*context = NULL;
}

static int library_fail(int result, struct error *err, const char *doing)
{
	errno = -result;
	return fail_errno(err, "seccomp: %s", doing);
}

static bool action_is_permissive(uint32_t action)
{
	return action == SCMP_ACT_ALLOW || action == SCMP_ACT_LOG || (action & 0xffff0000) == SCMP_ACT_TRACE(0);
}

/* --- rules -------------------------------------------------------------------------------------------------------- */

static bool compares_one_argument_twice(const struct seccomp_rule *rule)
{
	unsigned seen = 0;

	for (size_t i = 0; i < rule->args.count; i++) {
		if (seen & (1u << rule->args.items[i].index))
			return true;
		seen |= 1u << rule->args.items[i].index;
	}
	return false;
}

static struct scmp_arg_cmp comparison(const struct seccomp_arg *arg)
{
	/* OCI has the mask in "value" and what must be left in "valueTwo", as libseccomp has. */
	return (struct scmp_arg_cmp){
		.arg = arg->index, .op = (enum scmp_compare)arg->op, .datum_a = arg->value, .datum_b = arg->value_two};
}

static int rule_add_once(scmp_filter_ctx context, const struct seccomp_rule *rule, int number,
	const struct seccomp_arg *args, size_t count)
{
	struct scmp_arg_cmp compare[6];
	int result;

	for (size_t i = 0; i < count; i++)
		compare[i] = comparison(&args[i]);
	result = seccomp_rule_add_array(context, rule->action, number, (unsigned)count, compare);
	return result == -EEXIST ? 0 : result;
}

/* Comparisons of a rule must all hold; libseccomp cannot hold two of one argument against it at once. As others do,
 * each is then a rule of its own, one of which must hold. */
static int rule_add(scmp_filter_ctx context, const struct seccomp_rule *rule, int number)
{
	if (!compares_one_argument_twice(rule))
		return rule_add_once(context, rule, number, rule->args.items, rule->args.count);
	for (size_t i = 0; i < rule->args.count; i++) {
		int result = rule_add_once(context, rule, number, &rule->args.items[i], 1);

		if (result < 0)
			return result;
	}
	return 0;
}

static int unknown_call(
	const struct spec_seccomp *spec, const struct seccomp_rule *rule, const char *name, struct error *err)
{
	if (action_is_permissive(spec->default_action) && !action_is_permissive(rule->action))
		return fail(err, ERROR_USAGE,
			"seccomp: system call \"%s\" is to be refused, but is unknown here and would be allowed", name);
	log_debug("seccomp: system call \"%s\" is unknown here: it gets the default action", name);
	return 0;
}

static int rule_add_names(scmp_filter_ctx context, const struct spec_seccomp *spec, const struct seccomp_rule *rule,
	bool native_only, struct error *err)
{
	for (size_t i = 0; i < rule->names.count; i++) {
		const char *name = rule->names.items[i];
		bool newer = seccomp_syscall_resolve_name(name) == __NR_SCMP_ERROR;
		int number = seccomp_call_resolve(seccomp_arch_native(), name);
		int result;

		/* A number without a name cannot be translated for another architecture. */
		if (number == __NR_SCMP_ERROR || (newer && !native_only)) {
			if (unknown_call(spec, rule, name, err) < 0)
				return -1;
			continue;
		}
		/* Negative: a call of other architectures only. libseccomp would test for it all the same. */
		if (number < 0 && native_only)
			continue;
		result = rule_add(context, rule, number);
		if (result < 0)
			return library_fail(result, err, name);
	}
	return 0;
}

static int rules_add(scmp_filter_ctx context, const struct spec_seccomp *spec, bool native_only, struct error *err)
{
	for (size_t i = 0; i < spec->rules.count; i++) {
		const struct seccomp_rule *rule = &spec->rules.items[i];

		/* libseccomp refuses rules that say what the default says; they still raise the highest known call. */
		if (rule->action == spec->default_action)
			continue;
		if (rule_add_names(context, spec, rule, native_only, err) < 0)
			return -1;
	}
	return 0;
}

/* --- calls newer than the rules ----------------------------------------------------------------------------------- */

static bool architectures_have(const struct architectures *list, uint32_t architecture)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i] == architecture)
			return true;
	}
	return false;
}

static int highest_call(const struct spec_seccomp *spec, uint32_t architecture)
{
	int highest = -1;

	for (size_t i = 0; i < spec->rules.count; i++) {
		const struct strings *names = &spec->rules.items[i].names;

		for (size_t k = 0; k < names->count; k++) {
			int number = seccomp_call_resolve(architecture, names->items[k]);

			if (number > highest)
				highest = number;
		}
	}
	return highest;
}

/* "If arch is this one and the number is above the highest: ENOSYS." x32 calls come with x86_64's arch and bit 30. */
static size_t newer_emit(struct sock_filter *code, uint32_t architecture, uint32_t highest)
{
	bool x32 = architecture == SCMP_ARCH_X32, x86_64 = architecture == SCMP_ARCH_X86_64;
	const struct sock_filter block[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, x32 ? SCMP_ARCH_X86_64 : architecture, 0, x86_64 ? 4 : 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, highest, 0, x86_64 ? 2 : 1),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 1, 0), /* x86_64 only */
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(block); i++) {
		if (i != 4 || x86_64)
			code[count++] = block[i];
	}
	return count;
}

static size_t newer_emit_all(
	const struct spec_seccomp *spec, const struct architectures *list, struct sock_filter *code)
{
	uint32_t errno_mask = 0xffff0000;
	size_t count = 0;

	if ((spec->default_action & errno_mask) != SCMP_ACT_ERRNO(0) || spec->default_action == SCMP_ACT_ERRNO(ENOSYS))
		return 0;
	for (size_t i = 0; i < list->count; i++) {
		int highest = highest_call(spec, list->items[i]);

		if (highest >= 0)
			count += newer_emit(code + count, list->items[i], (uint32_t)highest);
	}
	return count;
}

/* --- compilation -------------------------------------------------------------------------------------------------- */

static int architectures_add(
	scmp_filter_ctx context, const struct spec_seccomp *spec, struct architectures *list, struct error *err)
{
	list->items[list->count++] = seccomp_arch_native();
	for (size_t i = 0; i < spec->architectures.count; i++) {
		uint32_t architecture;
		int result;

		if (seccomp_architecture_parse(spec->architectures.items[i], &architecture, err) < 0)
			return -1;
		if (architectures_have(list, architecture))
			continue;
		if (list->count == ARCHITECTURES_MAX)
			return fail(err, ERROR_USAGE, "seccomp: more than %d architectures", ARCHITECTURES_MAX);
		result = seccomp_arch_add(context, architecture);
		if (result < 0)
			return library_fail(result, err, spec->architectures.items[i]);
		list->items[list->count++] = architecture;
	}
	return 0;
}

/* Calls through another ABI than the filter's kill the process. An errno would leave a 32-bit program running blind,
 * unable even to exit, and an attacker free to go on trying; "Bad system call" is short and true. */
static int attributes_set(scmp_filter_ctx context, struct error *err)
{
	int result = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (result < 0)
		return library_fail(result, err, "action for foreign ABIs");
	result = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (result < 0)
		return library_fail(result, err, "binary tree");
	return 0;
}

static int program_export(scmp_filter_ctx context, const struct sock_filter *front, size_t front_count,
	struct seccomp_program **out, struct error *err)
{
	auto_fd fd = memfd_create("seccomp", MFD_CLOEXEC);
	struct seccomp_program *program;
	off_t size;
	int result;

	if (fd < 0)
		return fail_errno(err, "seccomp: memory for the filter");
	result = seccomp_export_bpf(context, fd);
	if (result < 0)
		return library_fail(result, err, "export the filter");
	size = lseek(fd, 0, SEEK_END);
	if (size < 0 || (size_t)size / sizeof(*front) + front_count > BPF_MAXINSNS)
		return fail(err, ERROR_USAGE, "seccomp: the filter has more than %d instructions", BPF_MAXINSNS);
	program = seccomp_program_new((size_t)size / sizeof(*front) + front_count, 0);
	memcpy(program->code, front, front_count * sizeof(*front));
	if (pread(fd, program->code + front_count, (size_t)size, 0) != size) {
		seccomp_program_drop(&program);
		return fail_errno(err, "seccomp: read the filter");
	}
	*out = program;
	return 0;
}

bool seccomp_hands_over(const struct spec_seccomp *spec)
{
	for (size_t i = 0; i < spec->rules.count; i++)
		if (spec->rules.items[i].action == SCMP_ACT_NOTIFY)
			return true;
	return false;
}

/* The kernel takes one of these flags only with a listener, and the other, which means nothing to a process of one
 * thread, only without. */
static unsigned program_flags(const struct spec_seccomp *spec)
{
	if (seccomp_hands_over(spec))
		return (spec->flags & ~(unsigned)SECCOMP_FILTER_FLAG_TSYNC) | SECCOMP_FILTER_FLAG_NEW_LISTENER;
	return spec->flags & ~FLAG_WAIT_KILLABLE_RECV;
}

int seccomp_program_compile(const struct spec_seccomp *spec, struct seccomp_program **out, struct error *err)
{
	AUTO(context_drop) scmp_filter_ctx context = seccomp_init(spec->default_action);
	struct sock_filter front[ARCHITECTURES_MAX * 6];
	struct architectures list = {.count = 0};
	size_t front_count;

	if (!context)
		return fail(err, ERROR_USAGE, "seccomp: default action %#x is not one", spec->default_action);
	if (architectures_add(context, spec, &list, err) < 0 || attributes_set(context, err) < 0)
		return -1;
	if (rules_add(context, spec, list.count == 1, err) < 0)
		return -1;
	front_count = newer_emit_all(spec, &list, front);
	if (program_export(context, front, front_count, out, err) < 0)
		return -1;
	(*out)->flags = program_flags(spec);
	return 0;
}

/* --- programs ----------------------------------------------------------------------------------------------------- */

struct seccomp_program *seccomp_program_new(size_t length, unsigned flags)
{
	struct seccomp_program *program = calloc(1, sizeof(*program) + length * sizeof(program->code[0]));

	if (!program)
		memory_exhausted();
	program->length = (unsigned short)length;
	program->flags = flags;
	return program;
}

void seccomp_program_drop(struct seccomp_program **program)
{
	int saved = errno;

	free(*program);
	*program = NULL;
	errno = saved;
}

int seccomp_program_install(const struct seccomp_program *program, unsigned flags, struct error *err)
{
	struct sock_fprog fprog;
	int result;

	if (!program)
		return 0;
	fprog = (struct sock_fprog){.len = program->length, .filter = (struct sock_filter *)program->code};
	result = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, program->flags | flags, &fprog);
	if (result < 0)
		return fail_errno(err, "load the seccomp filter of %u instructions", program->length);
	return result;
}

int seccomp_program_get(const struct spec_seccomp *spec, int cache_dir, struct seccomp_program **out, struct error *err)
{
	AUTO(text_drop) struct text key = {0};

	*out = NULL;
	if (!spec)
		return 0;
	if (cache_dir < 0)
		return seccomp_program_compile(spec, out, err);
	seccomp_cache_key(spec, &key);
	*out = seccomp_cache_load(cache_dir, &key, program_flags(spec));
	if (*out)
		return 0;
	if (seccomp_program_compile(spec, out, err) < 0)
		return -1;
	seccomp_cache_store(cache_dir, &key, *out);
	return 0;
}
