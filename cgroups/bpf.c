/* cgroup v2's device control: a BPF_PROG_TYPE_CGROUP_DEVICE program, written here instruction by instruction.
 *
 * The kernel calls it for each open and mknod of a device with {access << 16 | type, major, minor} (linux/bpf.h, struct
 * bpf_cgroup_dev_ctx; kernel 4.15) and refuses when it gives 0. The rules are tried from the last to the first, and
 * each takes the accesses it decides out of those still open, so every one of read, write and mknod is decided by the
 * last rule that names it:
 *
 *     r3 = type, r2 = accesses still open, r4 = major, r5 = minor
 *     a rule:  if it is another device, go to the next
 *              allow: r2 &= ~access; if nothing is open any more, give 1
 *              deny:  if r2 & access, give 0
 *     at the end: give 0
 *
 * Attached with BPF_F_ALLOW_MULTI: programs of systemd or of an outer container stay, and all of them must agree. Ours
 * is found again by its name and replaced in one step (BPF_F_REPLACE, 5.6): there is no moment without control.
 * Loading needs no libbpf and, since 5.11, no RLIMIT_MEMLOCK. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cgroups/devices.h"

#define PROGRAM_NAME "warren_devices" /* at most 15 characters */
#define PROGRAMS_MAX 64		      /* BPF_CGROUP_MAX_PROGS: as many as a cgroup takes */
#define ACCESS_ALL 7U

enum { R0, R1_CONTEXT, R2_ACCESS, R3_TYPE, R4_MAJOR, R5_MINOR };

static struct bpf_insn instruction(uint8_t code, uint8_t to, uint8_t from, int16_t offset, int32_t value)
{
	return (struct bpf_insn){.code = code, .dst_reg = to, .src_reg = from, .off = offset, .imm = value};
}

static struct bpf_insn load_word(uint8_t to, int16_t offset)
{
	return instruction(BPF_LDX | BPF_MEM | BPF_W, to, R1_CONTEXT, offset, 0);
}

static struct bpf_insn calculate(uint8_t operation, uint8_t to, uint32_t value)
{
	return instruction(BPF_ALU | operation | BPF_K, to, 0, 0, (int32_t)value);
}

/* Jumps compare 32 bits: a 64-bit comparison would extend the sign of numbers from 2^31 on. */
static struct bpf_insn jump(uint8_t condition, uint8_t reg, uint32_t value, size_t skip)
{
	return instruction(BPF_JMP32 | condition | BPF_K, reg, 0, (int16_t)skip, (int32_t)value);
}

static size_t emit_end(struct bpf_insn *to, bool allow)
{
	to[0] = calculate(BPF_MOV, R0, allow);
	to[1] = instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return 2;
}

static unsigned access_bits(unsigned access)
{
	return (access & CGROUP_DEVICE_READ ? BPF_DEVCG_ACC_READ : 0) |
	       (access & CGROUP_DEVICE_WRITE ? BPF_DEVCG_ACC_WRITE : 0) |
	       (access & CGROUP_DEVICE_MKNOD ? BPF_DEVCG_ACC_MKNOD : 0);
}

/* The decision once the device has matched. */
static size_t emit_decision(struct bpf_insn *to, const struct cgroup_device_rule *rule)
{
	unsigned access = access_bits(rule->access);
	size_t count = 0;

	if (access == ACCESS_ALL)
		return emit_end(to, rule->allow);
	if (rule->allow) {
		to[count++] = calculate(BPF_AND, R2_ACCESS, ~access);
		to[count++] = jump(BPF_JNE, R2_ACCESS, 0, 2);
	} else {
		to[count++] = instruction(BPF_ALU | BPF_MOV | BPF_X, R0, R2_ACCESS, 0, 0);
		to[count++] = calculate(BPF_AND, R0, access);
		to[count++] = jump(BPF_JEQ, R0, 0, 2);
	}
	return count + emit_end(to + count, rule->allow);
}

static size_t emit_rule(struct bpf_insn *to, const struct cgroup_device_rule *rule)
{
	struct bpf_insn decision[5];
	size_t rest = emit_decision(decision, rule);
	size_t tests = (size_t)(rule->type != 'a') + (rule->major >= 0) + (rule->minor >= 0);
	size_t count = 0;

	if (rule->type != 'a') {
		unsigned type = rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;

		to[count++] = jump(BPF_JNE, R3_TYPE, type, rest + --tests);
	}
	if (rule->major >= 0)
		to[count++] = jump(BPF_JNE, R4_MAJOR, (uint32_t)rule->major, rest + --tests);
	if (rule->minor >= 0)
		to[count++] = jump(BPF_JNE, R5_MINOR, (uint32_t)rule->minor, rest);
	memcpy(to + count, decision, rest * sizeof(*decision));
	return count + rest;
}

static bool rule_decides_all(const struct cgroup_device_rule *rule)
{
	return rule->type == 'a' && rule->major < 0 && rule->minor < 0 && access_bits(rule->access) == ACCESS_ALL;
}

size_t device_program_make(const struct cgroup_limits *limits, struct bpf_insn *program)
{
	size_t count = 0;

	program[count++] = load_word(R2_ACCESS, 0);
	program[count++] = instruction(BPF_ALU | BPF_MOV | BPF_X, R3_TYPE, R2_ACCESS, 0, 0);
	program[count++] = calculate(BPF_AND, R3_TYPE, 0xffff);
	program[count++] = calculate(BPF_RSH, R2_ACCESS, 16);
	program[count++] = load_word(R4_MAJOR, 4);
	program[count++] = load_word(R5_MINOR, 8);
	for (size_t i = limits->devices.count; i-- > 0;) {
		count += emit_rule(program + count, &limits->devices.items[i]);
		/* The verifier refuses instructions that nothing leads to. */
		if (rule_decides_all(&limits->devices.items[i]))
			return count;
	}
	return count + emit_end(program + count, false);
}

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int program_load(const struct cgroup_limits *limits, struct error *err)
{
	AUTO(arena_drop) struct arena arena = {0};
	struct bpf_insn *program = arena_new_array(&arena, DEVICE_PROGRAM_MAX(limits->devices.count), struct bpf_insn);
	union bpf_attr attr = {0};
	int fd;

	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insn_cnt = (uint32_t)device_program_make(limits, program);
	attr.insns = (uintptr_t)program;
	attr.license = (uintptr_t) "Apache-2.0";
	memcpy(attr.prog_name, PROGRAM_NAME, sizeof(PROGRAM_NAME));
	fd = bpf(BPF_PROG_LOAD, &attr);
	if (fd < 0)
		return fail_errno(err, "devices: load the BPF program of %u instructions", attr.insn_cnt);
	return fd;
}

static bool program_is_ours(int program)
{
	struct bpf_prog_info info = {0};
	union bpf_attr attr = {0};

	attr.info.bpf_fd = (uint32_t)program;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) == 0 && strncmp(info.name, PROGRAM_NAME, sizeof(info.name)) == 0;
}

/* The program we attached to this cgroup before, or -1. Descriptors of programs are born close-on-exec. */
static int program_find(int dir)
{
	uint32_t ids[PROGRAMS_MAX];
	union bpf_attr query = {0};

	query.query.target_fd = (uint32_t)dir;
	query.query.attach_type = BPF_CGROUP_DEVICE;
	query.query.prog_ids = (uintptr_t)ids;
	query.query.prog_cnt = PROGRAMS_MAX;
	if (bpf(BPF_PROG_QUERY, &query) < 0)
		return -1;
	for (uint32_t i = 0; i < query.query.prog_cnt; i++) {
		union bpf_attr attr = {0};
		auto_fd program = -1;

		attr.prog_id = ids[i];
		program = bpf(BPF_PROG_GET_FD_BY_ID, &attr);
		if (program >= 0 && program_is_ours(program))
			return take_fd(&program);
	}
	return -1;
}

int device_program_attach(int dir, const struct cgroup_limits *limits, bool live, struct error *err)
{
	auto_fd program = program_load(limits, err);
	auto_fd old = program >= 0 && live ? program_find(dir) : -1;
	union bpf_attr attr = {0};

	if (program < 0)
		return -1;
	attr.target_fd = (uint32_t)dir;
	attr.attach_bpf_fd = (uint32_t)program;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI | (old >= 0 ? BPF_F_REPLACE : 0);
	attr.replace_bpf_fd = old >= 0 ? (uint32_t)old : 0;
	if (bpf(BPF_PROG_ATTACH, &attr) < 0)
		return fail_errno(err, "devices: attach the BPF program to the cgroup");
	return 0;
}
