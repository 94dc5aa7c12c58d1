/* config.json → struct spec: root, hooks, and the whole.
 *
 * Decoding is lenient as the OCI runtime specification demands: unknown keys are passed over. Wrong types, repeated
 * keys and values that cannot be honoured are refused. */
#include "runtime/oci/oci.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

/* --- root, hooks -------------------------------------------------------------------------------------------------- */

struct oci_root {
	const char *path;
	bool read_only;
};
static const struct field root_fields[] = {
	STRING("path", struct oci_root, path, REQUIRED),
	BOOL("readonly", struct oci_root, read_only, 0),
	END_OF_FIELDS,
};

static const struct field hook_fields[] = {
	STRING("path", struct spec_hook, path, REQUIRED),
	STRINGS("args", struct spec_hook, args, 0),
	STRINGS("env", struct spec_hook, env, 0),
	OPTIONAL("timeout", struct spec_hook, timeout_s, 1, INT32_MAX, 0),
	END_OF_FIELDS,
};
static const struct field hooks_fields[] = {
	LIST("prestart", struct spec_hooks, of[HOOK_PRESTART], hook_fields, 0),
	LIST("createRuntime", struct spec_hooks, of[HOOK_CREATE_RUNTIME], hook_fields, 0),
	LIST("createContainer", struct spec_hooks, of[HOOK_CREATE_CONTAINER], hook_fields, 0),
	LIST("startContainer", struct spec_hooks, of[HOOK_START_CONTAINER], hook_fields, 0),
	LIST("poststart", struct spec_hooks, of[HOOK_POSTSTART], hook_fields, 0),
	LIST("poststop", struct spec_hooks, of[HOOK_POSTSTOP], hook_fields, 0),
	END_OF_FIELDS,
};

/* --- the whole ---------------------------------------------------------------------------------------------------- */

struct oci_config {
	struct spec *spec;
	struct oci_root root;
};

static int linux_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return decode_object(decoder, node, oci_linux_fields, *(struct spec **)member, err);
}

static int spec_process_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	return oci_decode_process(decoder, node, &(*(struct spec **)member)->process, err);
}

/* The version is semantic: what is valid for 1.0 stays so for all of 1. */
static int version_decode(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct spec *spec = *(struct spec **)member;

	if (decode_string(decoder, node, &spec->oci_version, err) < 0)
		return -1;
	if (!text_starts_with(spec->oci_version, "1."))
		return decode_fail(decoder, node, err, "\"%s\" is not a version of 1.x", spec->oci_version);
	return 0;
}

/* Rows whose member lies in struct spec. */
static const struct field spec_fields[] = {
	STRING("hostname", struct spec, hostname, 0),
	STRING("domainname", struct spec, domainname, 0),
	CUSTOM_OBJECT("mounts", struct spec, mounts, oci_decode_mounts, oci_mount_fields),
	OBJECT("hooks", struct spec, hooks, hooks_fields, 0),
	PAIRS("annotations", struct spec, annotations, 0),
	CUSTOM("vm", struct spec, hostname, oci_decode_refused, 0),
	CUSTOM("windows", struct spec, hostname, oci_decode_refused, 0),
	CUSTOM("solaris", struct spec, hostname, oci_decode_refused, 0),
	CUSTOM("zos", struct spec, hostname, oci_decode_refused, 0),
	END_OF_FIELDS,
};
#define REQUIRED_OBJECT(key_, type, member, decode_, fields_)                                                          \
	{                                                                                                              \
		.key = key_, .kind = FIELD_CUSTOM, .flags = REQUIRED, .offset = offsetof(type, member),                \
		.decode = decode_, .fields = fields_                                                                   \
	}
/* Rows that need more than their member. */
static const struct field config_fields[] = {
	CUSTOM("ociVersion", struct oci_config, spec, version_decode, REQUIRED),
	REQUIRED_OBJECT("process", struct oci_config, spec, spec_process_decode, oci_process_fields),
	OBJECT("root", struct oci_config, root, root_fields, REQUIRED),
	REQUIRED_OBJECT("linux", struct oci_config, spec, linux_decode, oci_linux_fields),
	END_OF_FIELDS,
};

const struct field *const oci_config_tables[] = {config_fields, spec_fields, NULL};

/* A path relative to the bundle, as the specification has it for the root and the sources of binds. */
static const char *in_bundle(struct arena *arena, const struct spec *spec, const char *path)
{
	return *path == '/' ? path : arena_format(arena, "%s/%s", spec->bundle, path);
}

static void paths_complete(struct arena *arena, struct spec *spec)
{
	spec->root = in_bundle(arena, spec, spec->root);
	for (size_t i = 0; i < spec->mounts.count; i++) {
		struct spec_mount *mount = &spec->mounts.items[i];

		if (mount->bind && !text_is_empty(mount->source))
			mount->source = in_bundle(arena, spec, mount->source);
	}
}

/* What podman's --group-add keep-groups asks for: a file that is shared with the caller by a group stays so. With users
 * of its own a container's process shows them as the overflow id, and the kernel goes by what they are. An image can
 * bring annotations along, too: the groups of an ordinary user are his to share, those of the host's root are not. */
static bool keeps_groups(const struct spec *spec)
{
	const char *wish = pairs_get(&spec->annotations, "run.oci.keep_original_groups");

	if (!wish || text_equal(wish, "0"))
		return false;
	if (geteuid() != 0 || rootless_is_inside())
		return true;
	log_warn("annotation run.oci.keep_original_groups is passed over: the groups are those of the host's root");
	return false;
}

static bool has_own_users(const struct spec *spec)
{
	return spec->namespaces.create[NS_USER] || spec->namespaces.path[NS_USER];
}

int oci_spec_decode(
	struct arena *arena, const struct json_doc *doc, const char *bundle, struct spec *spec, struct error *err)
{
	struct decoder decoder = {.arena = arena, .doc = doc, .mode = DECODE_LENIENT};
	struct oci_config config = {.spec = spec};

	spec_init(spec);
	spec->bundle = bundle;
	if (decode_object(&decoder, doc->root, config_fields, &config, err) < 0 ||
		decode_object(&decoder, doc->root, spec_fields, spec, err) < 0)
		return -1;
	spec->root = config.root.path;
	spec->root_read_only = config.root.read_only;
	if (text_is_empty(spec->root))
		return fail(err, ERROR_USAGE, "%s: root.path is empty", doc->name);
	if (spec->time_offsets && !spec->namespaces.create[NS_TIME])
		return fail(err, ERROR_USAGE, "%s: linux.timeOffsets: needs a new time namespace", doc->name);
	paths_complete(arena, spec);
	oci_label_mounts(arena, spec);
	spec->process.keep_groups = keeps_groups(spec);
	oci_process_fit(&spec->process, has_own_users(spec));
	device_rules_complete(arena, &spec->limits);
	if (spec_check(spec, err) < 0)
		return blame(err, "%s", doc->name);
	return 0;
}

int oci_spec_read(struct arena *arena, const char *bundle, const char *config, struct spec *spec, struct error *err)
{
	char whole[PATH_MAX], link[32];
	ssize_t length;
	const char *name = config ? config : "config.json";
	struct json_doc doc;

	auto_fd dir = open(bundle ? bundle : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail_errno(err, "bundle %s", bundle);
	/* What realpath(3) asks of every directory on the way the kernel says at once. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
	length = readlink(link, whole, sizeof(whole));
	if (length < 0 || length == (ssize_t)sizeof(whole))
		return fail_errno(err, "bundle %s: find out its path", bundle);
	whole[length] = '\0';
	if (json_read(arena, config ? AT_FDCWD : dir, name, JSON_PLAIN, &doc, err) < 0)
		return -1;
	return oci_spec_decode(arena, &doc, arena_string(arena, whole), spec, err);
}
