/* What this build and this kernel can do, as the OCI runtime specification wants it told (features.md). Everything
 * named here is honoured by the code that decodes config.json, and what the kernel lacks is left out. */
#include <seccomp.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/kernel.h"
#include "cgroups/systemd.h"
#include "runtime/oci/oci.h"
#include "runtime/runtime.h"
#include "runtime/seccomp/seccomp.h"

#define OCI_VERSION_MIN "1.0.0"
#define OCI_VERSION_MAX "1.3.0"

const char *runtime_version(void)
{
	return WARREN_VERSION;
}

static void names_encode(struct encoder *encoder, const char *key, const char *const *names)
{
	encode_array_begin(encoder, key);
	for (; *names; names++)
		encode_string(encoder, NULL, *names);
	encode_array_end(encoder);
}

static void namespaces_encode(struct encoder *encoder)
{
	static const enum kernel_feature features[NS_COUNT] = {
		[NS_USER] = KERNEL_NAMESPACE_USER,
		[NS_MOUNT] = KERNEL_NAMESPACE_MNT,
		[NS_PID] = KERNEL_NAMESPACE_PID,
		[NS_UTS] = KERNEL_NAMESPACE_UTS,
		[NS_IPC] = KERNEL_NAMESPACE_IPC,
		[NS_NET] = KERNEL_NAMESPACE_NET,
		[NS_CGROUP] = KERNEL_NAMESPACE_CGROUP,
		[NS_TIME] = KERNEL_NAMESPACE_TIME,
	};

	encode_array_begin(encoder, "namespaces");
	for (size_t ns = 0; ns < NS_COUNT; ns++) {
		if (kernel_has(features[ns]))
			encode_string(encoder, NULL, namespace_names[ns]);
	}
	encode_array_end(encoder);
}

static void capabilities_encode(struct encoder *encoder)
{
	uint64_t all = capabilities_all();
	char buffer[32];

	encode_array_begin(encoder, "capabilities");
	for (unsigned i = 0; i < 64; i++) {
		if (all & (UINT64_C(1) << i))
			encode_string(encoder, NULL, capability_name(i, buffer));
	}
	encode_array_end(encoder);
}

static void mount_options_encode(struct encoder *encoder)
{
	encode_array_begin(encoder, "mountOptions");
	for (size_t i = 0; oci_mount_option_name(i); i++)
		encode_string(encoder, NULL, oci_mount_option_name(i));
	encode_array_end(encoder);
}

static void flags_encode(struct encoder *encoder)
{
	encode_array_begin(encoder, "supportedFlags");
	for (size_t i = 0; seccomp_flag_names[i]; i++) {
		struct error err = {0};
		unsigned flag;

		if (seccomp_flag_parse(seccomp_flag_names[i], &flag, &err) == 0 && kernel_has_seccomp_flag(flag))
			encode_string(encoder, NULL, seccomp_flag_names[i]);
	}
	encode_array_end(encoder);
}

static void seccomp_encode(struct encoder *encoder)
{
	encode_object_begin(encoder, "seccomp");
	encode_bool(encoder, "enabled", kernel_has(KERNEL_SECCOMP));
	names_encode(encoder, "actions", seccomp_action_names);
	names_encode(encoder, "operators", seccomp_operator_names);
	names_encode(encoder, "archs", seccomp_architecture_names);
	names_encode(encoder, "knownFlags", seccomp_flag_names);
	flags_encode(encoder);
	encode_object_end(encoder);
}

static void cgroup_encode(struct encoder *encoder)
{
	bool systemd = systemd_helper_is_there();

	encode_object_begin(encoder, "cgroup");
	encode_bool(encoder, "v1", true);
	encode_bool(encoder, "v2", true);
	encode_bool(encoder, "systemd", systemd);
	encode_bool(encoder, "systemdUser", systemd);
	encode_bool(encoder, "rdma", true);
	encode_object_end(encoder);
}

static void switch_encode(struct encoder *encoder, const char *key, bool enabled)
{
	encode_object_begin(encoder, key);
	encode_bool(encoder, "enabled", enabled);
	encode_object_end(encoder);
}

static void words_encode(struct encoder *encoder, const char *key, const char *(*name)(size_t index))
{
	encode_array_begin(encoder, key);
	for (size_t i = 0; name(i); i++)
		encode_string(encoder, NULL, name(i));
	encode_array_end(encoder);
}

static void memory_policy_encode(struct encoder *encoder)
{
	encode_object_begin(encoder, "memoryPolicy");
	words_encode(encoder, "modes", oci_memory_mode_name);
	words_encode(encoder, "flags", oci_memory_flag_name);
	encode_object_end(encoder);
}

static void linux_encode(struct encoder *encoder)
{
	encode_object_begin(encoder, "linux");
	namespaces_encode(encoder);
	capabilities_encode(encoder);
	cgroup_encode(encoder);
	seccomp_encode(encoder);
	switch_encode(encoder, "apparmor", true);
	switch_encode(encoder, "selinux", true);
	encode_object_begin(encoder, "intelRdt");
	encode_bool(encoder, "enabled", true);
	encode_bool(encoder, "schemata", true);
	encode_bool(encoder, "monitoring", true);
	encode_object_end(encoder);
	memory_policy_encode(encoder);
	encode_object_begin(encoder, "mountExtensions");
	switch_encode(encoder, "idmap", kernel_has(KERNEL_MOUNT_SETATTR));
	encode_object_end(encoder);
	switch_encode(encoder, "netDevices", true);
	encode_object_end(encoder);
}

/* Names of what the kernel lacks of all that we would use; left out when that is nothing. */
static void lacks_encode(struct encoder *encoder)
{
	AUTO(text_drop) struct text names = {0};

	for (int i = 0; i < KERNEL_FEATURES; i++) {
		if (kernel_ask((enum kernel_feature)i) == KERNEL_NO)
			text_appendf(
				&names, "%s%s", names.length ? "; " : "", kernel_about((enum kernel_feature)i)->name);
	}
	if (names.length)
		encode_string(encoder, "warren.kernel.lacks", text_string(&names));
}

void features_encode(struct encoder *encoder)
{
	static const char *const hooks[] = {
		"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop", NULL};
	const struct scmp_version *library = seccomp_version();
	char version[32];

	snprintf(version, sizeof(version), "%u.%u.%u", library->major, library->minor, library->micro);
	encode_object_begin(encoder, NULL);
	encode_string(encoder, "ociVersionMin", OCI_VERSION_MIN);
	encode_string(encoder, "ociVersionMax", OCI_VERSION_MAX);
	names_encode(encoder, "hooks", hooks);
	mount_options_encode(encoder);
	linux_encode(encoder);
	/* A prefix: what stands behind it goes to systemd. */
	encode_array_begin(encoder, "potentiallyUnsafeConfigAnnotations");
	encode_string(encoder, NULL, "org.systemd.property.");
	encode_array_end(encoder);
	encode_object_begin(encoder, "annotations");
	encode_string(encoder, "io.github.seccomp.libseccomp.version", version);
	encode_string(encoder, "warren.version", runtime_version());
	encode_string(encoder, "warren.kernel.release", kernel_release());
	lacks_encode(encoder);
	encode_object_end(encoder);
	encode_object_end(encoder);
}
