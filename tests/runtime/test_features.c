#include <sys/prctl.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/kernel.h"
#include "cgroups/systemd.h"
#include "runtime/runtime.h"
#include "runtime/seccomp/seccomp.h"
#include "tests/test.h"

static const struct json *features(struct arena *arena)
{
	AUTO(encoder_drop) struct encoder *encoder = encoder_new(ENCODE_PRETTY);
	auto_free char *text = NULL;
	struct json_doc doc;
	struct error err = {0};
	size_t length;

	features_encode(encoder);
	text = encoder_take(encoder, &length);
	ASSERT_OK(json_parse(arena, "features", text, length, JSON_PLAIN, &doc, &err));
	return doc.root;
}

static const struct json *at(const struct json *node, const char *const *path)
{
	for (; *path; path++)
		node = json_get(node, *path);
	return node;
}
#define AT(node, ...) at(node, (const char *const[]){__VA_ARGS__, NULL})

static bool has(const struct json *list, const char *word)
{
	for (const struct json *item = list->first; item; item = item->next) {
		if (strcmp(item->text, word) == 0)
			return true;
	}
	return false;
}

TEST(features, tell_what_is_honoured_and_nothing_else)
{
	AUTO(arena_drop) struct arena arena = {0};
	const struct json *root = features(&arena);

	cr_assert_str_eq(json_get(root, "ociVersionMax")->text, "1.3.0");
	cr_assert(json_get(root, "hooks")->count == HOOK_KINDS);
	cr_assert(has(json_get(root, "mountOptions"), "rro") && has(json_get(root, "mountOptions"), "tmpcopyup"));
	cr_assert(has(json_get(root, "mountOptions"), "remount") && !has(json_get(root, "mountOptions"), "size"));
	cr_assert(has(AT(root, "linux", "namespaces"), "network") &&
		  has(AT(root, "linux", "capabilities"), "CAP_SYS_ADMIN"));
	cr_assert(has(AT(root, "linux", "seccomp", "actions"), "SCMP_ACT_ERRNO"));
	cr_assert(has(AT(root, "linux", "seccomp", "actions"), "SCMP_ACT_NOTIFY"));
	cr_assert(AT(root, "linux", "seccomp", "enabled")->boolean);
	cr_assert(has(AT(root, "linux", "seccomp", "supportedFlags"), "SECCOMP_FILTER_FLAG_LOG"));
	cr_assert(
		AT(root, "linux", "apparmor", "enabled")->boolean && AT(root, "linux", "selinux", "enabled")->boolean);
	cr_assert(AT(root, "linux", "intelRdt", "enabled")->boolean &&
		  AT(root, "linux", "netDevices", "enabled")->boolean);
	cr_assert(AT(root, "linux", "cgroup", "rdma")->boolean);
	cr_assert(AT(root, "linux", "cgroup", "systemd")->boolean == systemd_helper_is_there());
	cr_assert(AT(root, "linux", "cgroup", "v1")->boolean);
	cr_assert(has(AT(root, "linux", "memoryPolicy", "modes"), "MPOL_BIND") &&
		  has(AT(root, "linux", "memoryPolicy", "flags"), "MPOL_F_STATIC_NODES"));
	cr_assert(has(json_get(root, "potentiallyUnsafeConfigAnnotations"), "org.systemd.property."));
}

TEST(features, name_architectures_that_libseccomp_takes)
{
	for (size_t i = 0; seccomp_architecture_names[i]; i++) {
		AUTO(arena_drop) struct arena arena = {0};
		struct spec_seccomp spec = {.default_action = 0x7fff0000};
		struct seccomp_program *program = NULL;
		struct error err = {0};

		/* Big-endian ones cannot be in one filter with ours, which is another matter than being unknown. */
		strings_add(&arena, &spec.architectures, seccomp_architecture_names[i]);
		if (seccomp_program_compile(&spec, &program, &err) < 0)
			cr_assert(strstr(err.text, "Invalid argument") || strstr(err.text, "domain"), "%s", err.text);
		seccomp_program_drop(&program);
	}
}

TEST(features, tell_what_the_kernel_lacks)
{
	AUTO(arena_drop) struct arena arena = {0};
	const struct json *root, *lacks;

	kernel_pretend(KERNEL_NAMESPACE_TIME, KERNEL_NO);
	kernel_pretend(KERNEL_MOUNT_SETATTR, KERNEL_NO);
	kernel_pretend(KERNEL_SECCOMP, KERNEL_NO);
	root = features(&arena);
	lacks = AT(root, "annotations", "warren.kernel.lacks");
	cr_assert(lacks && strstr(lacks->text, "mount_setattr(2)") && strstr(lacks->text, "; time namespaces"));
	cr_assert(!has(AT(root, "linux", "namespaces"), "time") && has(AT(root, "linux", "namespaces"), "user"));
	cr_assert(!AT(root, "linux", "mountExtensions", "idmap", "enabled")->boolean);
	cr_assert(!AT(root, "linux", "seccomp", "enabled")->boolean);
}
