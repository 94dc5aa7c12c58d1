/* Device rules: one meaning, whether it is said by a list or by a program. */
#include "cgroups/devices.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "tests/cgroups/support.h"

#define RULE(allow_, type_, major_, minor_, access_)                                                                   \
	{                                                                                                              \
		.allow = allow_, .type = type_, .major = major_, .minor = minor_, .access = access_                    \
	}
enum { R = CGROUP_DEVICE_READ, W = CGROUP_DEVICE_WRITE, M = CGROUP_DEVICE_MKNOD };

struct request {
	char type;
	uint32_t major, minor;
	unsigned access;
};

static bool number_fits(int64_t rule, uint32_t number)
{
	return rule == -1 || rule == (int64_t)number;
}

static bool rule_fits(const struct cgroup_device_rule *rule, const struct request *request)
{
	return (rule->type == 'a' || rule->type == request->type) && number_fits(rule->major, request->major) &&
	       number_fits(rule->minor, request->minor);
}

/* The definition: each access is decided by the last rule that names it. */
static bool allowed_by_definition(const struct cgroup_limits *limits, const struct request *request)
{
	for (unsigned bit = 1; bit <= M; bit <<= 1) {
		bool allow = false;

		for (size_t i = 0; i < limits->devices.count; i++)
			if (limits->devices.items[i].access & bit && rule_fits(&limits->devices.items[i], request))
				allow = limits->devices.items[i].allow;
		if (request->access & bit && !allow)
			return false;
	}
	return true;
}

/* What the kernel does with v1's list (match_exception, match_exception_partial). */
static bool allowed_by_list(const struct device_list *list, const struct request *request)
{
	for (size_t i = 0; i < list->exceptions.count; i++) {
		const struct cgroup_device_rule *exception = &list->exceptions.items[i];

		if (!rule_fits(exception, request))
			continue;
		if (!list->allow && !(request->access & ~exception->access))
			return true;
		if (list->allow && request->access & exception->access)
			return false;
	}
	return list->allow;
}

/* The few instructions that device programs are made of. */
static bool allowed_by_program(const struct bpf_insn *program, size_t count, const struct request *request)
{
	unsigned access = (request->access & R ? BPF_DEVCG_ACC_READ : 0) |
			  (request->access & W ? BPF_DEVCG_ACC_WRITE : 0) |
			  (request->access & M ? BPF_DEVCG_ACC_MKNOD : 0);
	uint32_t context[] = {access << 16 | (request->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR),
		request->major, request->minor};
	uint32_t r[11] = {0};

	for (size_t at = 0; at < count; at++) {
		const struct bpf_insn *i = &program[at];
		uint32_t value = (uint32_t)i->imm;

		switch (i->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			r[i->dst_reg] = context[i->off / 4];
			break;
		case BPF_ALU | BPF_MOV | BPF_X:
			r[i->dst_reg] = r[i->src_reg];
			break;
		case BPF_ALU | BPF_MOV | BPF_K:
			r[i->dst_reg] = value;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			r[i->dst_reg] &= value;
			break;
		case BPF_ALU | BPF_RSH | BPF_K:
			r[i->dst_reg] >>= value;
			break;
		case BPF_JMP32 | BPF_JNE | BPF_K:
			at += r[i->dst_reg] != value ? (size_t)i->off : 0;
			break;
		case BPF_JMP32 | BPF_JEQ | BPF_K:
			at += r[i->dst_reg] == value ? (size_t)i->off : 0;
			break;
		case BPF_JMP | BPF_EXIT:
			return r[0];
		default:
			cr_assert_fail("instruction %zu: code %x", at, i->code);
		}
	}
	cr_assert_fail("the program runs over its end");
	return false;
}

/* Numbers that differ for every test run alike: a fixed sequence. */
static unsigned next_random(unsigned *state)
{
	*state = *state * 1103515245U + 12345U;
	return *state >> 16;
}

static struct cgroup_device_rule random_rule(unsigned *state)
{
	static const int64_t numbers[] = {-1, 1, 4000000000};

	return (struct cgroup_device_rule){.allow = next_random(state) % 2,
		.type = "abc"[next_random(state) % 3],
		.major = numbers[next_random(state) % 3],
		.minor = numbers[next_random(state) % 3],
		.access = 1 + next_random(state) % 7};
}

/* Calls check for every kind of request there is to the random rules. */
static void assert_same(const struct cgroup_limits *limits, const struct device_list *list,
	const struct bpf_insn *program, size_t length)
{
	static const uint32_t numbers[] = {1, 2, 4000000000};

	for (unsigned i = 0; i < 2 * 3 * 3 * 7; i++) {
		struct request request = {"bc"[i % 2], numbers[i / 2 % 3], numbers[i / 6 % 3], 1 + i / 18};
		bool allowed = allowed_by_definition(limits, &request);

		cr_assert(allowed_by_program(program, length, &request) == allowed, "program: %c %u:%u %u should be %d",
			request.type, request.major, request.minor, request.access, allowed);
		/* v1 judges a request of several accesses by one exception; ask for one access at a time. */
		if (list && (request.access & (request.access - 1)) == 0)
			cr_assert(allowed_by_list(list, &request) == allowed, "list: %c %u:%u %u should be %d",
				request.type, request.major, request.minor, request.access, allowed);
	}
}

TEST(devices, mean_the_same_as_program_and_as_list)
{
	unsigned state = 1, expressible = 0;

	for (int i = 0; i < 2000; i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct cgroup_device_rule rules[6];
		struct cgroup_limits limits = {.devices = {rules, 1 + next_random(&state) % 6}};
		struct bpf_insn program[DEVICE_PROGRAM_MAX(6)];
		struct device_list list;
		struct error err;
		bool is_list;

		for (size_t j = 0; j < limits.devices.count; j++)
			rules[j] = random_rule(&state);
		is_list = device_list_make(&arena, &limits, &list, &err) == 0;
		expressible += is_list;
		assert_same(&limits, is_list ? &list : NULL, program, device_program_make(&limits, program));
	}
	cr_assert(expressible > 200 && expressible < 2000, "%u of 2000 have a list", expressible);
}

TEST(devices, that_v1_cannot_express_are_refused_with_both_rules)
{
	struct cgroup_device_rule rules[] = {RULE(true, 'c', 1, -1, R | W | M), RULE(false, 'c', 1, 5, W)};
	struct cgroup_limits limits = {.devices = {rules, 2}};
	struct error err;

	ASSERT_FAILS(devices_check(&limits, true, &err), ERROR_SYSTEM,
		"devices: \"c 1:5 w\" makes an exception within \"c 1:* rwm\"; cgroup v1 cannot");
	ASSERT_OK(devices_check(&limits, false, &err));
}

TEST(devices, lists_are_read_as_the_kernel_writes_them)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct device_list list;

	device_list_parse(&arena, "c 1:3 rwm\nb *:* m\nx 1:1 r\nc 1:9 rw\n", &list);
	cr_assert(!list.allow && list.exceptions.count == 3);
	cr_assert(list.exceptions.items[0].major == 1 && list.exceptions.items[0].minor == 3);
	cr_assert(list.exceptions.items[1].type == 'b' && list.exceptions.items[1].major == -1);
	cr_assert(list.exceptions.items[2].access == (R | W));
	device_list_parse(&arena, "a *:* rwm\n", &list);
	cr_assert(list.allow && list.exceptions.count == 0);
}

/* --- the real kernel ---------------------------------------------------------------------------------------------- */

/* Exit status: which of the four opens were let through, one bit each. */
static int body_open(void *unused)
{
	static const struct {
		const char *path;
		int flags;
	} opens[] = {{"/dev/null", O_RDWR}, {"/dev/zero", O_RDONLY}, {"/dev/zero", O_WRONLY}, {"/dev/full", O_RDONLY}};
	int passed = 0;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(opens); i++) {
		int fd = open(opens[i].path, opens[i].flags | O_CLOEXEC);

		if (fd < 0 && errno != EPERM)
			return 98;
		passed |= fd >= 0 ? 1 << i : 0;
	}
	return passed;
}

enum { NULL_RW = 1, ZERO_R = 2, ZERO_W = 4, FULL_R = 8 };

static struct cgroup_device_rule first[] = {
	RULE(false, 'a', -1, -1, R | W | M), RULE(true, 'c', 1, 3, R | W | M), RULE(true, 'c', 1, 5, R)};
static struct cgroup_device_rule second[] = {
	RULE(false, 'a', -1, -1, R | W | M), RULE(true, 'c', 1, 5, R | W), RULE(true, 'c', 1, 7, R)};
static struct cgroup_device_rule third[] = {RULE(true, 'a', -1, -1, R | W | M), RULE(false, 'c', 1, 5, W)};

#define RULES(list) ((struct cgroup_limits){.devices = {list, ARRAY_SIZE(list)}})

static void assert_opens(const struct cgroup *cgroup, int expected)
{
	int status = child_run(cgroup, body_open, NULL);

	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == expected, "status %x, not %x", status, expected << 8);
}

TEST(devices, outside_the_rules_cannot_be_opened)
{
	BOX(box);
	struct error err;

	box_create(&box, &RULES(first), 0);
	assert_opens(&box.cgroup, NULL_RW | ZERO_R);
	ASSERT_OK(cgroup_set(&box.cgroup, &RULES(second), &err));
	assert_opens(&box.cgroup, ZERO_R | ZERO_W | FULL_R);
	ASSERT_OK(cgroup_set(&box.cgroup, &RULES(third), &err));
	assert_opens(&box.cgroup, NULL_RW | ZERO_R | FULL_R);
	ASSERT_OK(cgroup_set(&box.cgroup, &RULES(first), &err));
	assert_opens(&box.cgroup, NULL_RW | ZERO_R);
}

/* The program on the cgroup2 of a hybrid host, where the library itself takes v1's list. */
TEST(devices, programs_are_taken_by_the_kernel_and_replaced)
{
	BOX(box);
	struct cgroup cgroup;
	char path[96];
	struct error err;

	SKIP_UNLESS(box.host.mode == CGROUP_HYBRID, "needs a cgroup2 beside v1");
	snprintf(path, sizeof(path), "/sys/fs/cgroup/unified/%s", box.path);
	mkdir("/sys/fs/cgroup/unified/warren", 0755);
	cr_assert(mkdir(path, 0755) == 0, "%s: %s", path, strerror(errno));
	cgroup = (struct cgroup){.host = &box.host, .path = box.path};
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		cgroup.hierarchy[c] = -1;
	cgroup.unified = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_OK(device_program_attach(cgroup.unified, &RULES(first), false, &err));
	assert_opens(&cgroup, NULL_RW | ZERO_R);
	ASSERT_OK(device_program_attach(cgroup.unified, &RULES(second), true, &err));
	assert_opens(&cgroup, ZERO_R | ZERO_W | FULL_R);
	close(cgroup.unified);
	cr_assert(rmdir(path) == 0);
	rmdir("/sys/fs/cgroup/unified/warren");
}

TEST(devices, programs_of_as_many_rules_as_allowed_pass_the_verifier)
{
	BOX(box);
	struct cgroup_device_rule rules[512];
	struct cgroup_limits limits = {.devices = {rules, ARRAY_SIZE(rules)}};
	unsigned state = 7;
	auto_fd dir = -1;
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		rules[i] = (struct cgroup_device_rule)RULE(next_random(&state) % 2, 'c', (int64_t)i, (int64_t)i, R);
	/* Attaching to no cgroup fails after loading has passed. */
	ASSERT_FAILS(device_program_attach(dir, &limits, false, &err), ERROR_SYSTEM,
		"devices: attach the BPF program to the cgroup: Bad file descriptor");
}

/* Exit status: 1 /dev/null's numbers can be made, 2 /dev/full's. */
static int body_mknod(void *argument)
{
	const char *directory = argument;
	auto_free char *first_path = text_format("%s/null", directory),
		       *second_path = text_format("%s/full", directory);
	int made = 0;

	if (mknod(first_path, S_IFCHR | 0600, makedev(1, 3)) == 0)
		made |= 1;
	else if (errno != EPERM)
		return 98;
	if (mknod(second_path, S_IFCHR | 0600, makedev(1, 7)) == 0)
		made |= 2;
	unlink(first_path);
	unlink(second_path);
	return made;
}

static struct cgroup_device_rule no_making[] = {
	RULE(false, 'a', -1, -1, R | W | M), RULE(true, 'c', 1, 3, R | W), RULE(true, 'c', 1, 7, R | W | M)};

TEST(devices, outside_the_rules_cannot_be_made)
{
	BOX(box);
	char directory[] = "/tmp/warren-test-devices-XXXXXX";
	int status;

	box_create(&box, &RULES(no_making), 0);
	cr_assert(mkdtemp(directory) != NULL);
	status = child_run(&box.cgroup, body_mknod, directory);
	cr_assert(rmdir(directory) == 0);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 2, "status %x", status);
}

/* What is allowed before and after stays so at every moment of a change, and what is refused too. */
struct watcher {
	volatile int *stop;
};

static int body_watch(void *argument)
{
	const struct watcher *watcher = argument;

	while (!__atomic_load_n(watcher->stop, __ATOMIC_ACQUIRE)) {
		int allowed = open("/dev/zero", O_RDONLY | O_CLOEXEC),
		    refused = open("/dev/random", O_RDONLY | O_CLOEXEC);

		if (allowed < 0)
			return 1;
		if (refused >= 0)
			return 2;
		close(allowed);
	}
	return 0;
}

TEST(devices, are_never_open_or_shut_in_between_while_the_rules_change)
{
	BOX(box);
	volatile int *stop = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct watcher watcher = {stop};
	struct child child;
	struct error err;
	int status;

	box_create(&box, &RULES(first), 0);
	child = child_start(&box.cgroup, body_watch, &watcher);
	for (int i = 0; i < 100; i++) {
		ASSERT_OK(cgroup_set(&box.cgroup, &RULES(second), &err));
		ASSERT_OK(cgroup_set(&box.cgroup, &RULES(first), &err));
	}
	__atomic_store_n(stop, 1, __ATOMIC_RELEASE);
	status = child_end(&child);
	munmap((void *)stop, 4096);
	cr_assert(status == 0, "status %x", status);
}

/* Somebody else's program on the same cgroup (systemd's DeviceAllow=, say): refuses /dev/zero, 1:5. */
static int foreign_attach(int dir)
{
	struct bpf_insn program[] = {
		{.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 2, .src_reg = 1, .off = 8},
		{.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1},
		{.code = BPF_JMP32 | BPF_JNE | BPF_K, .dst_reg = 2, .imm = 5, .off = 1},
		{.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insn_cnt = ARRAY_SIZE(program),
		.insns = (uintptr_t)program,
		.license = (uintptr_t) "Apache-2.0"};
	union bpf_attr attach = {.target_fd = (uint32_t)dir, .attach_type = BPF_CGROUP_DEVICE};
	auto_fd fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));

	attach.attach_bpf_fd = (uint32_t)fd;
	attach.attach_flags = BPF_F_ALLOW_MULTI;
	return fd < 0 ? -1 : (int)syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach));
}

TEST(devices, of_other_programs_stay_refused_when_ours_is_replaced)
{
	BOX(box);
	struct error err;

	SKIP_UNLESS(box_is_v2(&box), "needs cgroup v2");
	box_create(&box, &RULES(first), 0);
	cr_assert(foreign_attach(box.cgroup.unified) == 0, "%s", strerror(errno));
	assert_opens(&box.cgroup, NULL_RW);
	for (int i = 0; i < 70; i++) /* more than a cgroup can hold: each takes the place of the one before */
		ASSERT_OK(cgroup_set(&box.cgroup, i % 2 ? &RULES(first) : &RULES(second), &err));
	assert_opens(&box.cgroup, NULL_RW);
	ASSERT_OK(cgroup_set(&box.cgroup, &RULES(third), &err));
	assert_opens(&box.cgroup, NULL_RW | FULL_R);
}

TEST(devices, that_a_parent_refuses_are_refused_below)
{
	BOX(box);
	AUTO(cgroup_drop) struct cgroup below = {.unified = -1};
	auto_free char *path = text_format("%s/below", box.path);
	struct error err;

	SKIP_UNLESS(box_is_v2(&box), "needs cgroup v2");
	box_create(&box, &RULES(first), 0);
	ASSERT_OK(cgroup_create(&box.host, path, &RULES(third), 0, &below, &err));
	assert_opens(&below, NULL_RW | ZERO_R);
}
